package engine

import (
	"errors"
	"math"

	"github.com/tidemill/tidemill"
)

// apply takes one slice of the stream: answer, ask, fold in, for each change in turn. Asks and learns that follow one
// another are computed together; the result is that of one at a time.
func (t *taskState) apply(cs []tidemill.Change) error {
	for i := range cs {
		c := &cs[i]
		if c.Table == nil {
			continue
		}
		tt, err := t.look(c.Table)
		if err != nil {
			return err
		}
		if err := t.step(c, tt, i); err != nil {
			if err := t.reject(err, c, tt, i); err != nil {
				return err
			}
		}
	}
	return t.flush()
}

// reject turns a row's error into an output for the rejects, or into the end of the flow; other errors pass through.
func (t *taskState) reject(err error, c *tidemill.Change, tt *taskTable, i int) error {
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
		return tidemill.Fatalf("task %s, at %s: %w: mend the row, or name a sink under `rejects:` that keeps such rows apart", t.spec.Name, t.locate(c), err)
	}
	t.emit(i, tidemill.Output{Kind: tidemill.RowRejected, Change: c, Task: t.spec.Name, ID: re.ID, Reason: re.Error(), Position: t.locate(c)})
	return nil
}

// any is some trigger of the table, for its id.
func (tt *taskTable) any() *boundOn {
	for _, l := range [][]*boundOn{tt.predict, tt.eval, tt.learn} {
		if len(l) > 0 {
			return l[0]
		}
	}
	return nil
}

// holds is the trigger whose id names held questions of the table, or nil.
func (tt *taskTable) holds() *boundOn {
	for _, l := range [][]*boundOn{tt.predict, tt.eval} {
		if len(l) > 0 {
			return l[0]
		}
	}
	return nil
}

// step is one change's life.
func (t *taskState) step(c *tidemill.Change, tt *taskTable, i int) error {
	switch c.Op {
	case tidemill.Insert, tidemill.Update, tidemill.Delete:
	case tidemill.Truncate:
		if err := t.truncated(tt); err != nil {
			return err
		}
		at, _ := t.timeFor(tt, c, nil, nil, nil)
		t.fold(c, at)
		return nil
	case tidemill.Message:
		return nil // it is about no row
	default:
		return tidemill.Fatalf("task %s, at %s: the operation %s has no meaning for a task", t.spec.Name, t.locate(c), c.Op)
	}
	if c.Op == tidemill.Update && c.Before != nil {
		if err := t.moved(c, tt, i); err != nil {
			return err
		}
	}
	if err := t.wholeBefore(tt, c); err != nil {
		return err
	}
	pr, err := match(tt.predict, c)
	if err != nil {
		return err
	}
	ln, err := match(tt.learn, c)
	if err != nil {
		return err
	}
	ev, err := match(tt.eval, c)
	if err != nil {
		return err
	}
	if c.Op == tidemill.Delete && (pr != nil || ln != nil || ev != nil) {
		if err := t.atItsPlace(c, tt, i); err != nil {
			return err
		}
	}
	at, ok := t.timeFor(tt, c, pr, ln, ev)
	if pr != nil || ln != nil || ev != nil {
		err = t.touch(c, tt, pr, ln, ev, at, ok, i)
	}
	if !ok {
		at = t.clock
	}
	if c.Op == tidemill.Delete {
		_, _, told := labelled(ln, ev, c.Before)
		if e := t.gone(c, tt, told, i); e != nil {
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

// scoreAnswer updates the phase's tally with one answered prediction; one made by a model that was not ready is not scored.
// In the snapshot, rows that only evaluate are scored apart from those that teach.
func (t *taskState) scoreAnswer(pred []float64, class int, y, weight float64, x *tidemill.Vector, o *others, taught bool) {
	if len(pred) == 0 || pred[0] != pred[0] {
		return
	}
	tally := t.tallies[t.phase]
	if t.phase == tidemill.Snapshot && !taught {
		tally = t.tallies[tidemill.Evaluated]
	}
	a := &tally.answer
	*a = tidemill.Answer{Kind: t.kind, Prediction: pred, Class: class, Truth: y, Weight: weight, Positive: t.learner.positiveIndex(), Labels: t.learner.classes.labels, X: x}
	if t.kind == tidemill.Classify {
		if y < 0 || int(y) >= len(pred) {
			a.Unseen = true
		}
		if k := len(t.learner.classes.labels); len(pred) < k {
			p := make([]float64, k)
			copy(p, pred)
			a.Prediction = p
		}
	}
	tally.update(a, o)
}

// scoresGroups reports whether rows without an answer are scored: how well each lies in its cluster is known at once, when
// it is asked about or, as with answers, before it is learned.
func (t *taskState) scoresGroups() bool { return t.kind == tidemill.Cluster && len(t.spec.Scores) > 0 }

// truncated is gone for all rows of a table.
func (t *taskState) truncated(tt *taskTable) error {
	if tt.holds() == nil {
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	t.moves = moves{}
	n, err := t.questions.dropTable(tt.name)
	t.counts.Dropped += uint64(n)
	t.counts.Deleted += uint64(t.answered.forgetTable(tt.name))
	return err
}

// fold lets the features remember the change, as of its time.
func (t *taskState) fold(c *tidemill.Change, at int64) {
	for _, f := range t.spec.Features {
		if tf, ok := f.(tidemill.Timed); ok {
			tf.UpdateAt(c, at)
		} else {
			f.Update(c)
		}
	}
}

// vector appends the features of c's row, as of just before c.
func (t *taskState) vector(dst *tidemill.Vector, c *tidemill.Change, at int64) error {
	for _, f := range t.spec.Features {
		var err error
		if tf, ok := f.(tidemill.Timed); ok {
			err = tf.AppendAt(dst, c, at)
		} else {
			err = f.Append(dst, c)
		}
		if err != nil {
			var re *tidemill.RowError
			if errors.As(err, &re) {
				return err
			}
			return &tidemill.RowError{Reason: err.Error()}
		}
	}
	return nil
}

func (t *taskState) rowWeight(tt *taskTable, c *tidemill.Change) (float64, error) {
	if tt.weight == nil {
		return 1, nil
	}
	w, ok := tt.weight.Eval(c.Row()).Number()
	if !ok || w < 0 || math.IsInf(w, 0) || w != w {
		return 0, &tidemill.RowError{Reason: "its weight is NULL, negative or not a finite number"}
	}
	return w, nil
}

func (t *taskState) emit(i int, o tidemill.Output) {
	if t.mute && o.Kind != tidemill.RowRejected {
		return
	}
	t.outs = append(t.outs, taskOutput{i, o})
}

// tellTruth completes a prediction among the latest.
func (t *taskState) tellTruth(id, truth string) {
	for i := len(t.latest) - 1; i >= 0; i-- {
		if t.latest[i].ID == id {
			t.latest[i].Truth = truth
			return
		}
	}
}

// teach is one row learned: encoders, model, baseline.
func (t *taskState) teach(x *tidemill.Vector, y float64, has bool, weight float64) {
	var yv [1]float64
	ys := yv[:0]
	if has {
		ys = append(ys, y)
	}
	t.learner.teach(x, ys, weight*t.rarity(y, has), &t.run.enc)
	if has {
		t.base.learn(y)
	}
	t.counts.Learned++
}

// rarity is what a row's weight is multiplied by where classes are balanced.
func (t *taskState) rarity(y float64, has bool) float64 {
	if !has || !t.spec.Balanced || t.kind != tidemill.Classify {
		return 1
	}
	return t.base.rarity(y)
}
