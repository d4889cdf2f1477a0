package engine

import (
	"github.com/tidemill/tidemill"
)

// scoreboard keeps what a task's answers were worth: its scores by phase, beside those of the baselines.
type scoreboard struct {
	kind    tidemill.ModelKind
	tallies [3]*tally // by Phase
	base    *baseline
	frozen  *learner // has stopped learning: a baseline; nil before its time
	delays  delays   // from the ask to the answer
}

func newScoreboard(spec *tidemill.Task) scoreboard {
	s := scoreboard{kind: spec.Model.Kind(), base: newBaseline(spec.Model.Kind())}
	for p := range s.tallies {
		s.tallies[p] = newTally(tidemill.Phase(p), spec.Scores, spec.Frozen > 0)
	}
	return s
}

// update updates the phase's tally with one answered prediction; one made by a model that was not ready is not scored.
// In the snapshot, rows that only evaluate are scored apart from those that teach.
func (s *scoreboard) update(phase tidemill.Phase, l *learner, pred []float64, class int, y, weight float64,
	x *tidemill.Vector, o *others, taught bool) {
	if len(pred) == 0 || pred[0] != pred[0] {
		return
	}
	tally := s.tallies[phase]
	if phase == tidemill.Snapshot && !taught {
		tally = s.tallies[tidemill.Evaluated]
	}
	a := &tally.answer
	*a = tidemill.Answer{Kind: s.kind, Prediction: pred, Class: class, Truth: y, Weight: weight,
		Positive: l.positiveIndex(), Labels: l.classes.labels, X: x}
	if s.kind == tidemill.Classify {
		if y < 0 || int(y) >= len(pred) {
			a.Unseen = true
		}
		if k := len(l.classes.labels); len(pred) < k {
			p := make([]float64, k)
			copy(p, pred)
			a.Prediction = p
		}
	}
	tally.update(a, o)
}

// scoresGroups reports whether rows without an answer are scored: how well each lies in its cluster is known at once,
// when it is asked about or, as with answers, before it is learned.
func (s *scoreboard) scoresGroups() bool {
	return s.kind == tidemill.Cluster && len(s.tallies[tidemill.Stream].scores) > 0
}

// rarity is what a row's weight is multiplied by where classes are balanced.
func (s *scoreboard) rarity(y float64, has bool, spec *tidemill.Task) float64 {
	if !has || !spec.Balanced || s.kind != tidemill.Classify {
		return 1
	}
	return s.base.rarity(y)
}
