package engine

import "time"

// A flow whose last change was applied behindLag seconds after its commit is behind for as long as more is waiting, and
// for restful after it; so is one in which a batch waits for behindWait.
const (
	behindLag  = 2.0
	behindWait = 2 * time.Second
	restful    = time.Second
)

// reached says whether the source has nothing more at the moment, as far as the flow can know.
func (s *stats) reached(now time.Time) bool {
	waits := s.given > 0
	late := s.lag >= behindLag && (waits || now.Sub(s.lastEvent) < restful)
	stuck := waits && now.Sub(s.appliedAt) >= behindWait
	return s.caughtUp && !late && !stuck
}

// alive notes that the source has yielded a batch.
func (m *Mill) alive(caughtUp bool) {
	m.sm.Lock()
	m.stats.connected = true
	m.stats.caughtUp = m.stats.caughtUp || caughtUp
	m.stats.err = ""
	if m.stats.given == 0 {
		m.stats.appliedAt = time.Now()
	}
	m.stats.given++
	m.sm.Unlock()
}

// applied notes that a batch of the source is applied.
func (m *Mill) applied() {
	m.sm.Lock()
	m.stats.given--
	m.stats.appliedAt = time.Now()
	m.sm.Unlock()
}
