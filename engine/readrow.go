package engine

import (
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// learnRead is the life of a snapshot row as it is read: where it has its answer it is learned.
func (t *task) learnRead(c *tidemill.Change, tt *boundTable, i int) error {
	s, err := tt.see(c)
	if err != nil {
		return err
	}
	at, err := t.snapshotTime(c, &s)
	if err != nil {
		return err
	}
	b := s.learn
	if b == nil {
		return nil
	}
	y, text, has, err := t.snapshotLabel(b, c)
	if err != nil || (b.label != nil && !has) {
		return err
	}
	if err := t.learnRow(&row{c: c, table: tt, i: i, at: at}, y, has); err != nil || !b.joins {
		return err
	}
	if id, ok := b.idOf(c.After); ok { // a change of its label will be a correction
		t.ledger.answered.set(id, noteOf(tt.name, text))
	}
	return nil
}

// snapshotTime is the time of a snapshot row that is learned, and moves the clock to the latest of the row's times: a
// row that waits for its answer tells how late it is as well as one that has it.
func (t *task) snapshotTime(c *tidemill.Change, s *sight) (at int64, err error) {
	at = commitMicros(c)
	for _, h := range []*boundOn{s.asks(), s.learn} {
		if h == nil {
			continue
		}
		at = commitMicros(c)
		if h.at >= 0 {
			v, ok := expr.Micros(c.After[h.at], h.on.Unix)
			if !ok {
				at = t.clock.now
				continue
			}
			at = v
		}
		if err := tooFar(c, at); err != nil {
			return at, err
		}
		if !t.clock.started {
			t.clock.started, t.clock.now, t.clock.start = true, at, at
		}
		if at > t.clock.now { // never in a later epoch, which reads rows without the lock that a change of the clock needs
			t.clock.now = at
		}
	}
	return at, nil
}

// snapshotLabel is the label of a row under one trigger, and its text; has is false while it is NULL.
func (t *task) snapshotLabel(b *boundOn, c *tidemill.Change) (y float64, text string, has bool, err error) {
	if b.label == nil {
		return math.NaN(), "", false, nil
	}
	lab := b.label.Eval(c.After)
	if !lab.Known() || lab.IsNull() {
		return 0, "", false, nil
	}
	y, text, err = t.truth(lab)
	return y, text, err == nil, err
}

// askRead is the life of a snapshot row when all are read: one that only evaluates is asked about and scored, one whose
// answer is still to come is asked about and held.
func (t *task) askRead(c *tidemill.Change, tt *boundTable, i int) error {
	s, err := tt.see(c)
	asks := s.asks()
	if err != nil || asks == nil {
		return err
	}
	var labels []*boundOn
	labels = append(append(labels, tt.learn...), tt.eval...)
	if len(labels) == 0 && !t.triggers.answerable() {
		return nil
	}
	at, timed := commitMicros(c), true
	if asks.at >= 0 {
		at, timed = expr.Micros(c.After[asks.at], asks.on.Unix)
	}
	if timed && tooFar(c, at) != nil {
		return nil // the first epoch rejected it
	}
	for _, b := range labels {
		if b.label == nil {
			return nil
		}
		lab := b.label.Eval(c.After)
		if !lab.Known() || lab.IsNull() {
			continue
		}
		if s.eval == nil || len(tt.learn) > 0 {
			return nil // learned in the first epoch
		}
		id, err := usable(asks, c, timed)
		if err != nil {
			return err
		}
		y, text, err := t.truth(lab)
		if err == nil {
			t.out.silent = true
			err = t.ask(&row{c: c, table: tt, i: i, at: at}, id, scoreNow, y, text)
			t.out.silent = false
		}
		return err
	}
	if timed && t.spec.Wait > 0 && at < t.clock.now-t.spec.Wait.Microseconds() {
		return nil
	}
	id, err := usable(asks, c, timed)
	if err == nil {
		err = t.ask(&row{c: c, table: tt, i: i, at: at}, id, holdQuestion, math.NaN(), "")
	}
	return err
}

// usable is the id of a row that is asked about; one without a time or an id is refused, as the stream does.
func usable(asks *boundOn, c *tidemill.Change, timed bool) (string, error) {
	if !timed {
		return "", errNoTime(asks, c.After)
	}
	id, ok := asks.idOf(c.After)
	if !ok {
		return "", errNoID(asks, c)
	}
	return id, nil
}
