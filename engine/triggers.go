package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// trigger is one On with its expressions parsed.
type trigger struct {
	on               tidemill.On
	label, where, id *expr.Expr
	joins            bool // answers may belong to a held question
	teaches          bool // it is under learn
}

// boundTable is a task's view of one table.
type boundTable struct {
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

// triggers are a task's words for what it looks at, resolved per table. The engine's goroutine owns
// them; a copy serves readers.
type triggers struct {
	spec                 *tidemill.Task
	source               tidemill.Source // for how it mends a table
	predict, learn, eval []*trigger
	weight               *expr.Expr
	tables               map[*tidemill.Table]*boundTable
	lastTable            *tidemill.Table
	lastBound            *boundTable
	reads                map[*tidemill.Table][]string // the columns that features read of a row that asks, by table
	shapes               map[string]*tidemill.Table   // the newest shape by a trigger's word for the table
}

// newTriggers reads the expressions of a task and says what is wrong with them.
func newTriggers(spec *tidemill.Task, source tidemill.Source) (w *triggers, err error) {
	w = &triggers{spec: spec, source: source, shapes: map[string]*tidemill.Table{}, reads: map[*tidemill.Table][]string{}}
	w.forget()
	for _, list := range []struct {
		what string
		on   tidemill.On
		ops  tidemill.Op
		to   *[]*trigger
	}{
		{"predict", spec.Predict, tidemill.Insert, &w.predict},
		{"learn", spec.Learn, tidemill.Insert | tidemill.Update, &w.learn},
		{"evaluate", spec.Evaluate, tidemill.Insert, &w.eval},
	} {
		if *list.to, err = parseTrigger(spec.Name, list.what, list.on, list.ops); err != nil {
			return nil, err
		}
	}
	if len(w.predict)+len(w.learn)+len(w.eval) == 0 {
		return nil, fmt.Errorf("task %s: say what to predict, learn or evaluate", spec.Name)
	}
	kind := spec.Model.Kind()
	for _, tr := range w.learn {
		if tr.label == nil && (kind == tidemill.Classify || kind == tidemill.Regress) {
			return nil, fmt.Errorf("task %s: learn: a model that learns to %s needs `label:`", spec.Name, kind)
		}
		tr.teaches = true
		tr.joins = tr.label != nil && w.asks() && (tr.id != nil || w.asksOf(tr.on.Table))
	}
	for _, tr := range w.eval {
		if tr.label == nil {
			return nil, fmt.Errorf("task %s: evaluate: needs `label:`", spec.Name)
		}
		tr.joins = tr.id != nil || tr.on.Op&tidemill.Update != 0 || w.predictsOf(tr.on.Table)
	}
	if spec.Weight != "" {
		if w.weight, err = expr.Parse(spec.Weight); err != nil {
			return nil, fmt.Errorf("task %s: weight: %w", spec.Name, err)
		}
	}
	return w, nil
}

// forget drops what is known of tables.
func (w *triggers) forget() {
	w.tables, w.lastTable, w.lastBound = map[*tidemill.Table]*boundTable{}, nil, nil
}

// clone is w for readers, which may be read beside w.
func (w *triggers) clone() *triggers {
	c := *w
	c.tables, c.reads, c.shapes = maps.Clone(w.tables), maps.Clone(w.reads), maps.Clone(w.shapes)
	c.lastTable, c.lastBound = nil, nil
	return &c
}

// asks reports whether the task asks at all.
func (w *triggers) asks() bool { return len(w.predict)+len(w.eval) > 0 }

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

// sameTable compares two words for a table: equal, or one without its schema.
func sameTable(a, b string) bool {
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}

// notSent refuses a row because of a value that the source did not send with the change.
func notSent(what string) error {
	return &tidemill.RowError{Reason: what + " hangs on a value that the source did not send (large and unchanged, or " +
		"of a deleted row): run ALTER TABLE … REPLICA IDENTITY FULL on the table"}
}

// any is some trigger of the table, for its id.
func (tt *boundTable) any() *boundOn {
	for _, l := range [][]*boundOn{tt.predict, tt.eval, tt.learn} {
		if len(l) > 0 {
			return l[0]
		}
	}
	return nil
}

// holds is the trigger whose id names held questions of the table, or nil.
func (tt *boundTable) holds() *boundOn {
	for _, l := range [][]*boundOn{tt.predict, tt.eval} {
		if len(l) > 0 {
			return l[0]
		}
	}
	return nil
}

// askTimes are the columns that tell when rows of the table are asked about.
func (tt *boundTable) askTimes() []int {
	var out []int
	for _, b := range append(slices.Clone(tt.predict), tt.eval...) {
		if b.at >= 0 {
			out = append(out, b.at)
		}
	}
	return out
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

// asksOf reports whether rows of the table are held as questions.
func (w *triggers) asksOf(table string) bool {
	if w.predictsOf(table) {
		return true
	}
	for _, tr := range w.eval {
		if sameTable(tr.on.Table, table) {
			return true
		}
	}
	return false
}

func (w *triggers) predictsOf(table string) bool {
	for _, tr := range w.predict {
		if sameTable(tr.on.Table, table) {
			return true
		}
	}
	return false
}

// booleanLabels reports whether every label is a comparison, whose values can only be true and false.
func (w *triggers) booleanLabels() bool {
	all := append(slices.Clone(w.learn), w.eval...)
	for _, tr := range all {
		if tr.label == nil || !tr.label.Boolean() {
			return false
		}
	}
	return len(all) > 0
}

// answerable reports whether answers can come to held questions at all.
func (w *triggers) answerable() bool {
	for _, l := range [][]*trigger{w.learn, w.eval} {
		for _, tr := range l {
			if tr.joins {
				return true
			}
		}
	}
	return false
}
