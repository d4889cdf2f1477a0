package transform

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// DeriveConfig adds a column that an expression computes, or replaces one.
type DeriveConfig struct {
	Column string `yaml:"column" like:"total" required:"true" doc:"The column that is made, at the end of the row; one of that name is replaced in its place."`
	As     string `yaml:"as" like:"price * quantity" required:"true" expr:"true" doc:"The expression over the row as it comes in. What it reads and was not sent makes the column unknown."`
	Table  string `yaml:"table" doc:"The table whose rows it is about; those of others pass. Default every table."`
	When   string `yaml:"when" expr:"true" doc:"An expression: where it is not true a new column is NULL, one that was there keeps its value. Default none."`
}

// NewDeriveConfig is the config with its defaults.
func NewDeriveConfig() *DeriveConfig { return &DeriveConfig{} }

// Build makes the transform. It fails for an expression that cannot be read.
func (c *DeriveConfig) Build(string) (tidemill.Transform, error) {
	if c.Column == "" || c.As == "" {
		return nil, errors.New("derive takes column, the name, and as, the expression")
	}
	e, err := expr.Parse(c.As)
	if err != nil {
		return nil, fmt.Errorf("as: %w", err)
	}
	column := c.Column
	r := &rows{plan: func(t *tidemill.Table) (*plan, error) { return derived(t, column, e) }}
	return r, r.init("derive", quoted([]string{column})+" as "+e.String(), c.Table, c.When)
}

func derived(t *tidemill.Table, column string, e *expr.Expr) (*plan, error) {
	b, err := e.Bind(t)
	if err != nil {
		return nil, err
	}
	columns, n := slices.Clone(t.Columns), t.Col(column)
	made := tidemill.Column{Name: column, Kind: b.Kind(), Nullable: true}
	switch {
	case n < 0:
		n, columns = len(columns), append(columns, made)
	case slices.Contains(t.Key, n):
		return nil, fmt.Errorf("column %q is of the key, which says what a row is: give the new column another name", column)
	default:
		if columns[n].Kind != made.Kind {
			made.Kind = tidemill.KindUnknown // with `when:` both kinds are there
		}
		columns[n] = made
	}
	fresh := n == len(t.Columns)
	return &plan{to: shaped(t, t.Schema, t.Name, columns, t.Key), width: len(columns),
		row: func(dst, src []tidemill.Value, holds verdict) {
			copy(dst, src[:min(len(src), len(t.Columns))])
			switch {
			case holds == yes:
				dst[n] = b.Eval(src)
			case holds == untold:
				dst[n] = tidemill.Value{}
			case fresh:
				dst[n] = tidemill.Null()
			}
		}}, nil
}
