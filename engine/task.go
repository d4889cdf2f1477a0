package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// taskState is a Task at work: its triggers resolved per table, its model with encoders, its open questions, its scores. The engine's
// goroutine owns it; REST reads model, encoders and features under the mill's lock.
type taskState struct {
	spec    *tidemill.Task
	no      int
	store   tidemill.Store
	term    uint64
	kind    tidemill.ModelKind
	raw     []tidemill.FeatureColumn // what features append
	learner *learner

	predict, learn, eval []*trigger
	weight               *expr.Expr
	tables               map[*tidemill.Table]*taskTable
	lastTable            *tidemill.Table
	lastBound            *taskTable
	reads                map[*tidemill.Table][]string // the columns that features read of a row that asks, by table
	names                *names
	shapes               map[string]*tidemill.Table // the newest shape by a trigger's word for the table

	questions *questions
	answered  *answered
	base      *baseline
	delays    delays
	counts    Counts
	tallies   [3]*tally // by Phase
	phase     tidemill.Phase
	clock     int64
	started   bool // clock is set
	startAt   int64
	frozen    *learner    // has stopped learning: a baseline
	nulls     [2][]uint64 // per raw column: NaN in learned snapshot rows, in asks
	nullsOf   [2]uint64   // rows looked at

	shown    shown
	run      run
	outs     []taskOutput
	locate   func(*tidemill.Change) string
	version  func() tidemill.Version
	latest   []LatestStatus // newest last
	example  example        // a row, for the dashboard's form
	q        question       // scratch
	mute     bool           // outputs are not told (a replayed snapshot)
	diverged bool           // an alarm was raised
	halt     bool           // a row that cannot be used stops the flow
	moves    moves
}

// taskOutput is an output with the index, in its slice, of the change that caused it: outputs leave in that order.
type taskOutput struct {
	at int
	o  tidemill.Output
}

// trigger is one On with its expressions parsed.
type trigger struct {
	on               tidemill.On
	label, where, id *expr.Expr
	joins            bool // answers may belong to a held question
	teaches          bool // it is under learn
}

// taskTable is a task's view of one table.
type taskTable struct {
	table                *tidemill.Table
	name                 uint64
	predict, learn, eval []*boundOn
	asks                 bool
	whole                string // a feature that must have rows as they were before an UPDATE; "": none must
	before               []int  // of these columns
	weight               *expr.Bound
	times                [7]timeColumn // by the operation's bit
}

// timeColumn is where the time of an operation's changes is.
type timeColumn struct {
	col   int // -1: the commit time
	unix  string
	used  bool
	mixed bool // triggers of the operation name other columns
}

// boundOn is a trigger resolved for a table.
type boundOn struct {
	*trigger
	label, where, id *expr.Bound
	key              []int
	at               int
}

func parseTrigger(task, what string, on tidemill.On, defaultOp tidemill.Op) ([]*trigger, error) {
	var out []*trigger
	for _, o := range append([]tidemill.On{on}, on.Also...) {
		o.Also = nil
		if o.Table == "" {
			if o.Op != 0 || o.Label != "" || o.At != "" {
				return nil, fmt.Errorf("task %s: %s: names no table", task, what)
			}
			continue
		}
		if o.Op == 0 {
			o.Op = defaultOp
		}
		t := &trigger{on: o}
		for _, e := range []struct {
			src string
			dst **expr.Expr
			key string
		}{{o.Label, &t.label, "label"}, {o.Where, &t.where, "where"}, {o.ID, &t.id, "id"}} {
			if e.src == "" {
				continue
			}
			x, err := expr.Parse(e.src)
			if err != nil {
				return nil, fmt.Errorf("task %s: %s: %s: %w", task, what, e.key, err)
			}
			*e.dst = x
		}
		out = append(out, t)
	}
	return out, nil
}

func newTask(f *tidemill.Flow, no int, term uint64) (*taskState, error) {
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
	t := &taskState{spec: spec, no: no, store: f.Store, term: term, kind: spec.Model.Kind(), tables: map[*tidemill.Table]*taskTable{}, shapes: map[string]*tidemill.Table{}, reads: map[*tidemill.Table][]string{},
		halt: f.Rejects == nil}
	for _, s := range spec.Scores {
		if x, ok := s.(tidemill.Suited); ok && !x.Suits(t.kind) {
			return nil, fmt.Errorf("task %s: score %s has no figure for a model that is to %s", spec.Name, s.Name(), t.kind)
		}
	}
	var err error
	if t.predict, err = parseTrigger(spec.Name, "predict", spec.Predict, tidemill.Insert); err != nil {
		return nil, err
	}
	if t.learn, err = parseTrigger(spec.Name, "learn", spec.Learn, tidemill.Insert|tidemill.Update); err != nil {
		return nil, err
	}
	if t.eval, err = parseTrigger(spec.Name, "evaluate", spec.Evaluate, tidemill.Insert); err != nil {
		return nil, err
	}
	if len(t.predict)+len(t.learn)+len(t.eval) == 0 {
		return nil, fmt.Errorf("task %s: say what to predict, learn or evaluate", spec.Name)
	}
	for _, tr := range t.learn {
		if tr.label == nil && (t.kind == tidemill.Classify || t.kind == tidemill.Regress) {
			return nil, fmt.Errorf("task %s: learn: a model that learns to %s needs `label:`", spec.Name, t.kind)
		}
		tr.teaches = true
		tr.joins = tr.label != nil && len(t.predict)+len(t.eval) > 0 && (tr.id != nil || t.asksOf(tr.on.Table))
	}
	for _, tr := range t.eval {
		if tr.label == nil {
			return nil, fmt.Errorf("task %s: evaluate: needs `label:`", spec.Name)
		}
		tr.joins = tr.id != nil || tr.on.Op&tidemill.Update != 0 || t.predictsOf(tr.on.Table)
	}
	if spec.Weight != "" {
		if t.weight, err = expr.Parse(spec.Weight); err != nil {
			return nil, fmt.Errorf("task %s: weight: %w", spec.Name, err)
		}
	}
	names := map[string]bool{}
	for _, f := range spec.Features {
		for _, c := range f.Columns() {
			if names[c.Name] {
				return nil, fmt.Errorf("task %s: two features are called %q", spec.Name, c.Name)
			}
			names[c.Name] = true
			t.raw = append(t.raw, c)
		}
	}
	t.nulls = [2][]uint64{make([]uint64, len(t.raw)), make([]uint64, len(t.raw))}
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

// asksOf reports whether rows of the table are held as questions.
func (t *taskState) asksOf(table string) bool {
	if t.predictsOf(table) {
		return true
	}
	for _, tr := range t.eval {
		if sameTable(tr.on.Table, table) {
			return true
		}
	}
	return false
}

func (t *taskState) predictsOf(table string) bool {
	for _, tr := range t.predict {
		if sameTable(tr.on.Table, table) {
			return true
		}
	}
	return false
}

// sameTable compares two words for a table: equal, or one without its schema.
func sameTable(a, b string) bool {
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}

// build makes what learns, empty: classes, encoders, model, scores.
func (t *taskState) build() error {
	spec := t.spec
	fixed := spec.Classes
	if len(fixed) == 0 && t.kind == tidemill.Classify && t.booleanLabels() {
		fixed = []string{"false", "true"}
	}
	t.questions = newQuestions(spec.Name, spec.Memory, t.store, t.term)
	t.answered = newAnswered()
	t.names = newNames(t.raw)
	t.base = newBaseline(t.kind)
	t.delays, t.counts = delays{}, Counts{}
	for p := range t.tallies {
		t.tallies[p] = newTally(tidemill.Phase(p), spec.Scores, spec.Frozen > 0)
	}
	t.phase, t.clock, t.started, t.frozen = tidemill.Snapshot, 0, false, nil
	t.nullsOf = [2]uint64{}
	clear(t.nulls[0])
	clear(t.nulls[1])
	t.latest, t.example = nil, example{}
	t.run.reset()
	t.outs, t.moves = nil, moves{}
	t.shown.reset()
	var err error
	t.learner, err = newLearner(spec, t.raw, newClasses(fixed))
	return err
}

// booleanLabels reports whether every label is a comparison, whose values can only be true and false.
func (t *taskState) booleanLabels() bool {
	all := append(slices.Clone(t.learn), t.eval...)
	for _, tr := range all {
		if tr.label == nil || !tr.label.Boolean() {
			return false
		}
	}
	return len(all) > 0
}

// describe is a kind's settings in one line.
func describe(v any) string {
	if d, ok := v.(tidemill.Describer); ok {
		return d.Describe()
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", v), "*")
}

// match is the first of the list that the change meets. Where that hangs on a value that the source did not send, the row
// cannot be used: it is neither looked at nor passed over in silence.
func match(list []*boundOn, c *tidemill.Change) (*boundOn, error) {
	for _, b := range list {
		if b.on.Op&c.Op == 0 {
			continue
		}
		if b.where != nil {
			v := b.where.Eval(c.Row())
			if !v.Known() {
				return nil, notSent("its `where:`")
			}
			if !expr.Holds(v) {
				continue
			}
		}
		return b, nil
	}
	return nil, nil
}

// notSent refuses a row because of a value that the source did not send with the change.
func notSent(what string) error {
	return &tidemill.RowError{Reason: what + " hangs on a value that the source did not send (large and unchanged, or of a deleted row): run ALTER TABLE … REPLICA IDENTITY FULL on the table"}
}

// matchRow is match for a snapshot row, whatever `on` says.
func matchRow(list []*boundOn, c *tidemill.Change) *boundOn {
	for _, b := range list {
		if b.where == nil || expr.Holds(b.where.Eval(c.After)) {
			return b
		}
	}
	return nil
}

// idOf is the row's id: the id expression's text, or the key's values joined by commas; false where a part is NULL or
// was not sent.
func (b *boundOn) idOf(row []tidemill.Value) (string, bool) {
	var buf [64]byte
	out := buf[:0]
	if b.id != nil {
		v := b.id.Eval(row)
		if v.IsNull() || !v.Known() {
			return "", false
		}
		return string(v.AppendText(out)), true
	}
	for i, k := range b.key {
		if k >= len(row) || !row[k].Known() || row[k].IsNull() {
			return "", false
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = row[k].AppendText(out)
	}
	return string(out), len(b.key) > 0
}
