package serve

import (
	"flag"
	"os"
	"os/exec"
	"testing"
)

// Alone has the test run in a process of its own, where memory and goroutines are counted of nothing else, and
// reports whether this is that process: in the other one there is nothing left to do.
func Alone(t *testing.T) bool {
	t.Helper()
	const mark = "TIDEMILL_TEST_ALONE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	args := []string{"-test.run=^" + t.Name() + "$", "-test.v", "-test.timeout=15m"}
	if f := flag.Lookup("long"); f != nil && f.Value.String() == "true" {
		args = append(args, "-long")
	}
	child := exec.CommandContext(t.Context(), os.Args[0], args...)
	child.Env = append(os.Environ(), mark+"="+t.Name())
	out, err := child.CombinedOutput()
	if t.Logf("%s", out); err != nil {
		t.Error(err)
	}
	return false
}
