package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/terminal"
)

// progress tells while the flow works: one line with a bar that moves on a terminal, a line now and then elsewhere.
type progress struct {
	done chan struct{}
	end  chan struct{}
}

func (p *progress) stop() {
	close(p.done)
	<-p.end
}

func (a *app) newProgress(mill *engine.Mill, quiet bool) *progress {
	p := &progress{make(chan struct{}), make(chan struct{})}
	if quiet {
		close(p.end)
		return p
	}
	drawn := isTerminal(a.err)
	every := 5 * time.Second
	if drawn {
		every = 250 * time.Millisecond
	}
	go func() {
		defer close(p.end)
		tick := time.NewTicker(every)
		defer tick.Stop()
		var pace pace
		pace.see(mill.Status(), time.Now())
		for {
			select {
			case <-p.done:
				if drawn {
					fmt.Fprint(a.err, "\r\x1b[K")
				}
				return
			case <-tick.C:
			}
			s := mill.Status()
			moved := pace.see(s, time.Now())
			switch {
			case drawn:
				fmt.Fprint(a.err, terminal.Redrawn(progressText(s, pace.rate, true)))
			case moved:
				fmt.Fprintln(a.err, progressText(s, pace.rate, false))
			}
		}
	}()
	return p
}

// pace is how fast it goes, smoothed over some seconds so that the time left does not jump.
type pace struct {
	last uint64
	of   [3]uint64 // the epoch and its rows, and whether it is the stream: rows of different ones are not compared
	at   time.Time
	rate float64
}

// see notes how far the flow is at a time, and tells whether it has moved.
func (p *pace) see(s *engine.Status, now time.Time) (moved bool) {
	done, of := s.Stream.Rows, [3]uint64{2: 1}
	if !s.Snapshot.Done {
		done, _ = s.Snapshot.Work()
		of = [3]uint64{uint64(max(s.Snapshot.Epoch, 1)), s.Snapshot.PassTotal}
	}
	moved = done != p.last
	if seconds := now.Sub(p.at).Seconds(); p.at.IsZero() || of != p.of || done < p.last {
		if done < p.last || of[2] != p.of[2] {
			p.rate = 0
		}
	} else if seconds > 0 {
		current := float64(done-p.last) / seconds
		weight := min(1, seconds/3)
		if p.rate == 0 {
			weight = 1
		}
		p.rate += weight * (current - p.rate)
	}
	p.last, p.of, p.at = done, of, now
	return moved
}

// progressText is the line; drawn has a bar where the end is known.
func progressText(s *engine.Status, rate float64, drawn bool) string {
	var b strings.Builder
	b.WriteString(s.State + ": ")
	phase := &s.Snapshot
	if phase.Done {
		phase = &s.Stream
	}
	done, total := phase.Work()
	if total > 0 && drawn {
		b.WriteString(terminal.Gauge(done, total, 20) + " ")
	}
	if phase.Epochs > 1 {
		fmt.Fprintf(&b, "epoch %d of %d, ", phase.Epoch, phase.Epochs)
	}
	switch {
	case phase.PassTotal > 0:
		fmt.Fprintf(&b, "%s of %s rows", count(phase.Pass), count(phase.PassTotal))
	case phase.Total > 0:
		fmt.Fprintf(&b, "%s of about %s rows", count(phase.Rows), count(max(phase.Rows, phase.Total)))
	default:
		fmt.Fprintf(&b, "%s rows", count(phase.Rows))
	}
	if total > 0 {
		fmt.Fprintf(&b, ", %d %%", min(done, total)*100/total)
	}
	fmt.Fprintf(&b, ", %s/s", count(uint64(max(0, rate))))
	if left, ok := phase.Left(rate); ok && left > 0 {
		b.WriteString(", " + leftText(left) + " left")
	}
	for _, t := range s.Tasks {
		for _, x := range t.Scores {
			if x.Rolling != nil && x.N > 0 && (x.Phase == tidemill.Stream.String()) == s.Snapshot.Done {
				fmt.Fprintf(&b, ", %s %s %s", t.Name, x.Name, number(*x.Rolling))
				break
			}
		}
	}
	if s.State == "reconnecting" {
		b.WriteString(": " + s.Error)
	}
	return b.String()
}

// leftText is a time that is still to go, to the second or to the minute.
func leftText(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min", int(d.Minutes()+0.5))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}
