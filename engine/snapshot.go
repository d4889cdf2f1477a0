package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tidemill/tidemill"
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

// snapshot reads the rows that are there when the flow begins: as they come, and then from the journal as often as the
// tasks ask for. The engine's goroutine alone.
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
					if err := t.triggers.lookAll(cs[:n]); err != nil {
						// what is wrong with a table is told now, not at its first change
						return err
					}
					continue
				}
				if err := t.apply(cs[:n]); err != nil {
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
		publishCopies(m.tasks, m.figures.through())
		m.out.gather(m.tasks)
		if err := m.send(ctx); err != nil {
			return err
		}
		cs = cs[n:]
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
	m.unlockState()
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
func (s *snapshot) closing(ctx context.Context, t *task) error {
	m := s.mill
	n := 0
	err := s.journal.scan(func(_ place, c *tidemill.Change) error {
		n++
		if n <= s.at {
			return nil
		}
		tt, err := t.triggers.look(c.Table)
		if err != nil {
			return err
		}
		asked := tt.holds() != nil
		if !asked && n%maxBatch != 0 {
			return nil
		}
		m.mu.Lock()
		if asked {
			err = t.applyOne(cloneChange(c), 0, t.askRead) // a run and its outputs keep the row past the scan
		}
		if err == nil && n%maxBatch == 0 {
			err = t.flush()
		}
		m.unlockState()
		if err != nil {
			return err
		}
		if n%maxBatch == 0 {
			s.at = n
			if err := t.ledger.questions.spill(); err != nil {
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
	m.unlockState()
	if err != nil {
		return err
	}
	s.at = n
	if err := t.ledger.questions.spill(); err != nil {
		return err
	}
	return s.pause(ctx)
}

// startOver empties everything after a snapshot that broke off. What the sinks have of it they give up, as after a
// crash: the next snapshot may tell other rows under the same ordinals.
func (s *snapshot) startOver(ctx context.Context) error {
	m := s.mill
	for _, b := range m.out.boxes {
		begun := tidemill.Mark{Term: m.term}
		select {
		case b.in <- outItem{resume: &tidemill.Resumption{Flow: m.flow.Name, Term: m.term, After: begun,
			Tasks: taskNames(m.tasks)}}:
		case err := <-m.out.failed:
			return err
		case <-ctx.Done(): // the next cycle ends the flow
		}
	}
	m.mu.Lock()
	defer m.unlockState()
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
		t.triggers.forget()
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
