package engine

import (
	"math"

	"github.com/tidemill/tidemill"
)

// runMax is how many asks or learns that follow one another are computed together.
const runMax = 256

// askHow says what becomes of an ask.
type askHow uint8

const (
	holdIt  askHow = iota // hold the question until its answer comes
	scoreIt               // the truth is known: score at once
	judgeIt               // the same, and another answer may come
	teachIt               // the truth is known: score, then learn
	tellIt                // nothing can answer it: predict only
)

// runRow is one ask or learn of a run.
type runRow struct {
	c      *tidemill.Change
	tt     *taskTable
	i      int
	id     string
	at     int64
	how    askHow
	has    bool
	y      float64
	truth  string
	weight float64
	mute   bool // its outputs are not told
	scored bool // of a learned row: it was scored when the same change asked about it
}

// run is asks, or learns, that follow one another with nothing between them that could change their result.
type run struct {
	rows   []runRow
	xs     []tidemill.Vector
	learn  bool
	first  int64 // no ask of the run is earlier
	enc    encoding
	taught []lesson
	preds  []float64
	base   []float64
}

func (r *run) reset() { r.rows, r.learn, r.first = r.rows[:0], false, math.MaxInt64 }

// slot is the vector of the next row, emptied.
func (r *run) slot() *tidemill.Vector {
	n := len(r.rows)
	if n == len(r.xs) {
		r.xs = append(r.xs, tidemill.Vector{})
	}
	r.xs[n].Reset()
	return &r.xs[n]
}

// lessons are the run's answers and weights.
func (r *run) lessons() []lesson {
	r.taught = r.taught[:0]
	for i := range r.rows {
		row := &r.rows[i]
		r.taught = append(r.taught, lesson{y: row.y, has: row.has, weight: row.weight})
	}
	return r.taught
}

// ask adds a question to the run.
func (t *taskState) ask(c *tidemill.Change, tt *taskTable, id string, at int64, i int, how askHow, y float64, truth string) error {
	if len(t.run.rows) > 0 && (t.run.learn || len(t.run.rows) >= runMax) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	x := t.run.slot()
	if err := t.vector(x, c, at); err != nil {
		return err
	}
	w, err := t.rowWeight(tt, c)
	if err != nil {
		return err
	}
	t.run.learn, t.run.first = false, min(t.run.first, at)
	t.run.rows = append(t.run.rows, runRow{c: c, tt: tt, i: i, id: id, at: at, how: how, y: y, truth: truth, weight: w, mute: t.mute})
	if how == teachIt {
		return t.flush()
	}
	return nil
}

// learnRow adds a row that is learned as it is to the run.
func (t *taskState) learnRow(c *tidemill.Change, tt *taskTable, at int64, y float64, has bool, i int) error {
	if len(t.run.rows) > 0 && (!t.run.learn || len(t.run.rows) >= runMax) {
		if err := t.flush(); err != nil {
			return err
		}
	}
	x := t.run.slot()
	if err := t.vector(x, c, at); err != nil {
		return err
	}
	w, err := t.rowWeight(tt, c)
	if err != nil {
		return err
	}
	t.run.learn = true
	t.run.rows = append(t.run.rows, runRow{c: c, tt: tt, i: i, at: at, y: y, has: has, weight: w})
	return nil
}

// flush computes the run.
func (t *taskState) flush() error {
	if len(t.run.rows) == 0 {
		return nil
	}
	var err error
	if t.run.learn {
		t.flushLearns()
	} else {
		err = t.flushAsks()
	}
	t.run.reset()
	return err
}

// flushAsks predicts, tells, and holds or scores.
func (t *taskState) flushAsks() error {
	r := &t.run
	var width int
	r.preds, width = t.learner.predictAll(r.preds[:0], r.xs[:len(r.rows)], &r.enc)
	owned := append([]float64(nil), r.preds...) // outputs keep it past the run
	r.base = t.base.predict(r.base[:0])
	last := t.base.last
	mute := t.mute
	for n := range r.rows {
		row := &r.rows[n]
		t.mute = row.mute
		pred := owned[n*width : (n+1)*width : (n+1)*width]
		class := t.learner.decide(pred)
		var frozen []float64
		if t.frozen != nil {
			frozen = t.frozen.predict(nil, &r.xs[n], &r.enc)
		}
		if t.phase == tidemill.Stream {
			t.countNulls(tidemill.Stream, &r.xs[n])
		} else if t.spec.Snapshot == tidemill.SnapshotReplay && row.mute { // it will be learned with what is known of it by now
			t.countNulls(tidemill.Snapshot, &r.xs[n])
		}
		t.names.note(&r.xs[n], row.c)
		t.example.note(row.c)
		t.counts.Asked++
		label, score := t.learner.labelOf(pred, class)
		o := tidemill.Output{Kind: tidemill.Predicted, Change: row.c, Task: t.spec.Name, ID: row.id, Model: t.kind, Label: label, Score: score,
			Prediction: pred, Version: t.version(), Asked: clockTime(row.at), Position: t.locate(row.c)}
		if t.kind == tidemill.Classify {
			o.Labels = t.learner.classes.labels
		}
		if len(r.rows)-n <= latestMax {
			t.remember(&o, row)
		}
		switch row.how {
		case holdIt:
			t.emit(row.i, o)
			err := t.hold(&question{id: row.id, table: row.tt.name, asked: row.at, weight: row.weight, class: class, pred: pred,
				base: r.base, last: last, frozen: frozen, x: r.xs[n]})
			if err != nil {
				return err
			}
		case tellIt:
			t.emit(row.i, o)
			if t.scoresGroups() {
				t.scoreAnswer(pred, class, math.NaN(), row.weight, &r.xs[n], &others{nil, math.NaN(), nil}, true)
			}
		case scoreIt, judgeIt, teachIt:
			o.Truth, o.Answered = row.truth, o.Asked
			t.emit(row.i, o)
			t.counts.Answered++
			t.delays.add(0)
			t.scoreAnswer(pred, class, row.y, row.weight, &r.xs[n], &others{r.base, last, frozen}, row.how == teachIt)
			if row.how != scoreIt {
				t.answered.set(row.id, noteOf(row.tt.name, row.truth))
			}
			if row.how == teachIt {
				t.teach(&r.xs[n], row.y, true, row.weight)
			} else {
				t.counts.Evaluated++
			}
		}
	}
	t.mute = mute
	return nil
}

// hold keeps a question; an open one of the same id is replaced.
func (t *taskState) hold(q *question) error {
	var old question
	ok, err := t.questions.take(q.id, &old)
	if err != nil {
		return err
	}
	if ok {
		t.counts.Replaced++
	}
	t.questions.put(q)
	return nil
}

// flushLearns teaches rows as they are. In the snapshot, and in tasks that never ask, each is first predicted and scored.
func (t *taskState) flushLearns() {
	r := &t.run
	score := (r.rows[0].has || t.scoresGroups()) && (t.phase == tidemill.Snapshot || len(t.predict)+len(t.eval) == 0)
	for i := range r.rows {
		if t.phase == tidemill.Snapshot {
			t.countNulls(tidemill.Snapshot, &r.xs[i])
		}
		t.names.note(&r.xs[i], r.rows[i].c)
	}
	t.example.note(r.rows[0].c)
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
			t.base.learn(row.y)
		}
		t.counts.Learned++
	}
}

// scoreLearned scores a row by what it would have been predicted just before it was learned.
func (t *taskState) scoreLearned(pred []float64, row *runRow, x *tidemill.Vector) {
	r := &t.run
	r.base = t.base.predict(r.base[:0])
	var frozen []float64
	if t.frozen != nil {
		frozen = t.frozen.predict(nil, x, &r.enc)
	}
	t.scoreAnswer(pred, t.learner.decide(pred), row.y, row.weight, x, &others{r.base, t.base.last, frozen}, true)
}

// relearn teaches the run again in a later epoch: encoders only apply, nothing is counted or scored.
func (t *taskState) relearn() {
	r := &t.run
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
			t.learner.teachAgain(&r.xs[n], ys, row.weight*t.rarity(row.y, row.has), &r.enc)
		}
	}
	r.reset()
}

// countNulls counts which raw columns are unknown, to find what is filled in later.
func (t *taskState) countNulls(p tidemill.Phase, x *tidemill.Vector) {
	t.nullsOf[p]++
	for i, v := range x.Dense {
		if v != v {
			t.nulls[p][i]++
		}
	}
}

// leaks names the columns whose share of NULL in the snapshot differs so much from that at the ask that they must be
// filled in later: what the model learned from the snapshot it will not have when it is asked.
func (t *taskState) leaks() []string {
	if t.nullsOf[tidemill.Snapshot] < 100 || t.nullsOf[tidemill.Stream] < 100 {
		return nil
	}
	var out []string
	for i := range t.raw {
		s := float64(t.nulls[tidemill.Snapshot][i]) / float64(t.nullsOf[tidemill.Snapshot])
		a := float64(t.nulls[tidemill.Stream][i]) / float64(t.nullsOf[tidemill.Stream])
		if math.Abs(s-a) > 0.5 {
			out = append(out, t.raw[i].Name+" is filled in later: a leak (NULL in "+percent(s)+" of the snapshot's rows, in "+percent(a)+" of those asked about); leave it out")
		}
	}
	return out
}

// latestMax is how many predictions are kept for people.
const latestMax = 24

// remember keeps a prediction for the dashboard, with its picture.
func (t *taskState) remember(o *tidemill.Output, row *runRow) {
	if t.phase != tidemill.Stream {
		return
	}
	l := LatestStatus{ID: o.ID, Label: o.Label, Score: figure(o.Score), Truth: row.truth, Version: o.Version.String(), Asked: o.Asked}
	if len(t.latest) == latestMax {
		copy(t.latest, t.latest[1:])
		t.latest = t.latest[:latestMax-1]
	}
	for _, f := range t.spec.Features {
		if p, ok := f.(tidemill.Pictured); ok {
			if pix, err := p.Pixels(nil, row.c); err == nil {
				l.Picture = pix
			}
			break
		}
	}
	t.latest = append(t.latest, l)
}
