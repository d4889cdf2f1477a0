package engine

import (
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
)

// touch is the part of a change's life in which it answers and asks.
func (t *taskState) touch(c *tidemill.Change, tt *boundTable, s *sight, at int64, timed bool, i int) error {
	asks, by, known := s.asks(), s.by, s.known
	if (asks != nil || known) && !timed {
		return errNoTime(s.timedBy(c), c.Row())
	}
	if err := t.tick(c, at, i); err != nil {
		return err
	}
	if !known && by != nil {
		return t.unsent(by, asks, c)
	}
	if s.learn != nil && s.learn.label == nil { // a model that needs no answer
		if asks != nil {
			if err := t.askNow(c, tt, asks, at, i, s.label, known); err != nil {
				return err
			}
		}
		err := t.learnRow(c, tt, at, math.NaN(), false, i)
		if err == nil && asks != nil {
			t.run.rows[len(t.run.rows)-1].scored = true
		}
		return err
	}
	if !known {
		if asks == nil {
			return nil
		}
		return t.askHeld(c, tt, asks, at, i)
	}
	if !by.joins {
		if asks != nil && !by.teaches {
			return t.askNow(c, tt, asks, at, i, s.label, true)
		}
		if !by.teaches {
			return nil
		}
		y, _, err := t.truth(s.label)
		if err != nil {
			return err
		}
		return t.learnRow(c, tt, at, y, true, i)
	}
	id, ok := by.idOf(c.Row())
	if !ok {
		return errNoID(by, c)
	}
	own := id // of the question that this change would ask
	if asks != nil {
		if own, ok = asks.idOf(c.Row()); !ok {
			return errNoID(asks, c)
		}
	}
	both := asks != nil && own == id
	if done, err := t.settle(c, tt, by, id, s.label, at, i, both); err != nil {
		return err
	} else if both && !done {
		// One change asks and answers: ask, score, learn.
		how := judgeIt
		if by.teaches {
			how = teachIt
		}
		y, text, err := t.truth(s.label)
		if err != nil {
			return err
		}
		return t.ask(c, tt, id, at, i, how, y, text)
	}
	if asks != nil && !both {
		return t.askHeld(c, tt, asks, at, i)
	}
	return nil
}

// unsent is the life of an update whose label was not sent, because it did not change: it is not NULL, and it is nothing
// new. Where the row had its answer there is no more to do; where one is missing the row cannot be used.
func (t *taskState) unsent(by, asks *boundOn, c *tidemill.Change) error {
	if !by.joins {
		return notSent("its label")
	}
	if err := t.flush(); err != nil {
		return err
	}
	id, ok := by.idOf(c.Row())
	if !ok {
		return errNoID(by, c)
	}
	open, err := t.ledger.questions.has(id)
	if err != nil {
		return err
	}
	if _, again := t.ledger.answered.find(id); again && !open {
		return nil
	}
	if open || asks != nil {
		return notSent("its label")
	}
	t.counts.Unasked++
	return nil
}

// errNoTime refuses a row whose `at:` column, which b names, tells no time.
func errNoTime(b *boundOn, row []tidemill.Value) error {
	column := b.on.At
	if b.at >= len(row) || !row[b.at].Known() {
		return notSent("its time " + column)
	}
	v := row[b.at]
	if v.IsNull() {
		return &tidemill.RowError{Reason: fmt.Sprintf("its time %s is NULL: correct the row or the column that `at:` names", column)}
	}
	text := v.String()
	if v.Kind() == tidemill.KindBytes || len(text) > 100 {
		text = fmt.Sprintf("%d bytes", len(text))
	}
	_, number := v.Number()
	switch {
	case number && b.on.Unix == "" && v.Kind() != tidemill.KindBool:
		return &tidemill.RowError{Reason: fmt.Sprintf("its time %s is the number %s: say `unix: s` or `unix: ms` beside `at:` if it counts from 1970, or correct the row", column, text)}
	case number && v.Kind() != tidemill.KindBool:
		return &tidemill.RowError{Reason: fmt.Sprintf("its time %s, %s, is out of range for `unix: %s`: correct the row, or what `unix:` says", column, text, b.on.Unix)}
	case b.on.Unix != "":
		return &tidemill.RowError{Reason: fmt.Sprintf("its time %s, %q, is no number as `unix: %s` says: correct the row, or leave `unix:` out if the column holds times or ISO text", column, text, b.on.Unix)}
	}
	return &tidemill.RowError{Reason: fmt.Sprintf("its time %s, %q, is no time such as 2013-01-31 05:15: correct the row or the column that `at:` names", column, text)}
}

// errNoID refuses a row whose id is NULL, or was not sent.
func errNoID(b *boundOn, c *tidemill.Change) error {
	if b.id != nil && !b.id.Eval(c.Row()).Known() {
		return notSent("its id")
	}
	return &tidemill.RowError{Reason: "its id is NULL"}
}

// settle lets a change answer the question of id: the first answer scores and teaches, another one corrects. Where there
// is no such question it is unasked, unless the same change asks it (both); then done is false.
func (t *taskState) settle(c *tidemill.Change, tt *boundTable, by *boundOn, id string, lab tidemill.Value, at int64, i int, both bool) (done bool, err error) {
	if err := t.flush(); err != nil {
		return false, err
	}
	y, text, err := t.truth(lab)
	if err != nil {
		return false, err
	}
	found, err := t.ledger.questions.take(id, &t.q)
	if err != nil {
		return false, err
	}
	if found {
		return true, t.answer(&t.q, y, text, at, by.teaches, c, i)
	}
	if old, again := t.ledger.answered.find(id); again {
		now := noteOf(0, text)
		if old.sameLabel(now) {
			return true, nil
		}
		t.counts.Corrected++
		t.ledger.answered.set(id, old.corrected(now))
		t.out.emit(i, tidemill.Output{Kind: tidemill.Truth, Change: c, Task: t.spec.Name, ID: id, Model: t.kind, Truth: text, Answered: clockTime(at),
			Corrected: true, Position: t.out.locate(c)})
		return true, nil
	}
	if both && !oldNews(by, c) {
		return false, nil
	}
	t.counts.Unasked++
	return true, nil
}

// oldNews reports that an update tells a label which the row had before, as far as the source says.
func oldNews(by *boundOn, c *tidemill.Change) bool {
	if c.Op != tidemill.Update || len(c.Before) == 0 {
		return false
	}
	lab := by.label.Eval(c.Before)
	return lab.Known() && !lab.IsNull()
}

// askHeld asks about a row whose answer is still to come.
func (t *taskState) askHeld(c *tidemill.Change, tt *boundTable, asks *boundOn, at int64, i int) error {
	id, ok := asks.idOf(c.Row())
	if !ok {
		return errNoID(asks, c)
	}
	if t.spec.KeepFirst {
		if err := t.flush(); err != nil {
			return err
		}
		if open, err := t.ledger.questions.has(id); open || err != nil {
			return err // it is no new question: what is told stays what will be scored
		}
	}
	how := holdIt
	if !t.triggers.answerable() {
		how = tellIt
	}
	return t.ask(c, tt, id, at, i, how, math.NaN(), "")
}

// askNow asks and scores in one go, when the truth is there already, and holds the question otherwise.
func (t *taskState) askNow(c *tidemill.Change, tt *boundTable, asks *boundOn, at int64, i int, lab tidemill.Value, known bool) error {
	if !known {
		return t.askHeld(c, tt, asks, at, i)
	}
	id, ok := asks.idOf(c.Row())
	if !ok {
		return errNoID(asks, c)
	}
	y, text, err := t.truth(lab)
	if err != nil {
		return err
	}
	return t.ask(c, tt, id, at, i, scoreIt, y, text)
}

// answer scores a held question and teaches its row.
func (t *taskState) answer(q *question, y float64, text string, at int64, teach bool, c *tidemill.Change, i int) error {
	t.counts.Answered++
	t.board.delays.add(at - q.asked)
	t.board.update(t.phase, t.learner, q.pred, q.class, y, q.weight, &q.x, &others{q.base, q.last, q.frozen}, teach)
	t.ledger.answered.set(q.id, noteOf(q.table, text))
	t.display.tellTruth(q.id, text)
	t.out.emit(i, tidemill.Output{Kind: tidemill.Truth, Change: c, Task: t.spec.Name, ID: q.id, Model: t.kind, Truth: text, Answered: clockTime(at), Position: t.out.locate(c)})
	if !teach {
		t.counts.Evaluated++
		return nil
	}
	t.teach(&q.x, y, true, q.weight)
	return nil
}
