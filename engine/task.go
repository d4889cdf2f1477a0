package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
)

// task is a Task at work. The engine's goroutine owns it; readers use learner, features and triggers under the mill's
// lock, or a copy of them.
type task struct {
	spec     *tidemill.Task
	no       int
	store    tidemill.Store
	term     uint64
	kind     tidemill.ModelKind
	raw      []tidemill.FeatureColumn // what features append
	learner  *learner
	triggers *triggers
	ledger   ledger
	board    scoreboard
	clock    clock
	counts   Counts
	phase    tidemill.Phase
	nulls    nullShares
	copies   readCopies
	batch    rowBatch
	out      taskOutputs
	display  display
	version  func() tidemill.Version
	q        question // scratch
	diverged bool     // an alarm was raised
	halt     bool     // a row that cannot be used stops the flow
}

func newTask(f *tidemill.Flow, no int, term uint64) (*task, error) {
	spec := &f.Tasks[no]
	if spec.Name == "" {
		return nil, fmt.Errorf("task %d has no name", no+1)
	}
	if spec.Model == nil {
		return nil, fmt.Errorf("task %s has no model", spec.Name)
	}
	if len(spec.Features) == 0 {
		return nil, fmt.Errorf("task %s has no features", spec.Name)
	}
	t := &task{spec: spec, no: no, store: f.Store, term: term, kind: spec.Model.Kind(), halt: f.Rejects == nil}
	for _, s := range spec.Scores {
		if !s.Suits(t.kind) {
			return nil, fmt.Errorf("task %s: score %s has no figure for a model that is to %s", spec.Name, s.Name(), t.kind)
		}
	}
	var err error
	if t.triggers, err = newTriggers(spec, f.Source); err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, f := range spec.Features {
		columns, _ := f.Columns()
		for _, c := range columns {
			if names[c.Name] {
				return nil, fmt.Errorf("task %s: two features are called %q", spec.Name, c.Name)
			}
			names[c.Name] = true
			t.raw = append(t.raw, c)
		}
	}
	if err := t.build(); err != nil {
		return nil, err
	}
	if spec.Then != "" {
		if _, _, err := t.truth(tidemill.Text(spec.Then)); err != nil {
			var re *tidemill.RowError
			if errors.As(err, &re) {
				return nil, fmt.Errorf("task %s: wait: then: %s", spec.Name, re.Reason)
			}
			return nil, err
		}
		t.learner.classes = newClasses(t.learner.classes.fixedLabels()) // an open set learns it when it comes
	}
	return t, nil
}

// build makes what learns, empty: classes, encoders, model, scores.
func (t *task) build() error {
	spec := t.spec
	fixed := spec.Classes
	if len(fixed) == 0 && t.kind == tidemill.Classify && t.triggers.booleanLabels() {
		fixed = []string{"false", "true"}
	}
	t.counts, t.phase, t.clock = Counts{}, tidemill.Snapshot, clock{}
	t.out.list = nil
	t.ledger = ledger{task: spec.Name, questions: newQuestions(spec.Name, spec.Memory, t.store, t.term),
		answered: newAnswered(), counts: &t.counts, out: &t.out, flush: t.flush}
	t.board, t.nulls, t.display = newScoreboard(spec), newNullShares(t.raw), display{names: newNames(t.raw)}
	t.batch.reset()
	t.copies.reset()
	var err error
	t.learner, err = newLearner(spec, t.raw, newClasses(fixed))
	return err
}

// describe is a kind's settings in one line.
func describe(v any) string {
	if d, ok := v.(tidemill.Describer); ok {
		return d.Describe()
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", v), "*")
}
