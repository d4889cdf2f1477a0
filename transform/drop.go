package transform

import (
	"fmt"
	"slices"

	"github.com/tidemill/tidemill"
)

// DropConfig takes columns away.
type DropConfig struct {
	Columns []string `yaml:"columns" like:"notes" required:"true" short:"true" doc:"The columns that go. Those of the key stay: they say what a row is."`
	Table   string   `yaml:"table" doc:"The table whose rows it is about; those of others pass. Default every table."`
	When    string   `yaml:"when" expr:"true" doc:"An expression: the columns stay in the table, and are NULL in the rows for which it is true. Default none."`
}

// NewDropConfig is the config with its defaults.
func NewDropConfig() *DropConfig { return &DropConfig{} }

// Build makes the transform.
func (c *DropConfig) Build(string) (tidemill.Transform, error) {
	if err := checkNames("columns", c.Columns); err != nil {
		return nil, err
	}
	names, sometimes := slices.Clone(c.Columns), c.When != ""
	r := &rows{plan: func(t *tidemill.Table) (*plan, error) { return dropped(t, names, sometimes) }}
	return r, r.init("drop", quoted(names), c.Table, c.When)
}

func dropped(t *tidemill.Table, names []string, sometimes bool) (*plan, error) {
	gone, err := columnsOf(t, names)
	if err != nil {
		return nil, err
	}
	for _, i := range gone {
		if slices.Contains(t.Key, i) {
			return nil, fmt.Errorf("column %q is of the key, which says what a row is: mask it instead", t.Columns[i].Name)
		}
	}
	if sometimes {
		columns := slices.Clone(t.Columns)
		for _, i := range gone {
			columns[i].Nullable = true
		}
		return &plan{to: shaped(t, t.Schema, t.Name, columns, t.Key), width: len(columns), safe: true,
			row: func(dst, src []tidemill.Value, holds verdict) {
				copy(dst, src[:min(len(src), len(columns))])
				for _, i := range gone {
					if holds == yes {
						dst[i] = tidemill.Null()
					}
				}
			}}, nil
	}
	var stay []int
	var columns []tidemill.Column
	moved := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		if !slices.Contains(gone, i) {
			moved[i] = len(stay)
			stay, columns = append(stay, i), append(columns, c)
		}
	}
	var key []int
	for _, i := range t.Key {
		key = append(key, moved[i])
	}
	return &plan{to: shaped(t, t.Schema, t.Name, columns, key), width: len(columns),
		row: func(dst, src []tidemill.Value, _ verdict) {
			for k, i := range stay {
				dst[k] = at(src, i)
			}
		}}, nil
}
