package transform

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
)

// RenameConfig gives a table, or one of its columns, another name.
type RenameConfig struct {
	Table  string `yaml:"table" like:"orders_2024" doc:"The table. Without column it is the one that gets the name; with column, default every table."`
	Column string `yaml:"column" doc:"The column that gets the name. Default none: the table does."`
	To     string `yaml:"to" like:"orders" required:"true" doc:"The new name: what tasks, features and sinks call it. A table's may have a schema, as in sales.orders."`
	When   string `yaml:"when" expr:"true" doc:"An expression: only rows for which it is true go to the other table; the others stay. Not with column. Default none."`
}

// NewRenameConfig is the config with its defaults.
func NewRenameConfig() *RenameConfig { return &RenameConfig{} }

// Build makes the transform.
func (c *RenameConfig) Build(string) (tidemill.Transform, error) {
	column, to := c.Column, c.To
	switch {
	case to == "":
		return nil, errors.New("to is missing: give the new name")
	case column == "" && c.Table == "":
		return nil, errors.New("rename takes the table, or the column, that gets the name")
	case column != "" && c.When != "":
		return nil, errors.New("when: a column has one name for all rows; leave it out, or rename the table")
	}
	r, says := &rows{}, "table to "+quoted([]string{to})
	if column != "" {
		says = quoted([]string{column, to})
		r.plan = func(t *tidemill.Table) (*plan, error) { return renamed(t, column, to) }
	} else {
		r.plan = func(t *tidemill.Table) (*plan, error) {
			schema, name := t.Schema, to
			if before, after, ok := strings.Cut(to, "."); ok {
				schema, name = before, after
			}
			return &plan{to: shaped(t, schema, name, t.Columns, t.Key), both: true}, nil
		}
	}
	return r, r.init("rename", says, c.Table, c.When)
}

func renamed(t *tidemill.Table, column, to string) (*plan, error) {
	at, err := columnsOf(t, []string{column})
	if err != nil {
		return nil, err
	}
	if to != column && t.Col(to) >= 0 {
		return nil, fmt.Errorf("there is a column %q already", to)
	}
	columns := slices.Clone(t.Columns)
	columns[at[0]].Name = to
	return &plan{to: shaped(t, t.Schema, t.Name, columns, t.Key)}, nil
}
