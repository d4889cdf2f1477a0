package engine

import (
	"context"
	"time"

	"github.com/tidemill/tidemill"
)

// expect asks the source how much there is to read. What cannot be counted is left out: the flow goes on without.
func (f *figures) expect(ctx context.Context, c tidemill.Counter) {
	snapshot, stream, err := c.Count(ctx)
	if err != nil {
		if ctx.Err() == nil {
			f.log.Info("the rows of the source cannot be counted; progress is told without a total", "error", err)
		}
		return
	}
	f.mu.Lock()
	f.snapshot.Total, f.stream.Total = snapshot, stream
	f.mu.Unlock()
}

// beginPass and setPass keep the figures of a pass over the journal.
func (f *figures) beginPass(at, total int) {
	f.mu.Lock()
	f.snapshot.Pass, f.snapshot.PassTotal = uint64(at), uint64(total)
	f.mu.Unlock()
}

func (f *figures) setPass(at int) {
	f.mu.Lock()
	f.snapshot.Pass = uint64(at)
	f.mu.Unlock()
}

// Work is how many rows of a phase are done and how many there are, with every pass over them counted; total is 0 where
// it is not known.
func (p *PhaseStatus) Work() (done, total uint64) {
	epoch, epochs := uint64(max(p.Epoch, 1)), uint64(max(p.Epochs, 1))
	switch {
	case p.PassTotal > 0:
		return (epoch-1)*p.PassTotal + p.Pass, epochs * p.PassTotal
	case epoch > 1: // between two passes
		return (epoch - 1) * p.Rows, epochs * p.Rows
	case p.Total == 0:
		return p.Rows, 0
	}
	return p.Rows, max(p.Total, p.Rows) * epochs
}

// Left is the time that a phase needs at a number of rows a second; false where that is not known.
func (p *PhaseStatus) Left(rate float64) (time.Duration, bool) {
	done, total := p.Work()
	if total == 0 || p.Done || !(rate > 0) {
		return 0, false
	}
	return time.Duration(float64(total-min(done, total)) / rate * float64(time.Second)), true
}
