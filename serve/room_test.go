package serve

import (
	"os"
	"runtime/debug"
	"testing"
)

// The environment's word goes before ours.
func TestCollectLess(t *testing.T) {
	was := debug.SetGCPercent(100)
	defer debug.SetGCPercent(was)
	t.Setenv("GOGC", "50")
	CollectLess()
	if now := debug.SetGCPercent(100); now != 100 {
		t.Errorf("GOGC is set in the environment: the percentage is %d, not as it was", now)
	}
	os.Unsetenv("GOGC")
	CollectLess()
	if now := debug.SetGCPercent(100); now != collectAt {
		t.Errorf("the percentage is %d, want %d", now, collectAt)
	}
}
