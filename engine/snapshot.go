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

// readRows takes snapshot rows as they are read: the first epoch.
func (m *Mill) readRows(ctx context.Context, cs []tidemill.Change) error {
	if len(m.tasks) == 0 {
		m.pass(cs)
		return m.send(ctx)
	}
	for len(cs) > 0 {
		n := min(m.slice, len(cs))
		err := m.locked(func() error {
			for _, t := range m.tasks {
				if t.spec.Snapshot != tidemill.SnapshotLearn {
					if err := t.triggers.lookAll(cs[:n]); err != nil { // what is wrong with a table is told now, not at its first change
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
		if m.journal == nil && m.needsJournal() {
			m.journal = newJournal(m.flow.Store, m.term)
		}
		if m.journal != nil {
			for i := range cs[:n] {
				if err := m.journal.append(&cs[i]); err != nil {
					return err
				}
			}
		}
		m.show()
		m.gather()
		if err := m.send(ctx); err != nil {
			return err
		}
		cs = cs[n:]
	}
	return nil
}

func (m *Mill) needsJournal() bool {
	for _, t := range m.tasks {
		if t.spec.Snapshot == tidemill.SnapshotReplay || t.spec.Snapshot == tidemill.SnapshotLearn {
			return true
		}
	}
	return false
}

// endSnapshot makes the journal durable, plans the passes that are left, and runs them.
func (m *Mill) endSnapshot(ctx context.Context) error {
	if m.journal != nil {
		if err := m.journal.finish(); err != nil {
			return err
		}
	}
	m.live = true
	m.passes, m.passNo, m.passAt = m.plan(), 0, 0
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
	m.sm.Lock()
	m.stats.snapshot.Seconds = time.Since(m.start).Seconds()
	m.sm.Unlock()
	if len(m.tasks) > 0 && m.clean {
		m.nextAt = time.Now() // what was read is kept at once: nothing is read twice
		if err := m.maybeCheckpoint(ctx); err != nil {
			return err
		}
	}
	return m.runPasses(ctx)
}

func (m *Mill) plan() []pass {
	if m.journal == nil {
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
func (m *Mill) closing(ctx context.Context, t *task) error {
	n := 0
	err := m.journal.scan(func(_ place, c *tidemill.Change) error {
		n++
		if n <= m.passAt {
			return nil
		}
		tt, err := t.triggers.look(c.Table)
		if err != nil {
			return err
		}
		asked := tt.holds() != nil
		if !asked && n%runMax != 0 {
			return nil
		}
		m.mu.Lock()
		if asked {
			err = t.applyOne(cloneChange(c), 0, t.askRead) // a run and its outputs keep the row past the scan
		}
		if err == nil && n%runMax == 0 {
			err = t.flush()
		}
		m.free()
		if err != nil {
			return err
		}
		if n%runMax == 0 {
			m.passAt = n
			if err := t.ledger.questions.spill(); err != nil {
				return err
			}
			return m.pause(ctx)
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
	m.passAt = n
	if err := t.ledger.questions.spill(); err != nil {
		return err
	}
	return m.pause(ctx)
}

// startOver empties everything after a snapshot that broke off. What the sinks have of it they give up, as after a crash:
// the next snapshot may tell other rows under the same ordinals.
func (m *Mill) startOver(ctx context.Context) error {
	for _, b := range m.boxes {
		begun := tidemill.Mark{Term: m.term}
		select {
		case b.in <- outItem{resume: &tidemill.Resumption{Flow: m.flow.Name, Term: m.term, After: begun, Tasks: m.taskNames()}}:
		case err := <-m.failed:
			return err
		case <-ctx.Done(): // the next cycle ends the flow
		}
	}
	m.mu.Lock()
	defer m.free()
	if m.journal != nil {
		m.journal.discard()
		m.journal = nil
	}
	for i, t := range m.tasks {
		for j, f := range t.spec.Features {
			if err := f.UnmarshalBinary(m.initial[i][j]); err != nil {
				return fmt.Errorf("task %s: feature %s: %w", t.spec.Name, describe(f), err)
			}
		}
		t.triggers.forget()
		if err := t.build(); err != nil {
			return err
		}
	}
	m.upto, m.clean, m.live, m.seq = "", false, false, 0
	m.sm.Lock()
	m.stats.snapshot = PhaseStatus{}
	m.sm.Unlock()
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
