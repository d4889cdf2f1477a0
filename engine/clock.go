package engine

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// clock is a task's time: the data's, never the wall's. It never runs backwards.
type clock struct {
	now     int64 // microseconds since 1970
	started bool  // a row has told a time
	start   int64 // the first one
}

// timeFor is the change's own time on the task's clock: the column that `at:` names for what the change does, else the
// commit time. ok is false where the column is NULL
// or unreadable; then at is the clock as it stands.
func (t *task) timeFor(tt *boundTable, c *tidemill.Change, s *sight) (at int64, ok bool) {
	tc := &tt.times[bits.TrailingZeros16(uint16(c.Op))]
	if tc.mixed {
		if b := s.timedBy(c); b != nil {
			tc = &timeColumn{col: b.at, unix: b.on.Unix}
		}
	}
	if tc.col < 0 {
		return commitMicros(c), true
	}
	row := c.Row()
	if tc.col < len(row) {
		if at, ok = expr.Micros(row[tc.col], tc.unix); ok {
			return at, true
		}
	}
	return t.clock.now, false
}

// timedBy is the trigger whose `at:` is the time of a change: an answer has the time of the answer, an ask that of the
// ask. A row that is inserted with its label has that of the ask, as it is asked about first. nil
// where the change meets none.
func (s *sight) timedBy(c *tidemill.Change) *boundOn {
	asks := s.asks()
	switch {
	case s.known && asks != nil && (c.Op == tidemill.Insert || s.by.at < 0):
		return asks
	case s.known:
		return s.by
	case asks != nil:
		return asks
	}
	return s.learn
}

func commitMicros(c *tidemill.Change) int64 {
	if c.Tx == nil {
		return 0
	}
	return c.Tx.Commit.UnixMicro()
}

// tick moves the clock to the time of a row that the task looks at, and lets questions expire. It never moves back: a
// late row is counted. A row more than a day beyond its commit time, or the time of reading
// where there is none, is refused.
func (t *task) tick(c *tidemill.Change, at int64, i int) error {
	if err := tooFar(c, at); err != nil {
		return err
	}
	if !t.clock.started {
		t.clock.started, t.clock.now, t.clock.start = true, at, at
		return nil
	}
	if at < t.clock.now {
		t.counts.Late++
		return nil
	}
	if at == t.clock.now {
		return nil
	}
	t.clock.now = at
	if t.spec.Frozen > 0 && t.board.frozen == nil && at >= t.clock.start+t.spec.Frozen.Microseconds() {
		if err := t.flush(); err != nil {
			return err
		}
		frozen, err := t.learner.frozen()
		if err != nil {
			return err
		}
		t.board.frozen = frozen
	}
	return t.expire(c, i)
}

// tooFar refuses a time of a row that is beyond what it can truly tell.
func tooFar(c *tidemill.Change, at int64) error {
	if at <= c.Latest() {
		return nil
	}
	since, known := "its commit", c.Tx.Commit
	if known.IsZero() {
		since, known = "it was read", c.Tx.Read
	}
	return &tidemill.RowError{Reason: fmt.Sprintf("its time %s is more than a day after %s at %s: it would close every "+
		"window; correct the row or the column that `at:` names",
		clockTime(at).Format(time.RFC3339), since, known.UTC().Format(time.RFC3339))}
}

// expire answers or forgets the questions whose wait is over.
func (t *task) expire(c *tidemill.Change, i int) error {
	if t.spec.Wait <= 0 {
		return nil
	}
	limit := t.clock.now - t.spec.Wait.Microseconds()
	if limit <= t.ledger.questions.first && limit <= t.batch.first {
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	due, err := t.ledger.questions.due(limit)
	if err != nil {
		return err
	}
	if t.phase == tidemill.Snapshot { // of a replay, only what stays open is told
		mute := t.out.silent
		t.out.silent = true
		defer func() { t.out.silent = mute }()
	}
	for _, q := range due {
		t.counts.Expired++
		if t.spec.Then == "" {
			continue
		}
		y, text, err := t.truth(tidemill.Text(t.spec.Then))
		if err != nil {
			return err
		}
		if err := t.answer(q, y, text, q.asked+t.spec.Wait.Microseconds(), len(t.triggers.learn) > 0, c, i); err != nil {
			return err
		}
	}
	return nil
}

// clockTime is the wall form of the flow's clock.
func clockTime(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// stampRead notes on changes whose source tells no commit time when they were read.
func stampRead(cs []tidemill.Change, read time.Time) {
	var last *tidemill.Tx
	for i := range cs {
		tx := cs[i].Tx
		if tx == nil || tx == last {
			continue
		}
		if last = tx; tx.Commit.IsZero() && tx.Read.IsZero() {
			tx.Read = read
		}
	}
}
