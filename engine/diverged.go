package engine

import (
	"fmt"
	"math"
	"slices"

	"github.com/tidemill/tidemill"
)

// A model that predicts a number has diverged where, of at least divergedAfter answers, half are off by more than
// divergedBy times what the running mean is off by: one that learns slowly or badly is never there,
// one that steps too far soon is.
const (
	divergedAfter = 100
	divergedBy    = 100
)

// diverged compares the newest predictions with those of the running mean: the median of the model's errors and the
// mean of the other's.
func (t *tally) diverged() (own, mean float64, yes bool) {
	errs := make([]float64, 0, len(t.ring))
	for i := range t.ring {
		k := &t.ring[i]
		if len(k.pred) == 0 || k.base != k.base {
			continue
		}
		errs = append(errs, math.Abs(k.pred[0]-k.truth))
		mean += math.Abs(k.base - k.truth)
	}
	if len(errs) < divergedAfter {
		return 0, 0, false
	}
	slices.Sort(errs)
	own, mean = errs[len(errs)/2], mean/float64(len(errs))
	return own, mean, mean > 0 && own > divergedBy*mean
}

// divergence is the warning of a model that has diverged; "" where it has not.
func (s *scoreboard) divergence() string {
	if s.kind != tidemill.Regress {
		return ""
	}
	ty := s.tallies[tidemill.Stream]
	if len(ty.ring) < divergedAfter {
		ty = s.tallies[tidemill.Snapshot]
	}
	own, mean, yes := ty.diverged()
	if !yes {
		return ""
	}
	return fmt.Sprintf("the model has diverged: half of its newest predictions are off by more than %.3g, the running "+
		"mean by %.3g: lower its learning_rate and start anew with run --fresh", own, mean)
}

// watchModels raises an alarm when a model has diverged, once until it has recovered. The engine's goroutine.
func (f *figures) watchModels(tasks []*task) {
	for _, t := range tasks {
		text := t.board.divergence()
		if text != "" && !t.diverged {
			f.alarm("model", "task "+t.spec.Name+": "+text)
		}
		t.diverged = text != ""
	}
}
