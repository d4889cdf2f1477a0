package tidemill

import (
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// shown lets predictions go on while the engine holds its lock: a copy of what they read, made between two slices while
// somebody asks. A copy is used only where the lock is taken, so a flow at rest always answers with its newest model; one
// that learns at full speed answers with a model that is some hundredths of a second old, and says its version.
type shown struct {
	copy   atomic.Pointer[shownCopy]
	wanted atomic.Bool
	// The engine's alone:
	next  time.Time // no copy is made before
	never bool      // the task cannot be copied, or is too large
	slow  int       // copies in a row that took too long
	state []byte    // scratch
}

// shownCopy is a task as predictions see it: only what predictRows reads is in it.
type shownCopy struct {
	task    *taskState
	through Position
	at      time.Time
}

const (
	shownEvery = 10 * time.Millisecond  // a copy this often at most
	shownShare = 50                     // of the engine's time, one part in so many goes into copies
	shownAge   = 500 * time.Millisecond // an older copy is not used
	shownSlow  = 50 * time.Millisecond  // a model that takes longer to copy is not copied: questions wait for the lock
)

// look is the copy, if there is a young one. It tells the engine that one is wanted.
func (s *shown) look() *shownCopy {
	if !s.wanted.Load() {
		s.wanted.Store(true)
	}
	if c := s.copy.Load(); c != nil && time.Since(c.at) < shownAge {
		return c
	}
	return nil
}

// show makes the copies that are wanted. The engine's goroutine calls it between slices, without the lock: nobody else
// writes what is copied.
func (m *Mill) show() {
	for _, t := range m.tasks {
		if !t.shown.wanted.Load() || t.shown.never {
			continue
		}
		now := time.Now()
		if now.Before(t.shown.next) {
			continue
		}
		t.shown.wanted.Store(false)
		c, err := t.copied()
		if err != nil || c == nil {
			t.shown.never = true
			continue
		}
		m.sm.Lock()
		through := m.stats.position
		m.sm.Unlock()
		done := time.Now()
		t.shown.copy.Store(&shownCopy{c, through, done})
		took := done.Sub(now)
		// The next one comes before this one is too old, even where its making was interrupted.
		t.shown.next = done.Add(min(max(shownEvery, shownShare*took), shownAge*3/5))
		if t.shown.slow++; took < shownSlow {
			t.shown.slow = 0
		}
		t.shown.never = t.shown.slow == 3
	}
}

// copied is the task as predictions see it, or nil where a feature has a memory, which is not copied.
func (t *taskState) copied() (*taskState, error) {
	for _, f := range t.spec.Features {
		if _, ok := f.(Memoryless); !ok {
			return nil, nil
		}
	}
	model, encoders, _, err := t.fresh()
	if err != nil {
		return nil, err
	}
	if t.shown.state, err = t.model.AppendBinary(t.shown.state[:0]); err != nil {
		return nil, err
	}
	if err := model.UnmarshalBinary(slices.Clone(t.shown.state)); err != nil {
		return nil, err
	}
	for i, e := range encoders {
		if t.shown.state, err = t.encoders[i].AppendBinary(t.shown.state[:0]); err != nil {
			return nil, err
		}
		if err := e.UnmarshalBinary(slices.Clone(t.shown.state)); err != nil {
			return nil, err
		}
	}
	v := t.version()
	return &taskState{spec: t.spec, kind: t.kind, encoded: t.encoded, model: model, encoders: encoders, predict: t.predict, learn: t.learn, eval: t.eval,
		tables: maps.Clone(t.tables), reads: maps.Clone(t.reads), shapes: maps.Clone(t.shapes), positive: t.positive, threshold: t.threshold,
		classes: &classes{labels: slices.Clip(t.classes.labels), index: maps.Clone(t.classes.index), fixed: t.classes.fixed},
		clock:   t.clock, started: t.started, version: func() Version { return v }}, nil
}
