package terminal

import (
	"strings"
	"testing"
)

func TestPicture(t *testing.T) {
	pixels := []byte{0, 255, 128, 0, 255, 128, 255, 0, 0}
	if got := strings.Join(Picture(pixels, 3, 3, false), "|"); got != " @=|=  " { // two rows a line, the missing one is black
		t.Errorf("%q", got)
	}
	got := Picture(pixels, 3, 3, true)
	if len(got) != 2 || !strings.HasPrefix(got[0], "\x1b[38;2;0;0;0m\x1b[48;2;0;0;0m▀") || !strings.HasSuffix(got[1], "\x1b[0m") {
		t.Errorf("%q", got)
	}
	if got := Picture(nil, 2, 2, false); len(got) != 1 || got[0] != "  " {
		t.Errorf("no pixels: %q", got)
	}
}

func TestBeside(t *testing.T) {
	if got := strings.Join(Beside([]string{"ab", "cd"}, 2, []string{"1", "2", "3"}), "|"); got != "ab   1|cd   2|     3" {
		t.Errorf("%q", got)
	}
}

func TestBars(t *testing.T) {
	if Bar(0.5, 4) != "██" || Bar(-1, 4) != "" || Bar(2, 4) != "████" {
		t.Errorf("%q %q %q", Bar(0.5, 4), Bar(-1, 4), Bar(2, 4))
	}
	for _, c := range []struct {
		done, total uint64
		want        string
	}{{0, 0, "[░░░░]"}, {1, 2, "[██░░]"}, {9, 2, "[████]"}, {1 << 63, 1<<64 - 1, "[██░░]"}} {
		if got := Gauge(c.done, c.total, 4); got != c.want {
			t.Errorf("%d of %d: %s", c.done, c.total, got)
		}
	}
}

// TestRedrawn: a line begins at the left of an empty line, and does not wrap; what follows it does again.
func TestRedrawn(t *testing.T) {
	if got := Redrawn("half"); got != "\r\x1b[K\x1b[?7lhalf\x1b[?7h" {
		t.Errorf("%q", got)
	}
}
