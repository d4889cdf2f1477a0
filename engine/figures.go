package engine

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemill/tidemill"
)

// figures are what Status shows beyond the state. Any goroutine.
type figures struct {
	log *slog.Logger

	mu         sync.Mutex // guards what follows
	state      string
	err        string
	errAt      time.Time
	changes    map[string]uint64
	position   atomic.Pointer[tidemill.Position] // read without mu: whoever answers waits for nobody
	lastEvent  time.Time
	connected  bool
	caughtUp   bool      // the source has reached what there was when it was last asked for its changes
	queued     int       // batches that the source has yielded and that are not applied
	appliedAt  time.Time // when the last of them was, or the first came; no meaning while given is 0
	lag        float64
	retained   *uint64
	snapshot   PhaseStatus
	stream     PhaseStatus
	streamAt   time.Time
	rejected   uint64
	rejects    []RejectStatus
	checkpoint CheckpointStatus
	events     []EventStatus
}

// through is the position up to which everything is applied.
func (f *figures) through() tidemill.Position {
	if p := f.position.Load(); p != nil {
		return *p
	}
	return ""
}

// event notes something that happened to the flow, for people.
func (f *figures) event(kind, text string) { f.note(slog.LevelInfo, kind, text) }

// alarm notes something that went wrong.
func (f *figures) alarm(kind, text string) { f.note(slog.LevelError, kind, text) }

func (f *figures) note(level slog.Level, kind, text string) {
	f.log.Log(context.Background(), level, text, "event", kind)
	f.mu.Lock()
	f.events = append([]EventStatus{{time.Now(), kind, text}}, f.events...)
	if len(f.events) > 50 {
		f.events = f.events[:50]
	}
	f.mu.Unlock()
}

func (f *figures) setState(s string) {
	f.mu.Lock()
	f.state = s
	f.mu.Unlock()
}

func (f *figures) trouble(err error) {
	f.mu.Lock()
	f.err, f.errAt = err.Error(), time.Now()
	f.mu.Unlock()
}

// count notes changes that are about to be applied: of the snapshot, or of the stream where it is live.
func (f *figures) count(cs []tidemill.Change, live bool, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	run, op := 0, cs[0].Op
	for i := range cs {
		if cs[i].Op != op {
			f.changes[op.String()] += uint64(run)
			run, op = 0, cs[i].Op
		}
		run++
	}
	f.changes[op.String()] += uint64(run)
	f.lastEvent = now
	if c := &cs[len(cs)-1]; live && c.Op != tidemill.Read && c.Tx != nil {
		from := c.Tx.Commit
		if from.IsZero() {
			from = c.Tx.Read
		}
		if !from.IsZero() {
			f.lag = max(now.Sub(from).Seconds(), 0)
		}
	}
	if live {
		f.stream.Rows += uint64(len(cs))
	} else {
		f.snapshot.Rows += uint64(len(cs))
	}
}

// noteReject notes a row that could not be used.
func (f *figures) noteReject(o *tidemill.Output) {
	r := RejectStatus{At: time.Now(), Task: o.Task, Position: o.Position, ID: o.ID, Reason: o.Reason}
	if c := o.Change; c != nil && c.Table != nil {
		r.Table = c.Table.String()
		r.Row = map[string]string{}
		for i, v := range c.Row() {
			if v.Kind() == tidemill.KindBytes {
				r.Row[c.Table.Columns[i].Name] = "(bytes)"
			} else if s := v.String(); len(s) <= 200 {
				r.Row[c.Table.Columns[i].Name] = s
			} else {
				r.Row[c.Table.Columns[i].Name] = s[:200] + "…"
			}
		}
	}
	f.mu.Lock()
	f.rejected++
	f.rejects = append([]RejectStatus{r}, f.rejects...)
	if len(f.rejects) > 20 {
		f.rejects = f.rejects[:20]
	}
	f.mu.Unlock()
}

// forgetQueued says that no batch waits to be applied.
func (f *figures) forgetQueued() {
	f.mu.Lock()
	f.queued = 0
	f.mu.Unlock()
}

// beginSnapshot says that a snapshot is read, of which some task makes so many epochs.
func (f *figures) beginSnapshot(epochs int) {
	f.setState("snapshot")
	f.mu.Lock()
	if epochs > max(f.snapshot.Epochs, 1) {
		f.snapshot.Epoch, f.snapshot.Epochs = 1, epochs
	}
	f.mu.Unlock()
}
