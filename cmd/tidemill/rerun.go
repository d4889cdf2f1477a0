package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/file"
	"github.com/tidemill/tidemill/expr"
)

// rerun is a source that plays the rows of a file back as a database would have seen them: an INSERT without what the
// answer tells, and later an UPDATE with it.
type rerun struct {
	rows   *file.Reader
	table  string // as the flow calls it
	schema string // of table, which a file does not have
	delay  int    // rows between a row and its answer; 0: by the times of both

	ask, answer timing        // with delay 0
	span        time.Duration // with delay 0: the answer comes so long after the ask; 0: by answer's column
	spanText    string
	by          string   // the column that --delay names
	labels      []string // expressions: one that is known is an answer
	blank       []string // columns that only the answer fills in

	read     int
	answers  int
	timeless int // with delay 0: rows left out, as their time cannot be read
}

// timing is a column that holds times.
type timing struct{ column, unix string }

func (s *rerun) Describe() string {
	return fmt.Sprintf("rerun of %s, delay %d", s.rows.Describe(), s.delay)
}

func (s *rerun) Release(context.Context, tidemill.Position) error { return nil }

// Locate is the row's place in the file.
func (s *rerun) Locate(c *tidemill.Change) string {
	if c.Tx == nil {
		return ""
	}
	return c.Tx.ID
}

// shape is what the rerun knows of the file's columns.
type rerunShape struct {
	from, table *tidemill.Table // the file's, and that with the flow's schema
	labels      []*expr.Bound
	blank       []int
	ask, answer int
}

func (s *rerun) bind(t *tidemill.Table) (*rerunShape, error) {
	at := func(name string) (int, error) {
		i := t.Col(name)
		if i < 0 && name == s.by {
			return 0, usage("--delay takes a number of rows, a time such as 90m, "+
				"or a column of the file, which has none that is called %q", name)
		}
		if i < 0 {
			return 0, usage("the file has no column %q, which the flow reads; rename it, or name columns that are there", name)
		}
		return i, nil
	}
	table := *t
	table.Schema = s.schema
	b := &rerunShape{from: t, table: &table}
	for _, text := range s.labels {
		e, err := expr.Parse(text)
		if err != nil {
			return nil, err
		}
		bound, err := e.Bind(t)
		if err != nil {
			return nil, usage("label %q: %v", text, err)
		}
		b.labels = append(b.labels, bound)
	}
	for _, name := range s.blank {
		i, err := at(name)
		if err != nil {
			return nil, err
		}
		b.blank = append(b.blank, i)
	}
	if s.delay == 0 {
		var err error
		if b.ask, err = at(s.ask.column); err != nil {
			return nil, err
		}
		if s.span == 0 {
			if b.answer, err = at(s.answer.column); err != nil {
				return nil, err
			}
		}
		for _, x := range []timing{s.ask, s.answer} {
			if i := t.Col(x.column); i >= 0 {
				if err := expr.CheckTime(&t.Columns[i], x.unix); err != nil {
					return nil, usage("the file's %v", err)
				}
			}
		}
	}
	return b, nil
}

// answered reports whether the row carries an answer.
func (b *rerunShape) answered(row []tidemill.Value) bool {
	for _, l := range b.labels {
		if v := l.Eval(row); v.Known() && !v.IsNull() {
			return true
		}
	}
	return false
}

// moment is an event of the rerun.
type moment struct {
	row    *tidemill.Change
	at     int64
	answer bool
}

// Changes implements tidemill.Source.
func (s *rerun) Changes(ctx context.Context, _ tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		if !yield(tidemill.Batch{Live: true, Upto: "0"}, nil) {
			return
		}
		p := &player{s: s, yield: yield}
		err := p.all(ctx)
		if err == nil && !p.left {
			p.flush(true)
		}
		if err != nil && !p.left {
			yield(tidemill.Batch{}, tidemill.Fatal(flagged(err)))
		}
	}
}

// player makes one pass of a rerun.
type player struct {
	s     *rerun
	yield func(tidemill.Batch, error) bool
	left  bool
	shape *rerunShape
	order uint64
	batch []tidemill.Change
}

func (p *player) all(ctx context.Context) error {
	s := p.s
	var open []moment // answers to come, oldest first; with delay 0 all events
	next := 0
	latest := time.Now().Add(24 * time.Hour).UnixMicro() // an ask beyond it will be rejected
	for b, err := range s.rows.Changes(ctx, "") {
		if err != nil {
			return err
		}
		for i := range b.Changes {
			c := &b.Changes[i]
			if p.shape == nil || p.shape.from != c.Table {
				if p.shape, err = s.bind(c.Table); err != nil {
					return err
				}
			}
			s.read++
			answered := p.shape.answered(c.After)
			if s.delay == 0 {
				at, ok := expr.Micros(c.After[p.shape.ask], s.ask.unix)
				if !ok {
					s.timeless++
					continue
				}
				open = append(open, moment{c, at, false})
				until, ok := at+s.span.Microseconds(), at <= latest
				if s.span == 0 {
					until, ok = expr.Micros(c.After[p.shape.answer], s.answer.unix)
				}
				if ok && answered {
					open = append(open, moment{c, max(at, until), true})
				}
				continue
			}
			for len(open)-next > 0 && s.read-int(open[next].at) >= s.delay {
				p.play(open[next])
				open[next].row = nil
				next++
			}
			if next > 4096 {
				open, next = append(open[:0], open[next:]...), 0
			}
			p.play(moment{c, int64(s.read), false})
			if answered {
				open = append(open, moment{c, int64(s.read), true})
			}
			if p.left {
				return nil
			}
		}
	}
	if s.delay == 0 {
		slices.SortStableFunc(open, compareMoments)
	}
	for _, m := range open[next:] {
		if p.left {
			return nil
		}
		p.play(m)
	}
	return nil
}

// compareMoments puts events in the order of their times, an ask after the answers of other rows that come at its time.
func compareMoments(a, b moment) int {
	if a.at != b.at {
		return cmp.Compare(a.at, b.at)
	}
	if a.answer != b.answer && a.row != b.row { // of one row the ask comes first
		if a.answer {
			return -1
		}
		return 1
	}
	return 0
}

// play gives one event.
func (p *player) play(m moment) {
	p.order++
	c := *m.row
	c.Op = tidemill.Insert
	tx := &tidemill.Tx{Order: p.order, ID: p.s.rows.Locate(m.row)}
	if c.Tx != nil {
		tx.Commit = c.Tx.Commit
	}
	c.Tx, c.N, c.Table = tx, 0, p.shape.table
	if len(p.shape.blank) > 0 {
		blank := slices.Clone(m.row.After)
		for _, i := range p.shape.blank {
			blank[i] = tidemill.Null()
		}
		if m.answer {
			c.Before = blank
		} else {
			c.After = blank
		}
	}
	if m.answer {
		if p.s.span > 0 {
			tx.Commit = time.UnixMicro(m.at).UTC()
		}
		c.Op = tidemill.Update
		p.s.answers++
	}
	p.batch = append(p.batch, c)
	if len(p.batch) == 4096 {
		p.flush(false)
	}
}

func (p *player) flush(last bool) {
	if p.left {
		return
	}
	p.left = !p.yield(tidemill.Batch{Changes: p.batch, Upto: tidemill.Position(strconv.FormatUint(p.order, 10)),
		Live: true, CaughtUp: last}, nil)
	p.batch = nil
}
