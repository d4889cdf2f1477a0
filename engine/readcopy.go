package engine

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/tidemill/tidemill"
)

// readCopies lets predictions go on while the engine holds its lock: a copy of what they read, made between two slices
// while somebody asks. A copy is used only where the lock is taken, so a flow at rest always answers with its newest
// model; one that learns at full speed answers with a model that is some hundredths of a
// second old, and says its version.
type readCopies struct {
	copy   atomic.Pointer[readCopy]
	wanted atomic.Bool
	// The engine's alone:
	next  time.Time // no copy is made before
	never bool      // the task cannot be copied, or is too large
	slow  int       // copies in a row that took too long
	state []byte    // scratch
	spare *readCopy
}

// readCopy is a task as predictions see it. Once another has taken its place and its last reader is gone, its memory is
// used again.
type readCopy struct {
	predictor
	through tidemill.Position
	at      time.Time
	readers atomic.Int32
}

const (
	copyEvery    = 10 * time.Millisecond  // a copy this often at most
	copyShare    = 50                     // of the engine's time, one part in so many goes into copies
	copyMaxAge   = 500 * time.Millisecond // an older copy is not used
	copySlow     = 50 * time.Millisecond  // a model that takes longer to copy is not copied: questions wait for the lock
	copyMaxBytes = 16 << 20               // nor are features of more bytes
)

// look is the copy, if there is a young one; the caller says done when it has read it. It tells the engine that one is
// wanted.
func (s *readCopies) look() *readCopy {
	if !s.wanted.Load() {
		s.wanted.Store(true)
	}
	for {
		c := s.copy.Load()
		if c == nil {
			return nil
		}
		c.readers.Add(1)
		if s.copy.Load() == c { // from here on it is not written over
			if time.Since(c.at) < copyMaxAge {
				return c
			}
			c.done()
			return nil
		}
		c.done()
	}
}

// done gives a copy back.
func (c *readCopy) done() { c.readers.Add(-1) }

// reset forgets the copies: the task begins anew.
func (s *readCopies) reset() {
	s.copy.Store(nil)
	s.spare = nil
}

// publishCopies makes the copies that are wanted. The engine's goroutine calls it between slices, without the lock:
// nobody else writes what is copied.
func publishCopies(tasks []*task, through tidemill.Position) {
	for _, t := range tasks {
		if !t.copies.wanted.Load() || t.copies.never {
			continue
		}
		now := time.Now()
		if now.Before(t.copies.next) {
			continue
		}
		t.copies.wanted.Store(false)
		c := t.copies.spare
		if c == nil || c.readers.Load() > 0 {
			c = &readCopy{}
		}
		t.copies.spare = nil
		if err := c.refresh(t); err != nil {
			t.copies.never = true
			continue
		}
		done := time.Now()
		c.through, c.at = through, done
		t.copies.spare = t.copies.copy.Swap(c)
		took := done.Sub(now)
		// The next one comes before this one is too old, even where its making was interrupted.
		t.copies.next = done.Add(min(max(copyEvery, copyShare*took), copyMaxAge*3/5))
		if t.copies.slow++; took < copySlow {
			t.copies.slow = 0
		}
		t.copies.never = t.copies.slow == 3
	}
}

// errNotCopied says that a task's features have a memory that is not copied.
var errNotCopied = errors.New("a feature's memory is not copied")

// refresh makes c the task as predictions see it, in the memory of the copy that c was.
func (c *readCopy) refresh(t *task) error {
	old := c.predictor
	features := make([]tidemill.Feature, len(t.spec.Features))
	room := copyMaxBytes
	for i, f := range t.spec.Features {
		if len(f.Folds()) == 0 {
			features[i] = f
			continue
		}
		var before tidemill.Feature
		if old.features != nil {
			before = old.features[i]
		}
		size := 0
		if v, ok := f.(tidemill.Viewer); ok {
			features[i], size = v.View(before, room)
		}
		if room -= size; features[i] == nil {
			return errNotCopied
		}
	}
	known := t.learner.classes.clone()
	l, err := old.learner, error(nil)
	if l != nil {
		l.classes = known
	} else if l, err = newLearner(t.spec, t.raw, known); err != nil {
		return err
	}
	if t.copies.state, err = t.learner.copyTo(l, t.copies.state); err != nil {
		return err
	}
	at := t.clock
	c.predictor = predictor{task: t.spec.Name, features: features, learner: l, triggers: t.triggers.clone(),
		clock: &at, version: t.version()}
	return nil
}
