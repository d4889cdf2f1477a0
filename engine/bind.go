package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// bind resolves the task for a table; nil where the task does not look at it.
func (w *triggers) bind(table *tidemill.Table) (*boundTable, error) {
	tt := &boundTable{table: table, name: tidemill.Hash(table.String())}
	for i := range tt.times {
		tt.times[i].col = -1
	}
	fail := func(what string, err error) error {
		return tidemill.Fatalf("task %s: %s: table %s: %w", w.spec.Name, what, table, err)
	}
	for _, list := range []struct {
		what string
		from []*trigger
		to   *[]*boundOn
		asks bool
	}{{"predict", w.predict, &tt.predict, true}, {"evaluate", w.eval, &tt.eval, true},
		{"learn", w.learn, &tt.learn, false}} {
		for _, tr := range list.from {
			if !table.Is(tr.on.Table) {
				continue
			}
			b, what, err := tr.bind(table)
			if err != nil {
				return nil, fail(list.what+": "+what, err)
			}
			if b.id == nil && len(table.Key) == 0 && (list.asks || tr.joins) {
				return nil, fail(list.what, errors.New("it has no primary key: name the column that joins question and answer "+
					"with `id:`"))
			}
			tt.addTime(b)
			*list.to = append(*list.to, b)
			tt.asks = tt.asks || list.asks || !tr.joins
		}
	}
	if w.weight != nil && len(tt.predict)+len(tt.learn)+len(tt.eval) > 0 {
		w, err := w.weight.Bind(table)
		if err != nil {
			return nil, fail("weight", err)
		}
		tt.weight = w
	}
	for _, f := range w.spec.Features {
		if err := f.Bind(table, tidemill.Folds); err != nil {
			return nil, fail("feature "+f.Describe(), err)
		}
		w.needWhole(f, tt)
		if !tt.asks {
			continue
		}
		if err := f.Bind(table, tidemill.Asks); err != nil {
			return nil, fail("feature "+f.Describe(), err)
		}
		if err := w.checkLeak(f, table); err != nil {
			return nil, fail("feature "+f.Describe(), err)
		}
	}
	if table.KeyOnly && tt.whole != "" {
		for _, list := range [][]*boundOn{tt.predict, tt.learn, tt.eval} {
			for _, b := range list {
				if b.on.Op&tidemill.Update != 0 { // it will come
					return nil, w.notWhole(tt)
				}
			}
		}
	}
	return tt, nil
}

// bind resolves a trigger's columns in a table; an error comes with the key that is wrong.
func (tr *trigger) bind(table *tidemill.Table) (b *boundOn, what string, err error) {
	b = &boundOn{trigger: tr, key: table.Key, at: -1}
	for _, e := range []struct {
		x   *expr.Expr
		dst **expr.Bound
		key string
	}{{tr.label, &b.label, "label"}, {tr.where, &b.where, "where"}, {tr.id, &b.id, "id"}} {
		if e.x == nil {
			continue
		}
		bind := e.x.Bind
		if e.key == "where" {
			bind = e.x.BindCondition
		}
		if *e.dst, err = bind(table); err != nil {
			return nil, e.key, err
		}
	}
	if tr.on.At == "" {
		return b, "", nil
	}
	if b.at = table.Col(tr.on.At); b.at < 0 {
		return nil, "at", unknownColumn(table, tr.on.At)
	}
	return b, "at", expr.CheckTime(&table.Columns[b.at], tr.on.Unix)
}

// addTime notes where a trigger's operations have their time.
func (tt *boundTable) addTime(b *boundOn) {
	for bit := range tt.times {
		tc := &tt.times[bit]
		switch {
		case b.on.Op&(1<<bit) == 0:
		case !tc.used:
			*tc = timeColumn{col: b.at, unix: b.on.Unix, used: true}
		case tc.col != b.at || tc.unix != b.on.Unix:
			tc.mixed = true
		}
	}
}

// needWhole notes a feature that must have the rows of the table as they were before an UPDATE, and of which columns.
func (w *triggers) needWhole(f tidemill.Feature, tt *boundTable) {
	columns, before := f.Needs(tt.table, tidemill.Folds)
	if !before {
		return
	}
	if tt.whole == "" {
		tt.whole = f.Describe()
	}
	for _, name := range columns {
		if k := tt.table.Col(name); k >= 0 && !slices.Contains(tt.before, k) {
			tt.before = append(tt.before, k)
		}
	}
}

// wholeBefore stops the flow at an UPDATE without the row as it was, where a feature needs it: what left a window would
// be taken for new, and nothing would show it.
func (w *triggers) wholeBefore(tt *boundTable, c *tidemill.Change) error {
	if tt.whole == "" || c.Op != tidemill.Update {
		return nil
	}
	for _, k := range tt.before {
		if k >= len(c.Before) || !c.Before[k].Known() {
			return w.notWhole(tt)
		}
	}
	return nil
}

func (w *triggers) notWhole(tt *boundTable) error {
	mend := "let the source bring whole rows"
	if m, ok := w.source.(tidemill.Mender); ok {
		if statement, setting := m.MendBefore(tt.table); statement != "" {
			mend = "run " + statement
		} else if setting != "" {
			mend = "set " + setting + " in the source"
		}
	}
	return tidemill.Fatalf("task %s: feature %s: an UPDATE of table %s does not bring the row as it was, and a value "+
		"that has left "+
		"the window would be taken for a new one: %s, then start anew with run --fresh",
		w.spec.Name, tt.whole, tt.table, mend)
}

// checkLeak refuses a feature that reads what the label reads from the same row.
func (w *triggers) checkLeak(f tidemill.Feature, table *tidemill.Table) error {
	columns, _ := f.Needs(table, tidemill.Asks) // what a window folds in is of other rows
	for _, tr := range append(slices.Clone(w.learn), w.eval...) {
		if tr.label == nil || !table.Is(tr.on.Table) {
			continue
		}
		for _, c := range tr.label.Columns() {
			if slices.Contains(columns, c) {
				return fmt.Errorf("reads column %s, which the label %q reads: the answer may not be a feature of its own row",
					c, tr.on.Label)
			}
		}
	}
	return nil
}

// look is bind, cached by the table's pointer.
func (w *triggers) look(table *tidemill.Table) (*boundTable, error) {
	if table == w.lastTable {
		return w.lastBound, nil
	}
	tt, ok := w.tables[table]
	if !ok {
		var err error
		if tt, err = w.bind(table); err != nil {
			return nil, err
		}
		if err = w.reshape(table); err != nil {
			return nil, err
		}
		w.tables[table] = tt
		var cols []string
		for _, f := range w.spec.Features {
			need, _ := f.Needs(table, tidemill.Asks) // what a question brings; what a window folds in comes with other rows
			for _, c := range need {
				if table.Col(c) >= 0 && !slices.Contains(cols, c) {
					cols = append(cols, c)
				}
			}
		}
		w.reads[table] = cols
	}
	w.lastTable, w.lastBound = table, tt
	return tt, nil
}

// reshape notes a table's newest shape. A used column that is gone was found by bind; one whose kind changed stops the
// flow here, by name.
func (w *triggers) reshape(table *tidemill.Table) error {
	for _, list := range [][]*trigger{w.predict, w.eval, w.learn} {
		for _, tr := range list {
			if !table.Is(tr.on.Table) {
				continue
			}
			old := w.shapes[tr.on.Table]
			if old != nil && old.Sum != table.Sum {
				for _, name := range w.uses(tr, table) {
					a, b := old.Col(name), table.Col(name)
					if a >= 0 && b >= 0 && old.Columns[a].Kind != table.Columns[b].Kind {
						return tidemill.Fatalf("task %s: column %s of table %s was %s and is now %s: give the task the new type with "+
							"run --fresh, or change it back",
							w.spec.Name, name, table, old.Columns[a].Kind, table.Columns[b].Kind)
					}
				}
			}
			w.shapes[tr.on.Table] = table
		}
	}
	return nil
}

// uses are the columns that the task reads of a trigger's table.
func (w *triggers) uses(tr *trigger, table *tidemill.Table) []string {
	var out []string
	for _, f := range w.spec.Features {
		for _, role := range []tidemill.Role{tidemill.Asks, tidemill.Folds} {
			cols, _ := f.Needs(table, role)
			out = append(out, cols...)
		}
	}
	for _, e := range []*expr.Expr{tr.label, tr.where, tr.id, w.weight} {
		if e != nil {
			out = append(out, e.Columns()...)
		}
	}
	if tr.on.At != "" {
		out = append(out, tr.on.At)
	}
	return out
}

// fingerprint is the wiring whose change would make the kept state mean something else.
func (w *triggers) fingerprint() string {
	var b strings.Builder
	for _, list := range []struct {
		what string
		from []*trigger
	}{{"predict", w.predict}, {"learn", w.learn}, {"evaluate", w.eval}} {
		for _, tr := range list.from {
			fmt.Fprintf(&b, "%s: {on: %s, table: %s", list.what, tr.on.Op, tr.on.Table)
			for _, kv := range [][2]string{{"at", tr.on.At}, {"id", tr.on.ID}, {"label", tr.on.Label},
				{"where", tr.on.Where}, {"unix", tr.on.Unix}} {
				if kv[1] != "" {
					fmt.Fprintf(&b, ", %s: %s", kv[0], kv[1])
				}
			}
			b.WriteString("}\n")
		}
	}
	if w.spec.Weight != "" {
		fmt.Fprintf(&b, "weight: %s\n", w.spec.Weight)
	}
	if w.spec.Balanced {
		b.WriteString("weight: balanced\n")
	}
	if w.spec.Snapshot != tidemill.SnapshotLearn {
		fmt.Fprintf(&b, "snapshot: %s\n", w.spec.Snapshot)
	}
	if w.spec.Epochs > 1 {
		fmt.Fprintf(&b, "epochs: %d\n", w.spec.Epochs)
	}
	return b.String()
}

// lookAll looks at the tables of rows.
func (w *triggers) lookAll(cs []tidemill.Change) error {
	for i := range cs {
		if cs[i].Table != nil && cs[i].Table != w.lastTable {
			if _, err := w.look(cs[i].Table); err != nil {
				return err
			}
		}
	}
	return nil
}

// asked are the newest shapes of the tables that the task's triggers name, in the order of the triggers.
func (w *triggers) asked() []*tidemill.Table {
	var out []*tidemill.Table
	for _, list := range [][]*trigger{w.predict, w.eval, w.learn} {
		for _, tr := range list {
			if table := w.shapes[tr.on.Table]; table != nil && !containsTable(out, table) {
				out = append(out, table)
			}
		}
	}
	return out
}

// featureColumns are the columns that the features read of a row that is asked about, in the order of the features.
func (w *triggers) featureColumns(table *tidemill.Table) []string {
	if cols, ok := w.reads[table]; ok {
		return cols
	}
	return nil
}

// checkSnapshot refuses what cannot be done with the rows that are there.
func (w *triggers) checkSnapshot() error {
	switch w.spec.Snapshot {
	case tidemill.SnapshotLearn:
		for _, tr := range w.learn {
			if tr.joins && !w.asksOf(tr.on.Table) {
				return fmt.Errorf("task %s: answers come from table %s: the snapshot cannot join them; use `snapshot: replay` "+
					"or `skip`", w.spec.Name, tr.on.Table)
			}
		}
		if len(w.learn) == 0 {
			return nil
		}
		for _, f := range w.spec.Features {
			if len(f.Folds()) > 0 {
				return fmt.Errorf("task %s: feature %s: the snapshot's rows say nothing of how its window stood, learning from "+
					"them would leak; use `snapshot: replay` (with `at:`) or `skip`",
					w.spec.Name, f.Describe())
			}
		}
	case tidemill.SnapshotReplay:
		for _, list := range [][]*trigger{w.predict, w.learn, w.eval} {
			for _, tr := range list {
				if tr.on.At == "" {
					return fmt.Errorf("task %s: `snapshot: replay` needs `at:` everywhere: table %s has none",
						w.spec.Name, tr.on.Table)
				}
			}
		}
	}
	return nil
}

func unknownColumn(t *tidemill.Table, name string) error {
	return errors.New(noColumn(t, name))
}

// noColumn says that a table has no such column, and which is near.
func noColumn(t *tidemill.Table, name string) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	if near := expr.Nearest(name, names); near != "" {
		return fmt.Sprintf("no column %q; did you mean %q?", name, near)
	}
	return fmt.Sprintf("no column %q; it has %s", name, strings.Join(names, ", "))
}
