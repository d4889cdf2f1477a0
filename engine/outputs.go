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
	held    []tidemill.Output // of the batch, not yet handed to the sinks
	heads   []int             // scratch of merge: how many of each task's outputs it has taken
	failed  chan error        // a sink's fatal error
	figures *figures
}

// add makes the outbox of a sink; rejects is true for the one that takes the rows which cannot be used, and nothing else.
func (o *outputs) add(s tidemill.Sink, rejects, serves bool) {
	b := newOutbox(s, rejects, o.figures, o.failed)
	b.serves = serves
	o.boxes = append(o.boxes, b)
}

// open makes the outboxes of a flow's sinks.
func (o *outputs) open(f *tidemill.Flow) {
	for _, s := range f.Sinks {
		o.add(s, false, f.Serves)
	}
	if f.Rejects != nil {
		o.add(f.Rejects, true, f.Serves)
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
func (o *outputs) announce(tasks []*taskState) {
	n := o.seq
	for _, t := range tasks {
		n += uint64(len(t.outs))
	}
	o.made.Store(n)
}

// gather collects the tasks' outputs of one slice in the order of their changes, and numbers them.
func (o *outputs) gather(tasks []*taskState) {
	first, n := len(o.held), 0
	for _, t := range tasks {
		n += len(t.outs)
	}
	o.held = slices.Grow(o.held, n)
	if len(tasks) == 1 {
		for i := range tasks[0].outs {
			o.held = append(o.held, tasks[0].outs[i].o)
		}
	} else {
		o.merge(tasks, n)
	}
	for _, t := range tasks {
		clear(t.outs)
		t.outs = t.outs[:0]
	}
	for i := first; i < len(o.held); i++ {
		o.seq++
		o.held[i].Seq = o.seq
		if o.held[i].Kind == tidemill.RowRejected {
			o.figures.noteReject(&o.held[i])
		}
	}
}

// merge takes n outputs from the tasks, those of an earlier change first, of one change in the order of the tasks.
func (o *outputs) merge(tasks []*taskState, n int) {
	o.heads = slices.Grow(o.heads[:0], len(tasks))[:len(tasks)]
	clear(o.heads)
	for _, t := range tasks { // nearly always sorted: an expiry may be told before the asks that wait to be computed
		if !slices.IsSortedFunc(t.outs, byChange) {
			slices.SortStableFunc(t.outs, byChange)
		}
	}
	for ; n > 0; n-- {
		best, at := -1, 0
		for k, t := range tasks {
			if h := o.heads[k]; h < len(t.outs) && (best < 0 || t.outs[h].at < at) {
				best, at = k, t.outs[h].at
			}
		}
		o.held = append(o.held, tasks[best].outs[o.heads[best]].o)
		o.heads[best]++
	}
}

func byChange(a, b taskOutput) int { return a.at - b.at }

// pass hands changes on as they are: a flow without tasks is a capture server.
func (o *outputs) pass(cs []tidemill.Change, locate func(*tidemill.Change) string) {
	o.held = slices.Grow(o.held, len(cs))
	for i := range cs {
		o.seq++
		o.held = append(o.held, tidemill.Output{Kind: tidemill.RowPassed, Seq: o.seq, Change: &cs[i], Position: locate(&cs[i])})
	}
	o.made.Store(o.seq)
}

// send hands the batch's outputs to every sink. It waits while a sink is behind: the source is held back in turn.
func (o *outputs) send(ctx context.Context) error {
	if len(o.held) == 0 {
		return nil
	}
	outs := o.held
	o.held = nil
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
func (o *outputs) drain(patience time.Duration) error {
	for _, b := range o.boxes {
		ch := make(chan markResult, 1)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
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
			return fmt.Errorf("sink %s did not take its rows within %s", b.name, patience)
		}
	}
	return nil
}
