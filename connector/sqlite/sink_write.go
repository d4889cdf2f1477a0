package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/jsontext"
)

// writeChunk is how many outputs one transaction takes at most, so that other writers of the file get their turn.
const writeChunk = 4096

// In a flood, writes of floodOutputs and more, transactions begin floodWait apart: neighbouring rows and truths share them,
// pages are written once instead of several times, and other writers of the file find its lock free.
const (
	floodOutputs = 256
	floodWait    = 20 * time.Millisecond
)

// Gather implements tidemill.Gatherer.
func (p *Predictions) Gather() (flood int, wait time.Duration) { return floodOutputs, floodWait }

// errNotResumed is what a call before Resume, or after a failed one, gives.
var errNotResumed = errors.New("sqlite: the sink is not open: Resume comes first")

func (p *Predictions) prepare() (err error) {
	p.finalize()
	p.looked = -1
	t := "main." + quote(p.name)
	var names, marks, sets []string
	for _, c := range sinkColumns {
		switch {
		case c.truth && !p.truth:
		default:
			names, marks = append(names, c.name), append(marks, "?")
			if c.name != "task" && c.name != "id" {
				sets = append(sets, c.name+"=excluded."+c.name)
			}
		}
	}
	for _, st := range []struct {
		to  **stmt
		sql string
	}{
		{&p.upsert, fmt.Sprintf("INSERT INTO %s(%s) VALUES(%s) ON CONFLICT(task, id) DO UPDATE SET %s", t,
			strings.Join(names, ", "), strings.Join(marks, ", "), strings.Join(sets, ", "))},
		{&p.move, fmt.Sprintf("UPDATE OR REPLACE %s SET id=? WHERE task=? AND id=?", t)},
		{&p.schema, "PRAGMA main.schema_version"},
		{&p.commit, "UPDATE main." + marksTable + " SET seq=? WHERE flow=? AND target=? AND term=?"},
	} {
		if *st.to, err = p.d.prepare(st.sql); err != nil {
			return err
		}
	}
	if p.truth {
		p.answer, err = p.d.prepare(fmt.Sprintf("UPDATE %s SET truth=?, answered_at=? WHERE task=? AND id=?", t))
	}
	return err
}

// Write commits the outputs with their mark, some thousands in one transaction.
func (p *Predictions) Write(ctx context.Context, out []tidemill.Output) error {
	if p.d == nil {
		return errNotResumed
	}
	defer p.d.guard(ctx)()
	for len(out) > 0 {
		n := min(len(out), writeChunk)
		seq := out[n-1].Seq
		err := p.d.write(ctx, func() error {
			if err := p.rows(p.news(out[:n])); err != nil {
				return err
			}
			return p.setMark(seq)
		})
		if err != nil {
			return p.explain(err)
		}
		p.mark.Seq, p.flushed = seq, false
		out = out[n:]
	}
	return nil
}

// news are the outputs that the table does not have. A replay of those that it has would move rows again that have moved.
func (p *Predictions) news(out []tidemill.Output) []tidemill.Output {
	for len(out) > 0 && out[0].Seq <= p.there {
		out = out[1:]
	}
	return out
}

// setMark moves the mark, never back behind what the table has, unless a higher term has taken the table.
func (p *Predictions) setMark(seq uint64) error {
	s := p.commit
	s.bindInt(1, int64(max(seq, p.there)))
	s.bindText(2, p.flow)
	s.bindText(3, p.target())
	s.bindInt(4, int64(p.mark.Term))
	if err := s.run(); err != nil {
		return err
	}
	if p.d.changes() == 0 {
		return fmt.Errorf("sqlite: %s: table %s, term %d of flow %s: %w", p.path, p.name, p.mark.Term, p.flow, tidemill.ErrFenced)
	}
	return nil
}

// rows writes outputs inside a transaction.
func (p *Predictions) rows(out []tidemill.Output) error {
	watched, err := p.isWatched()
	if err != nil {
		return err
	}
	if watched || !p.truth {
		for i := range out {
			if err := p.row(&out[i], &out[i]); err != nil {
				return p.refused(&out[i], err)
			}
		}
		return nil
	}
	for i, truth := range p.merger.merge(out) {
		switch {
		case truth == asItIs:
			err = p.row(&out[i], &out[i])
		case truth >= 0:
			err = p.row(&out[i], &out[truth])
		}
		if err != nil {
			return p.refused(&out[i], err)
		}
	}
	return nil
}

// refused stops the flow with the row that the table, or a trigger of it, does not take, however often it is tried. Other
// errors pass through.
func (p *Predictions) refused(o *tidemill.Output, err error) error {
	switch codeOf(err) {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG:
		row := fmt.Sprintf("task %s, id %s", o.Task, o.ID)
		if o.Kind == tidemill.Retracted {
			row += ", as id " + o.NewID
		}
		return tidemill.Fatalf("sqlite: %s: table %s does not take the row of %s: %w; change the constraint, column or trigger that refuses it, then start again",
			p.path, p.name, row, err)
	}
	return err
}

// explain is the package's explain of what writing met: there a statement that cannot run any more, as its table has changed,
// is fatal.
func (p *Predictions) explain(err error) error {
	if codeOf(err) == sqlite3.SQLITE_ERROR && !tidemill.IsFatal(err) {
		return tidemill.Fatalf("sqlite: %s: table %s: %w; it, its triggers or %s have another shape than predictions are written in: mend it, then start again",
			p.path, p.name, err, marksTable)
	}
	return explain(p.path, err)
}

// isWatched reports whether the table has triggers, which are to see each step. It looks again when the schema has changed.
func (p *Predictions) isWatched() (bool, error) {
	ok, err := p.schema.step()
	version := int64(0)
	if ok {
		version = p.schema.int(0)
	}
	p.schema.reset()
	if err != nil || version == p.looked {
		return p.watched, err
	}
	n, err := p.d.one("SELECT count(*) FROM main.sqlite_schema WHERE type='trigger' AND tbl_name=? COLLATE NOCASE", p.name)
	if err == nil {
		p.watched, p.looked = n > 0, version
	}
	return p.watched, err
}

// row writes one output. The truth of a prediction is taken from another output where that tells it.
func (p *Predictions) row(o, truth *tidemill.Output) error {
	switch o.Kind {
	case tidemill.Predicted:
		s := p.upsert
		s.bindText(1, o.Task)
		s.bindText(2, o.ID)
		if o.Label == "" && math.IsNaN(o.Score) {
			s.bindNull(3)
		} else {
			s.bindText(3, o.Label)
		}
		s.bindFloat(4, o.Score) // NaN is NULL to SQLite
		if p.scratch = appendProbabilities(p.scratch[:0], o); len(p.scratch) > 0 {
			s.bindTextBytes(5, p.scratch)
		} else {
			s.bindNull(5)
		}
		p.scratch = strconv.AppendUint(p.scratch[:0], uint64(o.Version.Start), 10)
		p.scratch = strconv.AppendUint(append(p.scratch, '.'), o.Version.Learned, 10)
		s.bindTextBytes(6, p.scratch)
		p.bindTime(s, 7, o.Asked)
		s.bindText(8, o.Position)
		if p.truth { // a new question has no answer yet, unless its row brought it
			if truth == o && o.Truth == "" {
				s.bindNull(9)
			} else {
				s.bindText(9, truth.Truth)
			}
			p.bindTime(s, 10, truth.Answered)
		}
		return s.run()
	case tidemill.Truth:
		if p.answer == nil {
			return nil
		}
		s := p.answer
		s.bindText(1, o.Truth)
		p.bindTime(s, 2, o.Answered)
		s.bindText(3, o.Task)
		s.bindText(4, o.ID)
		return s.run()
	case tidemill.Retracted:
		s := p.move
		s.bindText(1, o.NewID)
		s.bindText(2, o.Task)
		s.bindText(3, o.ID)
		return s.run()
	}
	return nil
}

// bindTime binds a time as text of one length, which SQLite's date functions read and which sorts as times do.
func (p *Predictions) bindTime(s *stmt, i int, t time.Time) {
	if t.IsZero() {
		s.bindNull(i)
		return
	}
	p.scratch = appendTime(p.scratch[:0], t)
	s.bindTextBytes(i, p.scratch)
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
	return append(b, byte('0'+n/100000), byte('0'+n/10000%10), byte('0'+n/1000%10), byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10), 'Z')
}

// appendProbabilities appends the prediction as JSON: an object by class for a classifier, else an array where there are
// several numbers. Nothing where the score says it all. JSON has no NaN and no infinities: null.
func appendProbabilities(b []byte, o *tidemill.Output) []byte {
	switch {
	case o.Labels != nil:
		return jsontext.Plain.AppendProbabilities(b, o.Labels, o.Prediction)
	case len(o.Prediction) < 2:
		return b
	}
	return jsontext.Plain.AppendNumbers(b, o.Prediction)
}

// Flush makes all that was written durable. In WAL mode commits are not synced one by one; one small commit with a sync
// makes the WAL durable up to there.
func (p *Predictions) Flush(ctx context.Context) (tidemill.Mark, error) {
	if p.d == nil {
		return tidemill.Mark{}, errNotResumed
	}
	// The connection would go on writing to a file that another one was moved over.
	if now, err := os.Stat(p.path); err != nil || !os.SameFile(now, p.file) {
		return tidemill.Mark{}, tidemill.Fatalf("sqlite: %s: the file was replaced or removed while the flow wrote to it", p.path)
	}
	if p.flushed {
		return p.mark, nil
	}
	defer p.d.guard(ctx)()
	if err := p.sync(ctx); err != nil {
		return tidemill.Mark{}, p.explain(err)
	}
	p.flushed = true
	return p.mark, nil
}

func (p *Predictions) sync(ctx context.Context) error {
	if err := p.d.exec("PRAGMA synchronous=FULL"); err != nil {
		return err
	}
	err := p.d.write(ctx, func() error { return p.setMark(p.mark.Seq) })
	return errors.Join(err, p.d.exec("PRAGMA synchronous="+p.synchronous()))
}

// Close lets go of the file.
func (p *Predictions) Close() error {
	p.finalize()
	d := p.d
	p.d = nil
	return d.close()
}

func (p *Predictions) finalize() {
	for _, s := range []*stmt{p.upsert, p.answer, p.move, p.schema, p.commit} {
		s.close()
	}
	p.upsert, p.answer, p.move, p.schema, p.commit = nil, nil, nil, nil, nil
}
