// Package transform has the transforms: what reshapes changes before any task, journal or sink sees them.
package transform

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// rows is what the kinds share: the tables that one is about, its `when:`, and how a row of each table is made anew.
type rows struct {
	kind  string
	says  string // its settings, for Describe
	table string
	when  *expr.Expr
	plan  func(t *tidemill.Table) (*plan, error) // of the kind

	plans []*plan // of the tables met
	slab  []tidemill.Value
}

// plan is what happens to the rows of one table.
type plan struct {
	from, to *tidemill.Table
	when     *expr.Bound // nil: every row
	width    int         // of a row that row makes; 0: rows stay as they are
	// row fills dst with what becomes of src, for which `when:` holds or not.
	row func(dst, src []tidemill.Value, holds verdict)
	// keeps is false for a change that goes; nil: none does.
	keeps func(c *tidemill.Change) (bool, error)
	both  bool // a row that `when:` does not hold for stays in its table
	safe  bool // a row of which `when:` cannot be told counts as one that it holds for
}

// verdict is what `when:` says of a row.
type verdict uint8

const (
	no verdict = iota
	yes
	untold // a column that it reads was not sent
)

func (p *plan) holds(row []tidemill.Value) verdict {
	if p.when == nil {
		return yes
	}
	v := p.when.Eval(row)
	switch {
	case !v.Known() && p.safe:
		return yes
	case !v.Known():
		return untold
	case p.when.True(row):
		return yes
	}
	return no
}

func (r *rows) init(kind, says, table, when string) (err error) {
	r.kind, r.says, r.table = kind, says, table
	if table != "" {
		r.says += " of " + table
	}
	if when != "" {
		if r.when, err = expr.Parse(when); err != nil {
			return fmt.Errorf("when: %w", err)
		}
		r.says += " when " + r.when.String()
	}
	return nil
}

// Describe implements tidemill.Describer.
func (r *rows) Describe() string { return r.kind + " " + r.says }

// of makes the plan of a table; nil where the transform is not about it.
func (r *rows) of(t *tidemill.Table) (*plan, error) {
	if r.table != "" && !t.Is(r.table) {
		return nil, nil
	}
	p, err := r.plan(t)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t, err)
	}
	p.from = t
	if r.when != nil {
		if p.when, err = r.when.BindCondition(t); err != nil {
			return nil, fmt.Errorf("table %s: when: %w", t, err)
		}
	}
	return p, nil
}

// Shape implements tidemill.Transform.
func (r *rows) Shape(t *tidemill.Table) ([]*tidemill.Table, error) {
	p, err := r.of(t)
	switch {
	case err != nil:
		return nil, err
	case p == nil:
		return []*tidemill.Table{t}, nil
	case p.both && p.when != nil:
		return []*tidemill.Table{p.to, t}, nil
	}
	return []*tidemill.Table{p.to}, nil
}

// met is how many tables a transform remembers; a source that goes on making new ones does not fill the memory.
const met = 256

// find is the plan for a table; what is wrong with the settings for it ends the flow.
func (r *rows) find(t *tidemill.Table) (*plan, error) {
	for _, p := range r.plans {
		if p.from == t {
			return p, nil
		}
	}
	p, err := r.of(t)
	if err != nil {
		return nil, tidemill.Fatal(err)
	}
	if p == nil {
		p = &plan{from: t, to: t}
	}
	if len(r.plans) == met {
		r.plans = r.plans[:0]
	}
	r.plans = append(r.plans, p)
	return p, nil
}

// Apply implements tidemill.Transform.
func (r *rows) Apply(dst []tidemill.Change, c *tidemill.Change) ([]tidemill.Change, error) {
	if c.Table == nil {
		return append(dst, *c), nil
	}
	p, err := r.find(c.Table)
	if err != nil {
		return dst, err
	}
	holds := yes
	if c.Row() != nil {
		holds = p.holds(c.Row())
	}
	if holds == untold && c.Op != tidemill.Delete {
		return dst, &tidemill.RowError{Table: c.Table.String(), Reason: "a column that `when:` reads was not sent"}
	}
	if p.keeps != nil && holds == yes {
		if keep, err := p.keeps(c); err != nil || !keep {
			return dst, err
		}
	}
	dst = append(dst, *c)
	x := &dst[len(dst)-1]
	if p.both && holds != yes {
		return dst, nil
	}
	x.Table = p.to
	if p.row != nil {
		x.Before, x.After = r.make(p, c.Before), r.make(p, c.After)
	}
	return dst, nil
}

// make makes one row anew; nil stays nil.
func (r *rows) make(p *plan, src []tidemill.Value) []tidemill.Value {
	if src == nil {
		return nil
	}
	if len(r.slab) < p.width {
		r.slab = make([]tidemill.Value, max(1024, p.width))
	}
	row := r.slab[:p.width:p.width]
	r.slab = r.slab[p.width:]
	p.row(row, src, p.holds(src))
	return row
}

// at is the value of column i; a row that ends before it does not tell it.
func at(row []tidemill.Value, i int) tidemill.Value {
	if i < len(row) {
		return row[i]
	}
	return tidemill.Value{}
}

// shaped is t with other columns; key is by the new columns.
func shaped(t *tidemill.Table, schema, name string, columns []tidemill.Column, key []int) *tidemill.Table {
	to := tidemill.NewTable(schema, name, columns, key)
	to.KeyOnly = t.KeyOnly
	return to
}

// columnsOf finds columns by name.
func columnsOf(t *tidemill.Table, names []string) ([]int, error) {
	var out []int
	for _, name := range names {
		i := t.Col(name)
		if i < 0 {
			var have []string
			for _, c := range t.Columns {
				have = append(have, c.Name)
			}
			if near := expr.Nearest(name, have); near != "" {
				return nil, fmt.Errorf("there is no column %q; the nearest is %q", name, near)
			}
			return nil, fmt.Errorf("there is no column %q; there are %s", name, strings.Join(have, ", "))
		}
		out = append(out, i)
	}
	return out, nil
}

func checkNames(key string, names []string) error {
	if len(names) == 0 {
		return errors.New(key + " is missing: name the columns")
	}
	for i, name := range names {
		if name == "" || slices.Contains(names[:i], name) {
			return fmt.Errorf("%s: %q stands there twice or is empty", key, name)
		}
	}
	return nil
}

func quoted(names []string) string {
	var b []byte
	for i, name := range names {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendQuote(b, name)
	}
	return string(b)
}
