package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// pass is one reading of the journal for one task.
type pass struct {
	task  int
	kind  passKind
	epoch int
}

type passKind uint8

const (
	epochPass  passKind = iota // learn every row again, shuffled
	replayPass                 // ask and answer in the order of the clock
	closePass                  // evaluate what is labelled, ask about what is not
)

// snapshot reads the rows that are there when the flow begins: as they come, and then from the journal as often as the tasks ask
// for. The engine's goroutine alone.
type snapshot struct {
	mill    *Mill
	journal *journal
	passes  []pass     // over the journal
	no      int        // the pass that is under way
	at      int        // its rows, or moments, that are done
	initial [][][]byte // per task and feature: the state before the first change
}

// readRows takes snapshot rows as they are read: the first epoch.
func (s *snapshot) readRows(ctx context.Context, cs []tidemill.Change) error {
	m := s.mill
	if len(m.tasks) == 0 {
		m.out.pass(cs, m.locate)
		return m.send(ctx)
	}
	for len(cs) > 0 {
		n := min(m.slice, len(cs))
		err := m.locked(func() error {
			for _, t := range m.tasks {
				if t.spec.Snapshot != tidemill.SnapshotLearn {
					if err := t.lookAll(cs[:n]); err != nil { // what is wrong with a table is told now, not at its first change
						return err
					}
					continue
				}
				if err := t.firstEpoch(cs[:n]); err != nil {
					return err
				}
			}
			return nil
		}, n)
		if err != nil {
			return err
		}
		if s.journal == nil && s.needsJournal() {
			s.journal = newJournal(m.flow.Store, m.term)
		}
		if s.journal != nil {
			for i := range cs[:n] {
				if err := s.journal.append(&cs[i]); err != nil {
					return err
				}
			}
		}
		m.show()
		m.out.gather(m.tasks)
		if err := m.send(ctx); err != nil {
			return err
		}
		cs = cs[n:]
	}
	return nil
}

// lookAll looks at the tables of rows.
func (t *taskState) lookAll(cs []tidemill.Change) error {
	for i := range cs {
		if cs[i].Table != nil && cs[i].Table != t.lastTable {
			if _, err := t.look(cs[i].Table); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *snapshot) needsJournal() bool {
	m := s.mill
	for _, t := range m.tasks {
		if t.spec.Snapshot == tidemill.SnapshotReplay || t.spec.Snapshot == tidemill.SnapshotLearn {
			return true
		}
	}
	return false
}

// firstEpoch learns labelled snapshot rows as they come.
func (t *taskState) firstEpoch(cs []tidemill.Change) error {
	for i := range cs {
		c := &cs[i]
		tt, err := t.look(c.Table)
		if err != nil {
			return err
		}
		if err := t.firstEpochRow(c, tt, i); err != nil {
			if err := t.reject(err, c, tt, i); err != nil {
				return err
			}
		}
	}
	return t.flush()
}

func (t *taskState) firstEpochRow(c *tidemill.Change, tt *taskTable, i int) error {
	b := matchRow(tt.learn, c)
	at, err := t.snapshotTime(c, tt, b)
	if err != nil {
		return err
	}
	if b == nil {
		return nil
	}
	y, text, has, err := t.snapshotLabel(b, c)
	if err != nil || (b.label != nil && !has) {
		return err
	}
	if err := t.learnRow(c, tt, at, y, has, i); err != nil || !b.joins {
		return err
	}
	if id, ok := b.idOf(c.After); ok { // a change of its label will be a correction
		t.answered.set(id, noteOf(tt.name, text))
	}
	return nil
}

// snapshotTime is the time of a snapshot row that learns by b, and moves the clock to the latest of the row's times: a row
// that waits for its answer tells how late it is as well as one that has it.
func (t *taskState) snapshotTime(c *tidemill.Change, tt *taskTable, b *boundOn) (at int64, err error) {
	at = commitMicros(c)
	asks := matchRow(tt.predict, c)
	if asks == nil {
		asks = matchRow(tt.eval, c)
	}
	for _, h := range []*boundOn{asks, b} {
		if h == nil {
			continue
		}
		at = commitMicros(c)
		if h.at >= 0 {
			v, ok := expr.Micros(c.After[h.at], h.on.Unix)
			if !ok {
				at = t.clock
				continue
			}
			at = v
		}
		if err := tooFar(c, at); err != nil {
			return at, err
		}
		if !t.started {
			t.started, t.clock, t.startAt = true, at, at
		}
		if at > t.clock { // never in a later epoch, which reads rows without the lock that a change of the clock needs
			t.clock = at
		}
	}
	return at, nil
}

// snapshotLabel is the label of a row under one trigger, and its text; has is false while it is NULL.
func (t *taskState) snapshotLabel(b *boundOn, c *tidemill.Change) (y float64, text string, has bool, err error) {
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

// endSnapshot makes the journal durable, plans the passes that are left, and runs them.
func (s *snapshot) end(ctx context.Context) error {
	m := s.mill
	if s.journal != nil {
		if err := s.journal.finish(); err != nil {
			return err
		}
	}
	m.live = true
	s.passes, s.no, s.at = s.plan(), 0, 0
	m.mu.Lock()
	for _, t := range m.tasks {
		if t.spec.Snapshot == tidemill.SnapshotLearn {
			t.learner.endEpoch(t.spec.Epochs > 1)
		} else if t.spec.Snapshot == tidemill.SnapshotSkip {
			t.learner.endEpoch(false)
			t.phase = tidemill.Stream
		}
	}
	m.free()
	m.figures.mu.Lock()
	m.figures.snapshot.Seconds = time.Since(m.start).Seconds()
	m.figures.mu.Unlock()
	if len(m.tasks) > 0 && m.clean {
		m.ckpt.nextAt = time.Now() // what was read is kept at once: nothing is read twice
		if err := m.maybeCheckpoint(ctx); err != nil {
			return err
		}
	}
	return s.run(ctx)
}

func (s *snapshot) plan() []pass {
	m := s.mill
	if s.journal == nil {
		return nil
	}
	var ps []pass
	for i, t := range m.tasks {
		switch t.spec.Snapshot {
		case tidemill.SnapshotLearn:
			for e := 2; e <= t.spec.Epochs; e++ {
				ps = append(ps, pass{i, epochPass, e})
			}
			ps = append(ps, pass{i, closePass, 0})
		case tidemill.SnapshotReplay:
			ps = append(ps, pass{i, replayPass, 0})
		}
	}
	return ps
}

// closing scores the snapshot's rows that evaluate, and asks about those whose answer is still to come.
func (s *snapshot) closing(ctx context.Context, t *taskState) error {
	m := s.mill
	n := 0
	err := s.journal.scan(func(_ place, c *tidemill.Change) error {
		n++
		if n <= s.at {
			return nil
		}
		tt, err := t.look(c.Table)
		if err != nil {
			return err
		}
		asked := matchRow(tt.predict, c) != nil || matchRow(tt.eval, c) != nil
		if !asked && n%runMax != 0 {
			return nil
		}
		m.mu.Lock()
		if asked {
			err = t.closeRow(cloneChange(c), tt) // a run and its outputs keep the row past the scan
		}
		if err == nil && n%runMax == 0 {
			err = t.flush()
		}
		m.free()
		if err != nil {
			return err
		}
		if n%runMax == 0 {
			s.at = n
			if err := t.questions.spill(); err != nil {
				return err
			}
			return s.pause(ctx)
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	err = t.flush()
	m.free()
	if err != nil {
		return err
	}
	s.at = n
	if err := t.questions.spill(); err != nil {
		return err
	}
	return s.pause(ctx)
}

func (t *taskState) closeRow(c *tidemill.Change, tt *taskTable) error {
	asks := matchRow(tt.predict, c)
	ev := matchRow(tt.eval, c)
	if asks == nil {
		asks = ev
	}
	if asks == nil {
		return nil
	}
	var labels []*boundOn
	labels = append(append(labels, tt.learn...), tt.eval...)
	if len(labels) == 0 && !t.answerable() {
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
		if ev == nil || len(tt.learn) > 0 {
			return nil // learned in the first epoch
		}
		id, err := usable(asks, c, timed)
		if err != nil {
			return t.closeError(err, c, tt)
		}
		y, text, err := t.truth(lab)
		if err == nil {
			t.mute = true
			err = t.ask(c, tt, id, at, 0, scoreIt, y, text)
			t.mute = false
		}
		return t.closeError(err, c, tt)
	}
	if timed && t.spec.Wait > 0 && at < t.clock-t.spec.Wait.Microseconds() {
		return nil
	}
	id, err := usable(asks, c, timed)
	if err == nil {
		err = t.ask(c, tt, id, at, 0, holdIt, math.NaN(), "")
	}
	return t.closeError(err, c, tt)
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

func (t *taskState) closeError(err error, c *tidemill.Change, tt *taskTable) error {
	if err == nil {
		return nil
	}
	return t.reject(err, c, tt, 0)
}

// startOver empties everything after a snapshot that broke off. What the sinks have of it they give up, as after a crash:
// the next snapshot may tell other rows under the same ordinals.
func (s *snapshot) startOver(ctx context.Context) error {
	m := s.mill
	for _, b := range m.out.boxes {
		begun := tidemill.Mark{Term: m.term}
		select {
		case b.in <- outItem{again: &tidemill.Resumption{Flow: m.flow.Name, Term: m.term, After: begun, Tasks: m.taskNames()}}:
		case err := <-m.out.failed:
			return err
		case <-ctx.Done(): // the next cycle ends the flow
		}
	}
	m.mu.Lock()
	defer m.free()
	if s.journal != nil {
		s.journal.discard()
		s.journal = nil
	}
	for i, t := range m.tasks {
		for j, f := range t.spec.Features {
			if err := f.UnmarshalBinary(s.initial[i][j]); err != nil {
				return fmt.Errorf("task %s: feature %s: %w", t.spec.Name, describe(f), err)
			}
		}
		t.tables, t.lastTable, t.lastBound = map[*tidemill.Table]*taskTable{}, nil, nil
		if err := t.build(); err != nil {
			return err
		}
	}
	m.upto, m.clean, m.live, m.out.seq = "", false, false, 0
	m.figures.mu.Lock()
	m.figures.snapshot = PhaseStatus{}
	m.figures.mu.Unlock()
	return nil
}

// cloneChange is the change with values of its own.
func cloneChange(c *tidemill.Change) *tidemill.Change {
	d := *c
	d.After = slices.Clone(c.After)
	for i, v := range d.After {
		d.After[i] = v.Clone()
	}
	d.Before = slices.Clone(c.Before)
	for i, v := range d.Before {
		d.Before[i] = v.Clone()
	}
	return &d
}
