package engine

import (
	"fmt"
	"math/bits"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// timeFor is the change's own time on the task's clock: the column that `at:` names for what the change does, else the
// commit time. pr, ln and ev are the triggers that it meets, nil where there is none. ok is false where the column is NULL
// or unreadable; then at is the clock as it stands.
func (t *taskState) timeFor(tt *taskTable, c *tidemill.Change, pr, ln, ev *boundOn) (at int64, ok bool) {
	tc := &tt.times[bits.TrailingZeros16(uint16(c.Op))]
	if tc.mixed {
		if b := timedBy(c, pr, ln, ev); b != nil {
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
	return t.clock, false
}

// timedBy is the trigger whose `at:` is the time of a change: an answer has the time of the answer, an ask that of the ask. A row
// that is inserted with its label has that of the ask, as it is asked about first. nil where the change meets none.
func timedBy(c *tidemill.Change, pr, ln, ev *boundOn) *boundOn {
	asks := pr
	if asks == nil {
		asks = ev
	}
	by, _, known := labelled(ln, ev, c.Row())
	switch {
	case known && asks != nil && (c.Op == tidemill.Insert || by.at < 0):
		return asks
	case known:
		return by
	case asks != nil:
		return asks
	}
	return ln
}

func commitMicros(c *tidemill.Change) int64 {
	if c.Tx == nil {
		return 0
	}
	return c.Tx.Commit.UnixMicro()
}

// tick moves the clock to the time of a row that the task looks at, and lets questions expire. It never moves back: a
// late row is counted. A row more than a day beyond its commit time, or the time of reading where there is none, is refused.
func (t *taskState) tick(c *tidemill.Change, at int64, i int) error {
	if err := tooFar(c, at); err != nil {
		return err
	}
	if !t.started {
		t.started, t.clock, t.startAt = true, at, at
		return nil
	}
	if at < t.clock {
		t.counts.Late++
		return nil
	}
	if at == t.clock {
		return nil
	}
	t.clock = at
	if t.spec.Frozen > 0 && t.frozen == nil && at >= t.startAt+t.spec.Frozen.Microseconds() {
		if err := t.flush(); err != nil {
			return err
		}
		if err := t.freeze(); err != nil {
			return err
		}
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
	return &tidemill.RowError{Reason: fmt.Sprintf("its time %s is more than a day after %s at %s: it would close every window; correct the row or the column that `at:` names",
		clockTime(at).Format(time.RFC3339), since, known.UTC().Format(time.RFC3339))}
}

// expire answers or forgets the questions whose wait is over.
func (t *taskState) expire(c *tidemill.Change, i int) error {
	if t.spec.Wait <= 0 {
		return nil
	}
	limit := t.clock - t.spec.Wait.Microseconds()
	if limit <= t.questions.first && limit <= t.run.first {
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	due, err := t.questions.due(limit)
	if err != nil {
		return err
	}
	if t.phase == tidemill.Snapshot { // of a replay, only what stays open is told
		mute := t.mute
		t.mute = true
		defer func() { t.mute = mute }()
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
		if err := t.answer(q, y, text, q.asked+t.spec.Wait.Microseconds(), len(t.learn) > 0, c, i); err != nil {
			return err
		}
	}
	return nil
}

// freeze makes the baseline that has stopped learning.
func (t *taskState) freeze() (err error) {
	t.frozen, err = t.learner.frozen()
	return err
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
