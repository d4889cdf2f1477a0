package engine

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tidemill/tidemill"
)

// outputs numbers what the tasks say and hands it to the sinks. The engine's goroutine alone, but for made.
type outputs struct {
	boxes   []*outbox
	seq     uint64            // of the last output
	made    atomic.Uint64     // ordinal of the last output that was made, handed on or not; any goroutine
	pending []tidemill.Output // of the batch, not yet handed to the sinks
	heads   []int             // scratch of merge: how many of each task's outputs it has taken
	failed  chan error        // a sink's fatal error
	figures *figures
}

// add makes the outbox of a sink; rejects is true for the one that takes the rows which
// cannot be used, and nothing else.
func (o *outputs) add(s tidemill.Sink, rejects bool) {
	o.boxes = append(o.boxes, newOutbox(s, rejects, o.figures, o.failed))
}

// open makes the outboxes of a flow's sinks.
func (o *outputs) open(f *tidemill.Flow) {
	for _, s := range f.Sinks {
		o.add(s, false)
	}
	if f.Rejects != nil {
		o.add(f.Rejects, true)
	}
}

// start begins to write.
func (o *outputs) start() {
	for _, b := range o.boxes {
		b.started = true
		go b.run()
	}
}

// stop ends the writing and closes the sinks.
func (o *outputs) stop() {
	for _, b := range o.boxes {
		b.stop()
	}
}

// written is the ordinal of the last output that every sink has. Any goroutine.
func (o *outputs) written() uint64 {
	n := o.made.Load()
	for _, b := range o.boxes {
		n = min(n, b.written.Load())
	}
	return n
}

// announce notes how many outputs there are by now, handed on or not.
func (o *outputs) announce(tasks []*task) {
	n := o.seq
	for _, t := range tasks {
		n += uint64(len(t.out.list))
	}
	o.made.Store(n)
}

// gather collects the tasks' outputs of one slice in the order of their changes, and numbers them.
func (o *outputs) gather(tasks []*task) {
	first, n := len(o.pending), 0
	for _, t := range tasks {
		n += len(t.out.list)
	}
	o.pending = slices.Grow(o.pending, n)
	if len(tasks) == 1 {
		for i := range tasks[0].out.list {
			o.pending = append(o.pending, tasks[0].out.list[i].o)
		}
	} else {
		o.merge(tasks, n)
	}
	for _, t := range tasks {
		clear(t.out.list)
		t.out.list = t.out.list[:0]
	}
	for i := first; i < len(o.pending); i++ {
		o.seq++
		o.pending[i].Seq = o.seq
		if o.pending[i].Kind == tidemill.RowRejected {
			o.figures.noteReject(&o.pending[i])
		}
	}
}

// merge takes n outputs from the tasks, those of an earlier change first, of one change in the order of the tasks.
func (o *outputs) merge(tasks []*task, n int) {
	o.heads = slices.Grow(o.heads[:0], len(tasks))[:len(tasks)]
	clear(o.heads)
	for _, t := range tasks { // nearly always sorted: an expiry may be told before the asks that wait to be computed
		if !slices.IsSortedFunc(t.out.list, byChange) {
			slices.SortStableFunc(t.out.list, byChange)
		}
	}
	for ; n > 0; n-- {
		best, at := -1, 0
		for k, t := range tasks {
			if h := o.heads[k]; h < len(t.out.list) && (best < 0 || t.out.list[h].at < at) {
				best, at = k, t.out.list[h].at
			}
		}
		o.pending = append(o.pending, tasks[best].out.list[o.heads[best]].o)
		o.heads[best]++
	}
}

func byChange(a, b taskOutput) int { return a.at - b.at }

// pass hands changes on as they are: a flow without tasks is a capture server.
func (o *outputs) pass(cs []tidemill.Change, locate func(*tidemill.Change) string) {
	o.pending = slices.Grow(o.pending, len(cs))
	for i := range cs {
		o.seq++
		o.pending = append(o.pending, tidemill.Output{Kind: tidemill.RowPassed, Seq: o.seq, Change: &cs[i],
			Position: locate(&cs[i])})
	}
	o.made.Store(o.seq)
}

// reject numbers the output of a row that was refused before any task saw it.
func (o *outputs) reject(x *tidemill.Output) {
	o.seq++
	x.Seq = o.seq
	o.pending = append(o.pending, *x)
	o.made.Store(o.seq)
	o.figures.noteReject(x)
}

// send hands the batch's outputs to every sink. It waits while a sink is behind: the source is held back in turn.
func (o *outputs) send(ctx context.Context) error {
	if len(o.pending) == 0 {
		return nil
	}
	outs := o.pending
	o.pending = nil
	for _, b := range o.boxes {
		for b.waiting.Load() >= outboxOutputs {
			select {
			case <-b.room:
			case err := <-o.failed:
				return err
			case <-ctx.Done():
				return errStopped
			}
		}
		b.waiting.Add(int64(len(outs)))
		item := outItem{outs: outs, upto: outs[len(outs)-1].Seq}
		select {
		case b.in <- item:
			continue
		default:
		}
		select {
		case b.in <- item:
		case err := <-o.failed:
			return err
		case <-ctx.Done():
			return errStopped
		}
	}
	return nil
}

// drain waits until every sink has everything.
func (o *outputs) drain(timeout time.Duration) error {
	for _, b := range o.boxes {
		ch := make(chan markResult, 1)
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		select {
		case b.in <- outItem{upto: o.seq, mark: ch}:
		case <-ctx.Done():
		}
		select {
		case r := <-ch:
			if r.err != nil {
				return r.err
			}
		case <-ctx.Done():
			return fmt.Errorf("sink %s did not take its rows within %s", b.name, timeout)
		}
	}
	return nil
}
