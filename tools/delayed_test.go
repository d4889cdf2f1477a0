//go:build linux

package tools_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill/tidemilltest/binarytest"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// passing is what differs between two runs of the same: how long it took, and when and where the log stood.
var passing = regexp.MustCompile(`in [0-9.]+ s$|saved .* UTC|sqlite:[0-9a-f]+ seq=\d+ at=\d+|^checkpoint +[0-9.]+`)

// exactly reports whether a command printed what the document says, to the last digit; "…" on a line of its own stands for lines.
func exactly(said, printed string) error {
	lines := func(s string) []string {
		var out []string
		for line := range strings.Lines(s) {
			if line = strings.TrimRight(passing.ReplaceAllString(strings.TrimSuffix(line, "\n"), "·"), " "); line != "" {
				out = append(out, line)
			}
		}
		return out
	}
	got, any := lines(printed), false
	for _, want := range lines(said) {
		if want == "…" {
			any = true
			continue
		}
		for any && len(got) > 0 && got[0] != want {
			got = got[1:]
		}
		if len(got) == 0 || got[0] != want {
			return fmt.Errorf("it does not print\n%s", want)
		}
		got, any = got[1:], false
	}
	if len(got) > 0 && !any {
		return fmt.Errorf("it prints further\n%s", strings.Join(got, "\n"))
	}
	return nil
}

// TestDelayedLabels types what docs/guides/delayed-labels.md says, the year of flights included, and holds what is printed to it,
// figures too: they are the same on every machine.
func TestDelayedLabels(t *testing.T) {
	if os.Getenv("TIDEMILL_SOAK") == "" {
		t.Skip("it takes a year of flights, three times: make soak runs it")
	}
	bin, err := postgrestest.Bin()
	if err != nil {
		t.Fatal(err)
	}
	guide(t, "delayed-labels", 30, "PATH="+bin+":"+os.Getenv("PATH"), "DATABASE_URL="+postgrestest.Start(t).URL("postgres"))
}

// TestIris does the same with docs/guides/iris.md.
func TestIris(t *testing.T) { guide(t, "iris", 2, "PATH="+os.Getenv("PATH")) }

// guide types what a guide says, at least so many commands, and holds what is printed to it.
func guide(t *testing.T, name string, least int, env ...string) {
	t.Helper()
	text, err := os.ReadFile("../docs/guides/" + name + ".md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program, err := binarytest.Path(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var all []typed
	script := "exec 2>&1\nPATH=" + filepath.Dir(program) + ":$PATH\n"
	for _, c := range commands(string(text)) {
		if c.command != "" {
			script += fmt.Sprintf("printf '\\n@@%d\\n'\n%s\n", len(all), c.command)
			all = append(all, c)
		}
	}
	if len(all) < least {
		t.Fatalf("only %d commands are found", len(all))
	}
	shell := exec.Command("bash", "-c", script)
	shell.Dir, shell.WaitDelay = dir, time.Second
	shell.Env = append(append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC"), env...)
	out, err := shell.Output()
	if err != nil {
		t.Errorf("the last command: %v", err)
	}
	for i, c := range all {
		_, after, ok := bytes.Cut(out, fmt.Appendf(nil, "\n@@%d\n", i))
		if !ok {
			t.Fatalf("$ %s\nwas not come to:\n%s", c.command, out)
		}
		printed, _, _ := bytes.Cut(after, fmt.Appendf(nil, "\n@@%d\n", i+1))
		if err := exactly(c.prints, string(printed)); err != nil {
			t.Errorf("$ %s\n%v\nbut\n%s", c.command, err, printed)
		}
	}
}
