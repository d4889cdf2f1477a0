package engine

import (
	"context"
	"errors"
	"time"

	"github.com/tidemill/tidemill"
)

// errSnapshotBroken says that the source failed before its snapshot was whole: it starts over from nothing.
var errSnapshotBroken = errors.New("the snapshot broke off")

// errEnded says that the source has no more to give, ever: a file that is not followed.
var errEnded = errors.New("the source has ended")

// reading is what the reader tells the engine.
type reading struct {
	batch tidemill.Batch
	err   error // fatal, errSnapshotBroken, or errEnded
}

// sourceReader runs a source for the engine, in a goroutine of its own.
type sourceReader struct {
	source  tidemill.Source
	figures *figures
	waits   backoff // where it stands when a snapshot has failed
}

// read runs the source for the engine: reconnects by the back-off, and skips what was read already.
func (r *sourceReader) read(ctx context.Context, after tidemill.Position, live bool, out chan<- reading) {
	defer close(out)
	send := func(x reading) bool {
		select {
		case out <- x:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var had lanes
	again := false
	waits := r.waits
	for {
		var failure error
		for b, err := range r.source.Changes(ctx, after) {
			if err != nil {
				failure = err
				break
			}
			if again {
				b.Changes = had.skip(b.Changes)
			}
			had.note(b.Changes)
			waits.reset()
			r.figures.alive(b.CaughtUp)
			if !send(reading{batch: b}) {
				return
			}
			if b.Upto != "" {
				after = b.Upto
			}
			live = live || b.Live
		}
		if ctx.Err() != nil {
			return
		}
		switch {
		case failure == nil:
			send(reading{err: errEnded})
			return
		case tidemill.IsFatal(failure):
			send(reading{err: failure})
			return
		}
		r.figures.mu.Lock()
		r.figures.connected, r.figures.caughtUp = false, false
		r.figures.mu.Unlock()
		wait := waits.next(failure)
		if !quiet(failure) {
			r.figures.trouble(failure)
			r.figures.alarm("source", "the source failed, connecting again in "+
				wait.Round(time.Millisecond).String()+": "+failure.Error())
		}
		if !pause(ctx, wait) {
			return
		}
		if !live {
			r.waits = waits // of the next reader, which takes the snapshot anew
			send(reading{err: errSnapshotBroken})
			return
		}
		again = true
	}
}
