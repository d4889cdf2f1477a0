package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/tidemill/tidemill/terminal"
)

// bar shows progress: redrawn in place on a terminal, a plain line every two seconds elsewhere.
type bar struct {
	w        io.Writer
	terminal bool
	what     string
	began    time.Time
	last     time.Time
	whole    bool // the end has been shown
	drawn    bool // the cursor stands in the bar's line
}

func newBar(w io.Writer, terminal bool) *bar { return &bar{w: w, terminal: terminal} }

// show draws n of total rows of what, with rate and time left.
func (b *bar) show(what string, n, total uint64, extra string) {
	now := time.Now()
	if what != b.what {
		b.end()
		b.what, b.began, b.last, b.whole = what, now, time.Time{}, false
	}
	gap := 2 * time.Second
	if b.terminal {
		gap = 100 * time.Millisecond
	}
	if b.whole || now.Sub(b.last) < gap && (n < total || n == 0) {
		return
	}
	b.whole = n > 0 && n >= total
	first := b.last.IsZero()
	b.last = now
	if first && !b.terminal && n < total {
		return
	}
	line := fmt.Sprintf("%-22s %7d / %d", what, n, total)
	if secs := now.Sub(b.began).Seconds(); secs > 0.05 && n > 0 {
		rate := float64(n) / secs
		line += fmt.Sprintf("  %6.0f rows/s", rate)
		if n < total {
			line += fmt.Sprintf("  %s left", time.Duration(float64(total-n)/rate*float64(time.Second)).Round(time.Second))
		}
	}
	if extra != "" {
		line += "  " + extra
	}
	if !b.terminal {
		fmt.Fprintln(b.w, line)
		return
	}
	b.drawn = true
	fmt.Fprint(b.w, terminal.Redrawn(terminal.Gauge(n, total, 20)+" "+line))
}

// end leaves the bar as it stands and goes on below.
func (b *bar) end() {
	if b.drawn {
		fmt.Fprintln(b.w)
	}
	b.what, b.drawn = "", false
}
