package engine

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/tidemill/tidemill"
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
	s.Position, s.LastEvent, s.Connected, s.CaughtUp, s.LagSeconds = st.through(), st.lastEvent, st.connected, st.reached(s.Now), st.lag
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
		if t.started {
			clock = max(clock, t.clock)
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

// status is the task as it is now; what takes longer is done by later, without the lock.
func (t *taskState) status() (_ TaskStatus, later []func(*TaskStatus)) {
	s := TaskStatus{Name: t.spec.Name, Kind: t.kind.String(), Model: describe(t.learner.model), Version: t.version().String(),
		Counts: t.counts, Classes: slices.Clone(t.learner.classes.labels), Latest: slices.Clone(t.latest), Warnings: t.leaks()}
	if w := t.divergence(); w != "" {
		s.Warnings = append(s.Warnings, w)
	}
	s.Warnings = append(s.Warnings, t.learner.warnings()...)
	for _, f := range t.spec.Features {
		if f, ok := f.(tidemill.Misser); ok && f.Missed() > 0 {
			s.Warnings = append(s.Warnings, fmt.Sprintf("feature %s: %d values came too late for any window", describe(f), f.Missed()))
		}
		if f, ok := f.(tidemill.Skipper); ok && f.Skipped() > 0 {
			s.Warnings = append(s.Warnings, fmt.Sprintf("feature %s: %d rows left out: what it reads is no number, or its time is unreadable or more than a day after the commit", describe(f), f.Skipped()))
		}
	}
	slices.Reverse(s.Latest)
	s.Counts.Open = uint64(t.questions.len())
	if s.Counts.Asked > 0 {
		s.Coverage = float64(s.Counts.Answered) / float64(s.Counts.Asked)
	}
	if d, ok := t.delays.median(); ok {
		s.LabelDelay = &d
	}
	if tables := t.asked(); len(tables) > 0 {
		s.Table = tables[0].String()
		for _, name := range t.featureColumns(tables[0]) {
			c := tables[0].Columns[tables[0].Col(name)]
			s.Columns = append(s.Columns, ColumnStatus{Name: name, Kind: c.Kind.String(), Native: c.Native, Sample: t.example.first(name, t.names.samples(name))})
		}
	}
	for _, f := range t.spec.Features {
		if s.Picture = PictureOf(f); s.Picture != nil {
			break
		}
	}
	like := &tidemill.Answer{Kind: t.kind, Positive: t.learner.positiveIndex(), Labels: t.learner.classes.labels, Weight: 1}
	streamed := false // the confusion shown is the stream's
	for _, ty := range t.tallies {
		if ty.n == 0 {
			continue
		}
		for i, sc := range ty.scores {
			at := len(s.Scores)
			show := func(sc tidemill.Score, put func(x *ScoreStatus, v *float64)) {
				if h, ok := sc.(tidemill.Heavy); ok {
					value := h.Later()
					later = append(later, func(s *TaskStatus) { put(&s.Scores[at], figure(value())) })
				} else {
					v := figure(sc.Value())
					later = append(later, func(s *TaskStatus) { put(&s.Scores[at], v) })
				}
			}
			baseline := func(name string, sc tidemill.Score) {
				show(sc, func(x *ScoreStatus, v *float64) { x.Baselines[name] = v })
			}
			x := ScoreStatus{Name: sc.Name(), Phase: ty.phase.String(), N: ty.n, Rolling: figure(ty.rolling(sc, like)), Baselines: map[string]*float64{}}
			show(sc, func(x *ScoreStatus, v *float64) { x.Value = v })
			base := "majority"
			if t.kind == tidemill.Regress {
				base = "mean"
			}
			if t.kind == tidemill.Classify || t.kind == tidemill.Regress {
				baseline(base, ty.majority[i])
				baseline("no_change", ty.noChange[i])
				if ty.frozen != nil {
					baseline("frozen", ty.frozen[i])
				}
			}
			if ty.fading[i] != nil {
				x.Fading = figure(ty.fading[i].Value())
			}
			if d, ok := sc.(tidemill.Detailed); ok {
				x.Details = d.Details(t.learner.classes.labels)
			}
			if cf, ok := sc.(tidemill.Confuser); ok && (ty.phase != tidemill.Snapshot && !streamed || s.Confusion == nil) {
				streamed = ty.phase == tidemill.Stream
				s.Confusion = cf.Confusion()
			}
			s.Scores = append(s.Scores, x)
		}
		s.Curve = append(s.Curve, ty.curve...)
	}
	if w, ok := t.learner.model.(tidemill.Weighted); ok {
		s.Weights = t.weights(w)
	}
	if c, ok := t.learner.model.(tidemill.Centred); ok {
		for _, x := range c.Centres() {
			s.Centres = append(s.Centres, slices.Clone(x))
		}
	}
	return s, later
}

// weightsShown is how many of the largest weights people see.
const weightsShown = 20

// weightsLimit is the number of weights beyond which they are not searched: it would keep the flow waiting.
const weightsLimit = 20000

func (t *taskState) weights(w tidemill.Weighted) []WeightStatus {
	type weight struct {
		column, output int
		hash           uint64
		v              float64
	}
	var best []weight // largest first, of equals the one that came first
	n := 0
	w.Weights(func(column int, hash uint64, output int, v float64) bool {
		if n++; n > weightsLimit {
			return false
		}
		if len(best) == weightsShown && !(math.Abs(v) > math.Abs(best[len(best)-1].v)) {
			return true
		}
		at := sort.Search(len(best), func(i int) bool { return math.Abs(best[i].v) < math.Abs(v) })
		best = slices.Insert(best, at, weight{column, output, hash, v})
		best = best[:min(len(best), weightsShown)]
		return true
	})
	if n > weightsLimit {
		return nil
	}
	var out []WeightStatus
	for _, x := range best {
		name := fmt.Sprintf("#%016x", x.hash)
		if x.column >= 0 && x.column < len(t.learner.columns) {
			name = t.learner.columns[x.column].Name
		} else if s, ok := t.names.text[x.hash]; ok {
			name = s
		}
		class := ""
		if t.kind == tidemill.Classify && len(t.learner.classes.labels) > 2 && x.output < len(t.learner.classes.labels) {
			class = t.learner.classes.labels[x.output]
		}
		out = append(out, WeightStatus{name, class, x.v})
	}
	return out
}
