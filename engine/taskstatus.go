package engine

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/tidemill/tidemill"
)

// status is the task as it is now; what takes longer is done by later, without the lock.
func (t *task) status() (s TaskStatus, later []func(*TaskStatus)) {
	l := t.learner
	s = TaskStatus{Name: t.spec.Name, Kind: t.kind.String(), Model: describe(l.model), Version: t.version().String(),
		Counts: t.counts, Classes: slices.Clone(l.classes.labels),
		Latest: slices.Clone(t.display.latest), Warnings: t.warnings()}
	slices.Reverse(s.Latest)
	s.Counts.Open = uint64(t.ledger.questions.len())
	if s.Counts.Asked > 0 {
		s.Coverage = float64(s.Counts.Answered) / float64(s.Counts.Asked)
	}
	if d, ok := t.board.delays.median(); ok {
		s.LabelDelay = &d
	}
	if tables := t.triggers.asked(); len(tables) > 0 {
		s.Table = tables[0].String()
		for _, name := range t.triggers.featureColumns(tables[0]) {
			c := tables[0].Columns[tables[0].Col(name)]
			s.Columns = append(s.Columns, ColumnStatus{Name: name, Kind: c.Kind.String(), Native: c.Native,
				Sample: t.display.example.first(name, t.display.names.samples(name))})
		}
	}
	for _, f := range t.spec.Features {
		if s.Picture = PictureOf(f); s.Picture != nil {
			break
		}
	}
	later = t.board.report(&s, l)
	if w, ok := l.model.(tidemill.Weighted); ok && l.kind == tidemill.Cluster {
		s.Centres = centres(w)
	} else if ok {
		s.Weights = l.weights(w, t.display.names)
	}
	return s, later
}

// centres is the places of a cluster model's centres.
func centres(w tidemill.Weighted) (out [][]float64) {
	w.Weights(func(_ int, _ uint64, centre int, v float64) bool {
		for len(out) <= centre {
			out = append(out, nil)
		}
		out[centre] = append(out[centre], v)
		return true
	})
	return out
}

// warnings are what people should know of the task.
func (t *task) warnings() []string {
	out := t.nulls.leaks()
	if w := t.board.divergence(); w != "" {
		out = append(out, w)
	}
	out = append(out, t.learner.warnings()...)
	for _, f := range t.spec.Features {
		if w, ok := f.(tidemill.Warner); ok {
			out = append(out, w.Warnings()...)
		}
	}
	return out
}

// report writes the scores into s; figures that take long to compute are left to later.
func (b *scoreboard) report(s *TaskStatus, l *learner) (later []func(*TaskStatus)) {
	like := &tidemill.Answer{Kind: b.kind, Positive: l.positiveIndex(), Labels: l.classes.labels, Weight: 1}
	streamed := false // the confusion shown is the stream's
	for _, ty := range b.tallies {
		if ty.n == 0 {
			continue
		}
		for i, sc := range ty.scores {
			at := len(s.Scores)
			x := ScoreStatus{Name: sc.Name(), Phase: ty.phase.String(), N: ty.n, Rolling: figure(ty.rolling(sc, like)),
				Baselines: map[string]*float64{}}
			show := func(sc tidemill.Score, put func(x *ScoreStatus, v *float64)) {
				value := sc.Value
				if h, ok := sc.(tidemill.Heavy); ok {
					value = h.Later()
				} else {
					v := sc.Value()
					value = func() float64 { return v }
				}
				later = append(later, func(s *TaskStatus) { put(&s.Scores[at], figure(value())) })
			}
			show(sc, func(x *ScoreStatus, v *float64) { x.Value = v })
			for name, baseline := range b.baselines(ty, i) {
				show(baseline, func(x *ScoreStatus, v *float64) { x.Baselines[name] = v })
			}
			if ty.fading[i] != nil {
				x.Fading = figure(ty.fading[i].Value())
			}
			if d, ok := sc.(tidemill.Detailed); ok {
				x.Details = d.Details(l.classes.labels)
				if ty.phase != tidemill.Snapshot && !streamed || s.Confusion == nil {
					streamed = ty.phase == tidemill.Stream
					s.Confusion = d.Confusion()
				}
			}
			s.Scores = append(s.Scores, x)
		}
		s.Curve = append(s.Curve, ty.curve...)
	}
	return later
}

// baselines are the scores, by name, that stand beside score i of a tally.
func (b *scoreboard) baselines(ty *tally, i int) map[string]tidemill.Score {
	if b.kind != tidemill.Classify && b.kind != tidemill.Regress {
		return nil
	}
	out := map[string]tidemill.Score{"majority": ty.majority[i], "no_change": ty.noChange[i]}
	if b.kind == tidemill.Regress {
		delete(out, "majority")
		out["mean"] = ty.majority[i]
	}
	if ty.frozen != nil {
		out["frozen"] = ty.frozen[i]
	}
	return out
}

// weightsShown is how many of the largest weights people see.
const weightsShown = 20

// weightsLimit is the number of weights beyond which they are not searched: it would keep the flow waiting.
const weightsLimit = 20000

// weights are the largest weights of the learner's model.
func (l *learner) weights(w tidemill.Weighted, known *names) []WeightStatus {
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
		if x.column >= 0 && x.column < len(l.columns) {
			name = l.columns[x.column].Name
		} else if s, ok := known.text[x.hash]; ok {
			name = s
		}
		class := ""
		if l.kind == tidemill.Classify && len(l.classes.labels) > 2 && x.output < len(l.classes.labels) {
			class = l.classes.labels[x.output]
		}
		out = append(out, WeightStatus{name, class, x.v})
	}
	return out
}
