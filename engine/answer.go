package engine

import (
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
)

// row is a change on its way through a task.
type row struct {
	c     *tidemill.Change
	table *boundTable
	i     int // of the change in its slice: outputs leave in that order
	sight
	at    int64 // its own time on the task's clock
	timed bool  // false: the column that tells it is NULL or unreadable
}

// answerAndAsk is the part of a row's life in which it answers and asks.
func (t *task) answerAndAsk(r *row) error {
	asks := r.asks()
	if (asks != nil || r.known) && !r.timed {
		return errNoTime(r.timedBy(r.c), r.c.Row())
	}
	if err := t.tick(r.c, r.at, r.i); err != nil {
		return err
	}
	switch {
	case !r.known && r.by != nil:
		return t.labelNotSent(r)
	case r.learn != nil && r.learn.label == nil:
		return t.learnUnlabelled(r)
	case !r.known && asks == nil:
		return nil
	case !r.known:
		return t.askAndHold(r)
	case r.by.joins:
		return t.answerQuestion(r)
	case asks != nil && !r.by.teaches:
		return t.askAndScore(r)
	case !r.by.teaches:
		return nil
	}
	y, _, err := t.truth(r.label)
	if err != nil {
		return err
	}
	return t.learnRow(r, y, true)
}

// learnUnlabelled teaches a row to a model that needs no answer, after it was asked about.
func (t *task) learnUnlabelled(r *row) error {
	asked := r.asks() != nil
	if asked {
		ask := t.askAndHold
		if r.known {
			ask = t.askAndScore
		}
		if err := ask(r); err != nil {
			return err
		}
	}
	err := t.learnRow(r, math.NaN(), false)
	if err == nil && asked {
		t.batch.rows[len(t.batch.rows)-1].scored = true
	}
	return err
}

// labelNotSent is the life of an update whose label was not sent, because it did not change: it is not NULL, and it is
// nothing new. Where the row had its answer there is no more to do; where one is missing the row cannot be used.
func (t *task) labelNotSent(r *row) error {
	if !r.by.joins {
		return notSent("its label")
	}
	if err := t.flush(); err != nil {
		return err
	}
	id, ok := r.by.idOf(r.c.Row())
	if !ok {
		return errNoID(r.by, r.c)
	}
	open, err := t.ledger.questions.has(id)
	if err != nil {
		return err
	}
	if _, again := t.ledger.answered.find(id); again && !open {
		return nil
	}
	if open || r.asks() != nil {
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
		return &tidemill.RowError{Reason: fmt.Sprintf("its time %s is NULL: correct the row or the column that `at:` names",
			column)}
	}
	text := v.String()
	if v.Kind() == tidemill.KindBytes || len(text) > 100 {
		text = fmt.Sprintf("%d bytes", len(text))
	}
	_, number := v.Number()
	switch {
	case number && b.on.Unix == "" && v.Kind() != tidemill.KindBool:
		return &tidemill.RowError{Reason: fmt.Sprintf("its time %s is the number %s: say `unix: s` or `unix: ms` beside "+
			"`at:` if it counts from 1970, or correct the row", column, text)}
	case number && v.Kind() != tidemill.KindBool:
		return &tidemill.RowError{Reason: fmt.Sprintf("its time %s, %s, is out of range for `unix: %s`: correct the row, "+
			"or what `unix:` says", column, text, b.on.Unix)}
	case b.on.Unix != "":
		return &tidemill.RowError{Reason: fmt.Sprintf("its time %s, %q, is no number as `unix: %s` says: correct the row, "+
			"or leave `unix:` out if the column holds times or ISO text", column, text, b.on.Unix)}
	}
	return &tidemill.RowError{Reason: fmt.Sprintf("its time %s, %q, is no time such as 2013-01-31 05:15: correct the "+
		"row or the column that `at:` names", column, text)}
}

// errNoID refuses a row whose id is NULL, or was not sent.
func errNoID(b *boundOn, c *tidemill.Change) error {
	if b.id != nil && !b.id.Eval(c.Row()).Known() {
		return notSent("its id")
	}
	return &tidemill.RowError{Reason: "its id is NULL"}
}

// answerQuestion lets a row answer a question. The first answer scores and teaches, another one corrects; where there
// is no such question it is unasked, unless the same row asks it: then it is asked, scored and learned.
func (t *task) answerQuestion(r *row) error {
	id, ok := r.by.idOf(r.c.Row())
	if !ok {
		return errNoID(r.by, r.c)
	}
	own, asks := id, r.asks() // own is the id of the question that this row would ask
	if asks != nil {
		if own, ok = asks.idOf(r.c.Row()); !ok {
			return errNoID(asks, r.c)
		}
	}
	both := asks != nil && own == id
	if err := t.flush(); err != nil {
		return err
	}
	y, text, err := t.truth(r.label)
	if err != nil {
		return err
	}
	open, err := t.ledger.questions.take(id, &t.q)
	if err != nil {
		return err
	}
	old, again := t.ledger.answered.find(id)
	switch {
	case open:
		err = t.answer(&t.q, y, text, r.at, r.by.teaches, r.c, r.i)
	case again:
		t.correct(r, id, old, text)
	case both && !r.labelIsOld():
		how := evaluateNow
		if r.by.teaches {
			how = learnNow
		}
		return t.ask(r, id, how, y, text)
	default:
		t.counts.Unasked++
	}
	if err != nil || asks == nil || both {
		return err
	}
	return t.askAndHold(r)
}

// correct notes that a row has another answer than the one that was learned.
func (t *task) correct(r *row, id string, old note, text string) {
	now := noteOf(0, text)
	if old.sameLabel(now) {
		return
	}
	t.counts.Corrected++
	t.ledger.answered.set(id, old.corrected(now))
	t.out.emit(r.i, tidemill.Output{Kind: tidemill.Truth, Change: r.c, Task: t.spec.Name, ID: id,
		Model: t.kind, Truth: text, Answered: clockTime(r.at), Corrected: true, Position: t.out.locate(r.c)})
}

// labelIsOld reports that an update tells a label which the row had before, as far as the source says.
func (r *row) labelIsOld() bool {
	if r.c.Op != tidemill.Update || len(r.c.Before) == 0 {
		return false
	}
	label := r.by.label.Eval(r.c.Before)
	return label.Known() && !label.IsNull()
}

// askAndHold asks about a row whose answer is still to come.
func (t *task) askAndHold(r *row) error {
	id, ok := r.asks().idOf(r.c.Row())
	if !ok {
		return errNoID(r.asks(), r.c)
	}
	if t.spec.KeepFirst {
		if err := t.flush(); err != nil {
			return err
		}
		if open, err := t.ledger.questions.has(id); open || err != nil {
			return err // it is no new question: what is told stays what will be scored
		}
	}
	how := holdQuestion
	if !t.triggers.answerable() {
		how = predictOnly
	}
	return t.ask(r, id, how, math.NaN(), "")
}

// askAndScore asks about a row whose truth is there already, and scores at once.
func (t *task) askAndScore(r *row) error {
	id, ok := r.asks().idOf(r.c.Row())
	if !ok {
		return errNoID(r.asks(), r.c)
	}
	y, text, err := t.truth(r.label)
	if err != nil {
		return err
	}
	return t.ask(r, id, scoreNow, y, text)
}

// answer scores a held question and teaches its row.
func (t *task) answer(q *question, y float64, text string, at int64, teach bool, c *tidemill.Change, i int) error {
	t.counts.Answered++
	t.board.delays.add(at - q.asked)
	t.board.update(t.phase, t.learner, q.pred, q.class, y, q.weight, &q.x, &others{q.base, q.last, q.frozen}, teach)
	t.ledger.answered.set(q.id, noteOf(q.table, text))
	t.display.setTruth(q.id, text)
	t.out.emit(i, tidemill.Output{Kind: tidemill.Truth, Change: c, Task: t.spec.Name, ID: q.id, Model: t.kind, Truth: text,
		Answered: clockTime(at), Position: t.out.locate(c)})
	if !teach {
		t.counts.Evaluated++
		return nil
	}
	t.teach(&q.x, y, true, q.weight)
	return nil
}
