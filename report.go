package tidemill

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"time"
)

// Status is the flow as it is now. Any goroutine; it holds readers' locks only.
func (m *Mill) Status() *Status {
	s := &Status{Flow: m.flow.Name, Source: describe(m.flow.Source), Started: m.start, Now: time.Now(), Term: m.term}
	for _, k := range m.flow.Sinks {
		s.Sinks = append(s.Sinks, describe(k))
	}
	m.sm.Lock()
	st := &m.stats
	s.State, s.Error, s.ErrorAt = st.state, st.err, st.errAt
	if s.State == "streaming" && !st.connected && st.err != "" {
		s.State = "reconnecting"
	}
	s.Position, s.LastEvent, s.Connected, s.CaughtUp, s.LagSeconds = st.position, st.lastEvent, st.connected, st.caughtUp, st.lag
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
	s.Outputs = st.outputs
	s.Checkpoint = st.checkpoint
	s.Checkpoint.Recent = slices.Clone(st.checkpoint.Recent)
	s.Events = slices.Clone(st.events)
	m.sm.Unlock()
	s.Written = s.Outputs
	for _, b := range m.boxes {
		s.Written = min(s.Written, b.written.Load())
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	clock := int64(math.MinInt64)
	for _, t := range m.tasks {
		if t.started {
			clock = max(clock, t.clock)
		}
		s.Tasks = append(s.Tasks, t.status())
	}
	if clock != math.MinInt64 {
		s.Clock = clockTime(clock)
	}
	return s
}

func (t *taskState) status() TaskStatus {
	s := TaskStatus{Name: t.spec.Name, Kind: t.kind.String(), Model: describe(t.model), Version: t.version().String(),
		Counts: t.counts, Classes: slices.Clone(t.classes.labels), Latest: slices.Clone(t.latest), Warnings: t.leaks()}
	if w, ok := t.model.(Warner); ok {
		s.Warnings = append(s.Warnings, w.Warnings()...)
	}
	for _, e := range t.encoders {
		if r, ok := e.(Refuser); ok && r.Refused() > 0 {
			s.Warnings = append(s.Warnings, fmt.Sprintf("encoder %s: %d values left out, its bound of categories is reached", describe(e), r.Refused()))
		}
	}
	for _, f := range t.spec.Features {
		if f, ok := f.(Misser); ok && f.Missed() > 0 {
			s.Warnings = append(s.Warnings, fmt.Sprintf("feature %s: %d values came too late for any window", describe(f), f.Missed()))
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
			s.Columns = append(s.Columns, ColumnStatus{Name: name, Kind: c.Kind.String(), Native: c.Native, Sample: t.names.samples(name)})
		}
	}
	for _, f := range t.spec.Features {
		if s.Picture = PictureOf(f); s.Picture != nil {
			break
		}
	}
	like := &Answer{Kind: t.kind, Positive: t.positiveIndex(), Labels: t.classes.labels, Weight: 1}
	streamed := false // the confusion shown is the stream's
	for _, ty := range t.tallies {
		if ty.n == 0 {
			continue
		}
		for i, sc := range ty.scores {
			x := ScoreStatus{Name: sc.Name(), Phase: ty.phase.String(), N: ty.n, Value: figure(sc.Value()), Rolling: figure(ty.rolling(sc, like)),
				Baselines: map[string]*float64{}}
			base := "majority"
			if t.kind == Regress {
				base = "mean"
			}
			if t.kind == Classify || t.kind == Regress {
				x.Baselines[base] = figure(ty.majority[i].Value())
				x.Baselines["no_change"] = figure(ty.noChange[i].Value())
				if ty.frozen != nil {
					x.Baselines["frozen"] = figure(ty.frozen[i].Value())
				}
			}
			if ty.fading[i] != nil {
				x.Fading = figure(ty.fading[i].Value())
			}
			if d, ok := sc.(Detailed); ok {
				x.Details = d.Details(t.classes.labels)
			}
			if cf, ok := sc.(Confuser); ok && (ty.phase != Snapshot && !streamed || s.Confusion == nil) {
				streamed = ty.phase == Stream
				s.Confusion = cf.Confusion()
			}
			s.Scores = append(s.Scores, x)
		}
		s.Curve = append(s.Curve, ty.curve...)
	}
	if w, ok := t.model.(Weighted); ok {
		s.Weights = t.weights(w)
	}
	if c, ok := t.model.(Centred); ok {
		for _, x := range c.Centres() {
			s.Centres = append(s.Centres, slices.Clone(x))
		}
	}
	return s
}

// weightsShown is how many of the largest weights people see.
const weightsShown = 20

// weightsLimit is the number of weights beyond which they are not searched: it would keep the flow waiting.
const weightsLimit = 20000

func (t *taskState) weights(w Weighted) []WeightStatus {
	var out []WeightStatus
	n := 0
	w.Weights(func(column int, hash uint64, output int, v float64) bool {
		if n++; n > weightsLimit {
			return false
		}
		name := fmt.Sprintf("#%016x", hash)
		if column >= 0 && column < len(t.encoded) {
			name = t.encoded[column].Name
		} else if s, ok := t.names.text[hash]; ok {
			name = s
		}
		class := ""
		if t.kind == Classify && len(t.classes.labels) > 2 && output < len(t.classes.labels) {
			class = t.classes.labels[output]
		}
		out = append(out, WeightStatus{name, class, v})
		return true
	})
	if n > weightsLimit {
		return nil
	}
	sort.SliceStable(out, func(i, j int) bool { return math.Abs(out[i].Value) > math.Abs(out[j].Value) })
	return out[:min(len(out), weightsShown)]
}
