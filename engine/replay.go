package engine

import (
	"context"
	"math"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// moment is one event of a replay: a row asked about, or answered.
type moment struct {
	at     int64
	row    place
	order  uint32 // of the row in the journal
	answer bool
}

// plan of a replay: its events, and what its rows will have learned of their answers when it is over.
type replayPlan struct {
	moments  []moment
	answered map[uint64]int64 // by the id's hash: when an answer from another table comes
	end      int64            // the latest time
	last     int64            // times beyond it are rejected
}

// reach notes a time of the flow's clock.
func (p *replayPlan) reach(at int64) {
	if at <= p.last {
		p.end = max(p.end, at)
	}
}

// over reports whether the question of a row is over when the replay is: then nothing of it is told.
func (p *replayPlan) over(t *task, asks *boundOn, c *tidemill.Change, asked int64) bool {
	if t.spec.Wait > 0 && asked < p.end-t.spec.Wait.Microseconds() {
		return true
	}
	id, ok := asks.idOf(c.After)
	if !ok || len(p.answered) == 0 {
		return false
	}
	at, ok := p.answered[tidemill.Hash(id)]
	return ok && at > asked
}

// replay asks and answers the snapshot's rows in the order of the flow's clock, each at its own time.
func (s *snapshot) replay(ctx context.Context, t *task) error {
	m := s.mill
	plan, err := s.moments(t)
	if err != nil {
		return err
	}
	moments := plan.moments
	tx := s.journal.tx()
	m.figures.beginPass(s.at, len(moments))
	for s.at < len(moments) {
		n := min(maxBatch, len(moments)-s.at)
		rows := make([]tidemill.Change, n)
		for k := range n {
			if _, err := s.journal.rowAt(moments[s.at+k].row, &rows[k], tx, nil); err != nil {
				return err
			}
		}
		m.mu.Lock()
		for k := range n {
			tt, err := t.triggers.look(rows[k].Table)
			if err == nil {
				err = t.replayed(plan, &rows[k], tt, moments[s.at+k].answer, k)
			}
			if err != nil {
				m.unlockState()
				return err
			}
		}
		err = t.flush()
		m.unlockState()
		if err != nil {
			return err
		}
		s.at += n
		if err := t.ledger.questions.spill(); err != nil {
			return err
		}
		if err := s.pause(ctx); err != nil {
			return err
		}
	}
	m.mu.Lock()
	t.learner.endEpoch(false)
	m.unlockState()
	return nil
}

// moments are the replay's events: by time, answers before asks of the same time, then in the order of reading.
func (s *snapshot) moments(t *task) (*replayPlan, error) {
	var out []moment
	plan := &replayPlan{answered: map[uint64]int64{}, end: math.MinInt64,
		last: (&tidemill.Change{Tx: s.journal.tx()}).Latest()}
	n := uint32(0)
	err := s.journal.scan(func(p place, c *tidemill.Change) error {
		n++
		tt, err := t.triggers.look(c.Table)
		if err != nil {
			return err
		}
		s, err := tt.see(c)
		if err != nil {
			return err
		}
		asks, by := s.asks(), s.learn
		if by == nil {
			by = s.eval
		}
		var asked int64
		if asks != nil {
			at, ok := expr.Micros(c.After[asks.at], asks.on.Unix)
			if !ok {
				out = append(out, moment{math.MaxInt64, p, n, false}) // it will be rejected, after all others
				return nil
			}
			asked = at
			plan.reach(at)
			out = append(out, moment{at, p, n, false})
		}
		if by == nil || by.label == nil || asks != nil && by.on.Op&tidemill.Update == 0 {
			return nil
		}
		if lab := by.label.Eval(c.After); !lab.Known() || lab.IsNull() {
			return nil
		}
		at, ok := expr.Micros(c.After[by.at], by.on.Unix)
		if !ok || asks != nil && at <= asked {
			return nil // asked and answered at once
		}
		plan.reach(at)
		if asks == nil {
			if id, ok := by.idOf(c.After); ok {
				h := tidemill.Hash(id)
				if was, again := plan.answered[h]; !again || at > was {
					plan.answered[h] = at
				}
			}
		}
		out = append(out, moment{at, p, n, true})
		return nil
	})
	slices.SortStableFunc(out, func(a, b moment) int {
		switch {
		case a.at != b.at:
			if a.at < b.at {
				return -1
			}
			return 1
		case a.answer != b.answer:
			if a.answer {
				return -1
			}
			return 1
		}
		return int(a.order) - int(b.order)
	})
	plan.moments = out
	return plan, err
}

// replayed is one event of a replay as the stream would have brought it: the INSERT without what was filled in later,
// then the UPDATE with it.
func (t *task) replayed(plan *replayPlan, c *tidemill.Change, tt *boundTable, answer bool, i int) error {
	full := c.After
	var blank []int
	known, atOnce := len(tt.learn)+len(tt.eval) > 0, false
	for _, b := range append(slices.Clone(tt.learn), tt.eval...) {
		if b.label == nil || b.on.Op&tidemill.Update == 0 {
			continue
		}
		for _, col := range b.trigger.label.Columns() {
			if k := c.Table.Col(col); k >= 0 {
				blank = append(blank, k)
			}
		}
		times := tt.askTimes()
		if b.at >= 0 && !slices.Contains(times, b.at) {
			blank = append(blank, b.at)
		}
		lab := b.label.Eval(full)
		known = known && lab.Known() && !lab.IsNull()
		answered, _ := expr.Micros(full[max(b.at, 0)], b.on.Unix)
		for _, k := range times {
			if asked, ok := expr.Micros(full[k], b.on.Unix); ok && known && answered <= asked {
				atOnce = true
			}
		}
	}
	first := slices.Clone(full)
	for _, k := range blank {
		first[k] = tidemill.Null()
	}
	t.out.silent = known
	s, err := tt.see(c)
	if err != nil {
		return err
	}
	if asks := s.asks(); asks != nil && !known && asks.at >= 0 {
		if asked, ok := expr.Micros(full[asks.at], asks.on.Unix); ok {
			t.out.silent = plan.over(t, asks, c, asked)
		}
	}
	defer func() { t.out.silent = false }()
	if !answer || len(tt.predict)+len(tt.eval) == 0 {
		in := *c
		in.Op = tidemill.Insert
		if len(tt.predict)+len(tt.eval) > 0 {
			in.After = first
		}
		if err := t.step(&in, tt, i); err != nil {
			return t.reject(err, &in, tt, i)
		}
		if !atOnce {
			return nil
		}
	}
	if len(tt.predict)+len(tt.eval) == 0 {
		return nil
	}
	up := *c
	up.Op, up.Before = tidemill.Update, first
	if err := t.step(&up, tt, i); err != nil {
		return t.reject(err, &up, tt, i)
	}
	return nil
}
