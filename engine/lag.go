package engine

import "time"

// A flow whose last change was applied behindLag seconds after its commit is behind for as long as more is waiting, and
// for caughtUpAfter after it; so is one in which a batch waits for behindWait.
const (
	behindLag     = 2.0
	behindWait    = 2 * time.Second
	caughtUpAfter = time.Second
)

// reached says whether the source has nothing more at the moment, as far as the flow can know.
func (f *figures) reached(now time.Time) bool {
	waits := f.queued > 0
	late := f.lag >= behindLag && (waits || now.Sub(f.lastEvent) < caughtUpAfter)
	stuck := waits && now.Sub(f.appliedAt) >= behindWait
	return f.caughtUp && !late && !stuck
}

// alive notes that the source has yielded a batch.
func (f *figures) alive(caughtUp bool) {
	f.mu.Lock()
	f.connected = true
	f.caughtUp = f.caughtUp || caughtUp
	f.err = ""
	if f.queued == 0 {
		f.appliedAt = time.Now()
	}
	f.queued++
	f.mu.Unlock()
}

// applied notes that a batch of the source is applied.
func (f *figures) applied() {
	f.mu.Lock()
	f.queued--
	f.appliedAt = time.Now()
	f.mu.Unlock()
}
