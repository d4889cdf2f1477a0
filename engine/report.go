package engine

import (
	"math"
	"slices"
	"time"
)

// Status is the flow as it is now. Any goroutine; it holds readers' locks only.
func (m *Mill) Status() *Status {
	s := &Status{Flow: m.flow.Name, Source: describe(m.flow.Source), Started: m.start, Now: time.Now(), Term: m.term}
	for _, k := range m.flow.Sinks {
		s.Sinks = append(s.Sinks, describe(k))
	}
	m.figures.mu.Lock()
	st := m.figures
	s.State, s.Error, s.ErrorAt = st.state, st.err, st.errAt
	if s.State == "streaming" && !st.connected && st.err != "" {
		s.State = "reconnecting"
	}
	s.Position, s.LastEvent, s.Connected, s.CaughtUp, s.LagSeconds = st.through(), st.lastEvent, st.connected,
		st.reached(s.Now), st.lag
	if st.retained != nil {
		n := *st.retained
		s.Retained = &n
	}
	s.Changes = make(map[string]uint64, len(st.changes))
	for k, v := range st.changes {
		s.Changes[k] = v
	}
	s.Snapshot, s.Stream = st.snapshot, st.stream
	if !st.snapshot.Done && st.state == "snapshot" {
		s.Snapshot.Seconds = time.Since(m.start).Seconds()
	}
	if !st.streamAt.IsZero() {
		s.Stream.Seconds = time.Since(st.streamAt).Seconds()
	}
	s.Rejected, s.Rejects = st.rejected, slices.Clone(st.rejects)
	s.Checkpoint = st.checkpoint
	s.Checkpoint.Recent = slices.Clone(st.checkpoint.Recent)
	s.Events = slices.Clone(st.events)
	m.figures.mu.Unlock()
	clock := int64(math.MinInt64)
	for _, t := range m.tasks {
		m.mu.RLock() // a task at a time: the flow must not wait for all of them
		if t.clock.started {
			clock = max(clock, t.clock.now)
		}
		one, later := t.status()
		m.mu.RUnlock()
		for _, f := range later {
			f(&one)
		}
		s.Tasks = append(s.Tasks, one)
	}
	if clock != math.MinInt64 {
		s.Clock = clockTime(clock)
	}
	// After the counts, so that it is never behind them.
	s.Outputs = m.out.made.Load()
	s.Written = min(s.Outputs, m.out.written())
	return s
}
