package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// TestPeakRSS holds more memory than the program it starts: what the program says is its own peak.
func TestPeakRSS(t *testing.T) {
	ballast := make([]byte, 512<<20)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	cmd := exec.Command(binary, "demo", "iris", "--once", "--json")
	cmd.Dir = t.TempDir()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var r struct {
		Peak uint64 `json:"peak_rss_bytes"`
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r); err != nil {
		t.Fatal(err)
	}
	if r.Peak < 4<<20 || r.Peak > uint64(len(ballast)) {
		t.Errorf("the peak is said to be %d MB; mine is more than %d", r.Peak>>20, len(ballast)>>20)
	}
	ballast[0]++ // it is held until here
}
