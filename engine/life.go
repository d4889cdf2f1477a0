package engine

import (
	"errors"
	"math"

	"github.com/tidemill/tidemill"
)

// apply takes one slice of changes: answer, ask, fold in, for each in turn; of the snapshot's rows those that have
// their answer are learned. Asks and learns that follow one another are computed together; the
// result is that of one at a time.
func (t *task) apply(cs []tidemill.Change) error {
	for i := range cs {
		c := &cs[i]
		if c.Table == nil {
			continue
		}
		if err := t.applyOne(c, i, t.step); err != nil {
			return err
		}
	}
	return t.flush()
}

// applyOne lets a change live its life; where its row cannot be used it is rejected. i is its index in the slice.
func (t *task) applyOne(c *tidemill.Change, i int, life func(*tidemill.Change, *boundTable, int) error) error {
	tt, err := t.triggers.look(c.Table)
	if err != nil {
		return err
	}
	if err := life(c, tt, i); err != nil {
		return t.reject(err, c, tt, i)
	}
	return nil
}

// reject turns a row's error into an output for the rejects, or into the end of the flow; other errors pass through.
func (t *task) reject(err error, c *tidemill.Change, tt *boundTable, i int) error {
	var re *tidemill.RowError
	if tidemill.IsFatal(err) || !errors.As(err, &re) {
		return err
	}
	if err := t.flush(); err != nil { // what came before it is told before it
		return err
	}
	t.counts.Rejected++
	if re.Table == "" {
		re.Table = c.Table.String()
	}
	if re.ID == "" {
		if b := tt.any(); b != nil {
			re.ID, _ = b.idOf(c.Row())
		}
	}
	if t.halt {
		return tidemill.Fatalf("task %s, at %s: %w: mend the row, or name a sink under `rejects:` that keeps such rows apart",
			t.spec.Name, t.out.locate(c), err)
	}
	t.out.emit(i, tidemill.Output{Kind: tidemill.RowRejected, Change: c, Task: t.spec.Name, ID: re.ID, Reason: re.Error(),
		Position: t.out.locate(c)})
	return nil
}

// step is one change's life.
func (t *task) step(c *tidemill.Change, tt *boundTable, i int) error {
	switch c.Op {
	case tidemill.Insert, tidemill.Update, tidemill.Delete:
	case tidemill.Read:
		return t.learnRead(c, tt, i)
	case tidemill.Truncate:
		if err := t.ledger.truncated(tt); err != nil {
			return err
		}
		at, _ := t.timeFor(tt, c, &sight{})
		t.fold(c, at)
		return nil
	case tidemill.LogicalMessage:
		return nil // it is about no row
	default:
		return tidemill.Fatalf("task %s, at %s: the operation %s has no meaning for a task",
			t.spec.Name, t.out.locate(c), c.Op)
	}
	if c.Op == tidemill.Update && c.Before != nil {
		if err := t.ledger.keyChanged(c, tt, i); err != nil {
			return err
		}
	}
	if err := t.triggers.wholeBefore(tt, c); err != nil {
		return err
	}
	s, err := tt.see(c)
	if err != nil {
		return err
	}
	r := row{c: c, table: tt, i: i, sight: s}
	if c.Op == tidemill.Delete && !s.none() {
		if err := t.ledger.swapInForDelete(c, tt, i); err != nil {
			return err
		}
	}
	r.at, r.timed = t.timeFor(tt, c, &s)
	if !s.none() {
		err = t.answerAndAsk(&r)
	}
	at := r.at
	if !r.timed {
		at = t.clock.now
	}
	if c.Op == tidemill.Delete {
		if e := t.ledger.deleted(c, tt, s.known, i); e != nil {
			t.fold(c, at) // the row is gone from the windows all the same
			return e
		}
	}
	if err != nil {
		return err // a row that cannot be used is not folded in either
	}
	t.fold(c, at)
	return nil
}

// fold lets the features remember the change, as of its time.
func (t *task) fold(c *tidemill.Change, at int64) {
	for _, f := range t.spec.Features {
		f.Update(c, at)
	}
}

// weight is what the row counts for.
func (r *row) weight() (float64, error) {
	if r.table.weight == nil {
		return 1, nil
	}
	w, ok := r.table.weight.Eval(r.c.Row()).Number()
	if !ok || w < 0 || math.IsInf(w, 0) || w != w {
		return 0, &tidemill.RowError{Reason: "its weight is NULL, negative or not a finite number"}
	}
	return w, nil
}

// teach is one row learned: encoders, model, baseline.
func (t *task) teach(x *tidemill.Vector, y float64, has bool, weight float64) {
	var yv [1]float64
	ys := yv[:0]
	if has {
		ys = append(ys, y)
	}
	t.learner.teach(x, ys, weight*t.board.rarity(y, has, t.spec), &t.batch.enc)
	if has {
		t.board.base.learn(y)
	}
	t.counts.Learned++
}
