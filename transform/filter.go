package transform

import (
	"errors"
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// FilterConfig keeps the rows for which an expression is true.
type FilterConfig struct {
	Keep  string `yaml:"keep" like:"country = 'nl'" required:"true" short:"true" expr:"true" doc:"The expression: an insert or an update is kept where it is true of the row as it is now, a delete where it is true, or cannot be told, of the row as it was. A row for which it is false or NULL goes."`
	Table string `yaml:"table" doc:"The table whose rows it is about; those of others pass. Default every table."`
	When  string `yaml:"when" expr:"true" doc:"An expression: rows for which it is not true pass unseen. Default none."`
}

// NewFilterConfig is the config with its defaults.
func NewFilterConfig() *FilterConfig { return &FilterConfig{} }

// Build makes the transform. It fails for an expression that cannot be read.
func (c *FilterConfig) Build(string) (tidemill.Transform, error) {
	if c.Keep == "" {
		return nil, errors.New("keep is missing: say which rows stay, as in country = 'nl'")
	}
	e, err := expr.Parse(c.Keep)
	if err != nil {
		return nil, fmt.Errorf("keep: %w", err)
	}
	r := &rows{plan: func(t *tidemill.Table) (*plan, error) {
		b, err := e.BindCondition(t)
		if err != nil {
			return nil, err
		}
		return &plan{to: t, keeps: func(c *tidemill.Change) (bool, error) {
			row := c.Row()
			if row == nil {
				return true, nil
			}
			v := b.Eval(row)
			if v.Known() || c.Op == tidemill.Delete {
				return !v.Known() || b.True(row), nil
			}
			return false, &tidemill.RowError{Table: t.String(), Reason: "a column that `keep:` reads was not sent"}
		}}, nil
	}}
	return r, r.init("filter", e.String(), c.Table, c.When)
}
