package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqltable"
)

// Prepare implements sqltable.System.
func (t *table) Prepare(ctx context.Context) error {
	defer t.d.guard(ctx)()
	return explain(t.path, t.d.retry(ctx, t.prepare))
}

func (t *table) prepare() (err error) {
	t.finalize()
	t.looked = -1
	for _, st := range []struct {
		to  **stmt
		sql string
	}{
		{&t.upsert, t.statements.Upsert},
		{&t.move, fmt.Sprintf("UPDATE OR REPLACE main.%s SET id=? WHERE task=? AND id=?", quoting.Name(t.name))},
		{&t.schema, "PRAGMA main.schema_version"},
		{&t.mark, t.statements.SetMark},
	} {
		if *st.to, err = t.d.prepare(st.sql); err != nil {
			return err
		}
	}
	if t.truth {
		t.answer, err = t.d.prepare(t.statements.Truth)
	}
	return err
}

func (t *table) finalize() {
	for _, s := range []*stmt{t.upsert, t.answer, t.move, t.schema, t.mark} {
		s.close()
	}
	t.upsert, t.answer, t.move, t.schema, t.mark = nil, nil, nil, nil, nil
}

// Write implements sqltable.System. It is durable where it was asked to be: with a rollback journal it always is,
// but nothing hangs on that.
func (t *table) Write(ctx context.Context, b *sqltable.Batch) (durable bool, err error) {
	defer t.d.guard(ctx)()
	if b.Wait {
		if err := t.d.exec("PRAGMA synchronous=FULL"); err != nil {
			return false, t.explain(err)
		}
	}
	err = t.d.write(ctx, func() error {
		if err := t.rows(b); err != nil {
			return err
		}
		return t.setMark(b)
	})
	if b.Wait {
		err = errors.Join(err, t.d.exec("PRAGMA synchronous="+t.synchronous()))
	}
	return b.Wait, t.explain(err)
}

// setMark moves the mark, unless a higher term has taken the table.
func (t *table) setMark(b *sqltable.Batch) error {
	s := t.mark
	s.bindInt(1, int64(b.Mark.Term))
	s.bindInt(2, int64(b.Mark.Seq))
	s.bindText(3, b.Flow)
	s.bindText(4, b.Table)
	s.bindInt(5, int64(b.Mark.Term))
	if err := s.run(); err != nil {
		return err
	}
	if t.d.changes() == 0 {
		return sqltable.ErrMarkTaken
	}
	return nil
}

// rows writes outputs inside a transaction. Nobody sees the steps that a row takes there but a trigger.
func (t *table) rows(b *sqltable.Batch) error {
	watched, err := t.isWatched()
	if err != nil {
		return err
	}
	steps := b.Merged
	if watched {
		steps = b.Singly
	}
	for _, step := range steps() {
		switch {
		case step.Prediction != nil:
			err = t.predict(step.Prediction, step.Truth)
		case step.Truth != nil:
			err = t.tell(step.Truth)
		case step.Move != nil:
			err = t.moveRow(step.Move)
		}
		if err != nil {
			return refusal(step.Output(), err)
		}
	}
	return nil
}

// refusal is the error of a row that is refused. Others pass through.
func refusal(o *tidemill.Output, err error) error {
	switch codeOf(err) {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		return &sqltable.Refusal{Output: o, Err: err}
	}
	return err
}

// explain is the package's explain of what writing met: there a statement that cannot run any more, as its table
// has changed, is fatal.
func (t *table) explain(err error) error {
	if r := (*sqltable.Refusal)(nil); errors.As(err, &r) {
		return err
	}
	if codeOf(err) == sqlite3.SQLITE_ERROR && !tidemill.IsFatal(err) {
		return tidemill.Fatalf("sqlite: %s: table %s: %w; it, its triggers or %s have another shape "+
			"than predictions are written in: mend it, then start again", t.path, t.name, err, sqltable.MarksTable)
	}
	return explain(t.path, err)
}

// isWatched reports whether the table has triggers, which are to see each step. It looks again when the schema has
// changed.
func (t *table) isWatched() (bool, error) {
	ok, err := t.schema.step()
	version := int64(0)
	if ok {
		version = t.schema.int(0)
	}
	t.schema.reset()
	if err != nil || version == t.looked {
		return t.watched, err
	}
	n, err := t.d.one("SELECT count(*) FROM main.sqlite_schema WHERE type='trigger' AND tbl_name=? COLLATE NOCASE", t.name)
	if err == nil {
		t.watched, t.looked = n > 0, version
	}
	return t.watched, err
}

// predict writes the row of a prediction. A new question has no truth yet, unless its row brought it or another
// output tells it.
func (t *table) predict(o, truth *tidemill.Output) error {
	s := t.upsert
	s.bindText(1, o.Task)
	s.bindText(2, o.ID)
	if o.Label == "" && math.IsNaN(o.Score) {
		s.bindNull(3)
	} else {
		s.bindText(3, o.Label)
	}
	s.bindFloat(4, o.Score) // NaN is NULL to SQLite
	if t.scratch = sqltable.AppendProbabilities(t.scratch[:0], o); len(t.scratch) > 0 {
		s.bindTextBytes(5, t.scratch)
	} else {
		s.bindNull(5)
	}
	t.scratch = strconv.AppendUint(t.scratch[:0], uint64(o.Version.Start), 10)
	t.scratch = strconv.AppendUint(append(t.scratch, '.'), o.Version.Learned, 10)
	s.bindTextBytes(6, t.scratch)
	t.bindTime(s, 7, o.Asked)
	s.bindText(8, o.Position)
	switch {
	case !t.truth:
	case truth == nil:
		s.bindNull(9)
		s.bindNull(10)
	default:
		s.bindText(9, truth.Truth)
		t.bindTime(s, 10, truth.Answered)
	}
	return s.run()
}

// tell adds the truth to a row.
func (t *table) tell(o *tidemill.Output) error {
	s := t.answer
	s.bindText(1, o.Truth)
	t.bindTime(s, 2, o.Answered)
	s.bindText(3, o.Task)
	s.bindText(4, o.ID)
	return s.run()
}

// moveRow gives a row another key, in the place of the row that has it.
func (t *table) moveRow(o *tidemill.Output) error {
	s := t.move
	s.bindText(1, o.NewID)
	s.bindText(2, o.Task)
	s.bindText(3, o.ID)
	return s.run()
}

// bindTime binds a time as text of one length, which SQLite's date functions read and which sorts as times do.
func (t *table) bindTime(s *stmt, i int, at time.Time) {
	if at.IsZero() {
		s.bindNull(i)
		return
	}
	t.scratch = appendTime(t.scratch[:0], at)
	s.bindTextBytes(i, t.scratch)
}

// appendTime is t.UTC() by the layout 2006-01-02T15:04:05.000000Z, in a fifth of the time that a layout takes.
func appendTime(b []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 {
		return t.AppendFormat(b, "2006-01-02T15:04:05.000000Z")
	}
	hour, minute, second := t.Clock()
	two := func(n int, end byte) { b = append(b, byte('0'+n/10), byte('0'+n%10), end) }
	b = append(b, byte('0'+year/1000), byte('0'+year/100%10))
	two(year%100, '-')
	two(int(month), '-')
	two(day, 'T')
	two(hour, ':')
	two(minute, ':')
	two(second, '.')
	n := t.Nanosecond() / 1000
	return append(b, byte('0'+n/100000), byte('0'+n/10000%10), byte('0'+n/1000%10), byte('0'+n/100%10),
		byte('0'+n/10%10), byte('0'+n%10), 'Z')
}
