package engine

import (
	"math"

	"github.com/tidemill/tidemill"
)

// maxBatch is how many asks or learns that follow one another are computed together.
const maxBatch = 256

// askHow says what becomes of an ask.
type askHow uint8

const (
	holdQuestion askHow = iota // hold the question until its answer comes
	scoreNow                   // the truth is known: score at once
	evaluateNow                // the same, and another answer may come
	learnNow                   // the truth is known: score, then learn
	predictOnly                // nothing can answer it: predict only
)

// batchRow is one ask or learn of a batch.
type batchRow struct {
	c      *tidemill.Change
	table  *boundTable
	i      int
	id     string
	at     int64
	how    askHow
	has    bool
	y      float64
	truth  string
	weight float64
	silent bool // its outputs are not told
	scored bool // of a learned row: it was scored when the same change asked about it
}

// rowBatch is asks, or learns, that follow one another with nothing between them that could change their result.
type rowBatch struct {
	rows   []batchRow
	xs     []tidemill.Vector
	learn  bool
	first  int64 // no ask of the batch is earlier
	enc    encoding
	taught []lesson
	preds  []float64
	base   []float64
}

func (r *rowBatch) reset() { r.rows, r.learn, r.first = r.rows[:0], false, math.MaxInt64 }

// slot is the vector of the next row, emptied.
func (r *rowBatch) slot() *tidemill.Vector {
	n := len(r.rows)
	if n == len(r.xs) {
		r.xs = append(r.xs, tidemill.Vector{})
	}
	r.xs[n].Reset()
	return &r.xs[n]
}

// lessons are the batch's answers and weights.
func (r *rowBatch) lessons() []lesson {
	r.taught = r.taught[:0]
	for i := range r.rows {
		row := &r.rows[i]
		r.taught = append(r.taught, lesson{y: row.y, has: row.has, weight: row.weight})
	}
	return r.taught
}

// ask adds a question to the batch.
func (t *task) ask(r *row, id string, how askHow, y float64, truth string) error {
	if len(t.batch.rows) > 0 && (t.batch.learn || len(t.batch.rows) >= maxBatch) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	x := t.batch.slot()
	if err := appendFeatures(x, t.spec.Features, r.c, r.at); err != nil {
		return err
	}
	w, err := r.weight()
	if err != nil {
		return err
	}
	t.batch.learn, t.batch.first = false, min(t.batch.first, r.at)
	t.batch.rows = append(t.batch.rows, batchRow{c: r.c, table: r.table, i: r.i, id: id, at: r.at, how: how, y: y,
		truth: truth, weight: w, silent: t.out.silent})
	if how == learnNow {
		return t.flush()
	}
	return nil
}

// learnRow adds a row that is learned as it is to the batch.
func (t *task) learnRow(r *row, y float64, has bool) error {
	if len(t.batch.rows) > 0 && (!t.batch.learn || len(t.batch.rows) >= maxBatch) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	x := t.batch.slot()
	if err := appendFeatures(x, t.spec.Features, r.c, r.at); err != nil {
		return err
	}
	w, err := r.weight()
	if err != nil {
		return err
	}
	t.batch.learn = true
	t.batch.rows = append(t.batch.rows, batchRow{c: r.c, table: r.table, i: r.i, at: r.at, y: y, has: has, weight: w})
	return nil
}

// flush computes the batch.
func (t *task) flush() error {
	if len(t.batch.rows) == 0 {
		return nil
	}
	var err error
	if t.batch.learn {
		t.flushLearns()
	} else {
		err = t.flushAsks()
	}
	t.batch.reset()
	return err
}

// flushAsks predicts, tells, and holds or scores.
func (t *task) flushAsks() error {
	r := &t.batch
	var width int
	r.preds, width = t.learner.predictAll(r.preds[:0], r.xs[:len(r.rows)], &r.enc)
	owned := append([]float64(nil), r.preds...) // outputs keep it past the run
	r.base = t.board.base.predict(r.base[:0])
	last := t.board.base.last
	silent := t.out.silent
	for n := range r.rows {
		row := &r.rows[n]
		t.out.silent = row.silent
		pred := owned[n*width : (n+1)*width : (n+1)*width]
		class := t.learner.decide(pred)
		var frozen []float64
		if t.board.frozen != nil {
			frozen = t.board.frozen.predict(nil, &r.xs[n], &r.enc)
		}
		if t.phase == tidemill.Stream {
			t.nulls.add(tidemill.Stream, &r.xs[n])
		} else if t.spec.Snapshot == tidemill.SnapshotReplay && row.silent {
			// it will be learned with what is known of it by now
			t.nulls.add(tidemill.Snapshot, &r.xs[n])
		}
		t.counts.Asked++
		o := t.predicted(row, &r.xs[n], pred, class)
		if t.phase == tidemill.Stream && len(r.rows)-n <= latestMax {
			t.display.remember(&o, row, t.spec.Features)
		}
		switch row.how {
		case holdQuestion:
			t.out.emit(row.i, o)
			err := t.ledger.hold(&question{id: row.id, table: row.table.name, asked: row.at, weight: row.weight,
				class: class, pred: pred, base: r.base, last: last, frozen: frozen, x: r.xs[n]})
			if err != nil {
				return err
			}
		case predictOnly:
			t.out.emit(row.i, o)
			if t.board.scoresGroups() {
				t.board.update(t.phase, t.learner, pred, class, math.NaN(), row.weight, &r.xs[n],
					&others{nil, math.NaN(), nil}, true)
			}
		case scoreNow, evaluateNow, learnNow:
			o.Truth, o.Answered = row.truth, o.Asked
			t.out.emit(row.i, o)
			t.counts.Answered++
			t.board.delays.add(0)
			t.board.update(t.phase, t.learner, pred, class, row.y, row.weight, &r.xs[n],
				&others{r.base, last, frozen}, row.how == learnNow)
			if row.how != scoreNow {
				t.ledger.answered.set(row.id, noteOf(row.table.name, row.truth))
			}
			if row.how == learnNow {
				t.teach(&r.xs[n], row.y, true, row.weight)
			} else {
				t.counts.Evaluated++
			}
		}
	}
	t.out.silent = silent
	return nil
}

// predicted is what is said of a row that was asked about.
func (t *task) predicted(row *batchRow, x *tidemill.Vector, pred []float64, class int) tidemill.Output {
	t.display.names.note(x, row.c)
	t.display.example.note(row.c)
	label, score := t.learner.labelOf(pred, class)
	o := tidemill.Output{Kind: tidemill.Predicted, Change: row.c, Task: t.spec.Name, ID: row.id, Model: t.kind,
		Label: label, Score: score, Prediction: pred, Version: t.version(), Asked: clockTime(row.at),
		Position: t.out.locate(row.c)}
	if t.kind == tidemill.Classify {
		o.Labels = t.learner.classes.labels
	}
	return o
}

// flushLearns teaches rows as they are. In the snapshot, and in tasks that never ask, each
// is first predicted and scored.
func (t *task) flushLearns() {
	r := &t.batch
	score := (r.rows[0].has || t.board.scoresGroups()) && (t.phase == tidemill.Snapshot || !t.triggers.asks())
	for i := range r.rows {
		if t.phase == tidemill.Snapshot {
			t.nulls.add(tidemill.Snapshot, &r.xs[i])
		}
		t.display.names.note(&r.xs[i], r.rows[i].c)
	}
	t.display.example.note(r.rows[0].c)
	preds, width, ok := t.learner.teachAll(r.preds[:0], r.xs[:len(r.rows)], r.lessons(), score, &r.enc)
	r.preds = preds
	for n := range r.rows {
		row := &r.rows[n]
		if score && !row.scored {
			pred := preds[n*width : (n+1)*width]
			if !ok {
				r.preds = t.learner.predict(r.preds[:0], &r.xs[n], &r.enc)
				pred = r.preds
			}
			t.scoreLearned(pred, row, &r.xs[n])
		}
		if !ok {
			t.teach(&r.xs[n], row.y, row.has, row.weight)
			continue
		}
		if row.has {
			t.board.base.learn(row.y)
		}
		t.counts.Learned++
	}
}

// scoreLearned scores a row by what it would have been predicted just before it was learned.
func (t *task) scoreLearned(pred []float64, row *batchRow, x *tidemill.Vector) {
	r := &t.batch
	r.base = t.board.base.predict(r.base[:0])
	var frozen []float64
	if t.board.frozen != nil {
		frozen = t.board.frozen.predict(nil, x, &r.enc)
	}
	t.board.update(t.phase, t.learner, pred, t.learner.decide(pred), row.y, row.weight, x,
		&others{r.base, t.board.base.last, frozen}, true)
}

// relearn teaches the batch again in a later epoch: encoders only apply, nothing is counted or scored.
func (t *task) relearn() {
	r := &t.batch
	if len(r.rows) == 0 {
		return
	}
	if !t.learner.teachAllAgain(r.xs[:len(r.rows)], r.lessons(), &r.enc) {
		for n := range r.rows {
			row := &r.rows[n]
			var y [1]float64
			ys := y[:0]
			if row.has {
				ys = append(ys, row.y)
			}
			t.learner.teachAgain(&r.xs[n], ys, row.weight*t.board.rarity(row.y, row.has, t.spec), &r.enc)
		}
	}
	r.reset()
}
