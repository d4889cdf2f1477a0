package engine

import (
	"slices"

	"github.com/tidemill/tidemill"
)

// example is one row of the table that is asked about, taken anew now and then: what the dashboard's form begins with.
// It is for people only and in no checkpoint.
type example struct {
	table *tidemill.Table
	row   []tidemill.Value
	noted uint
}

// note keeps a row now and then, without what is long.
func (e *example) note(c *tidemill.Change) {
	if e.noted++; e.row != nil && e.table == c.Table && e.noted&1023 != 0 {
		return
	}
	e.table, e.row = c.Table, e.row[:0]
	for _, v := range c.Row() {
		if v.Kind() == tidemill.KindBytes || v.Kind() == tidemill.KindText && len(v.Str()) > 60 {
			v = tidemill.Null()
		}
		e.row = append(e.row, v.Clone())
	}
}

// first puts the row's own value before the other suggestions for a column.
func (e *example) first(column string, others []string) []string {
	if e.table == nil {
		return others
	}
	k := e.table.Col(column)
	if k < 0 || k >= len(e.row) || e.row[k].IsNull() || !e.row[k].Known() {
		return others
	}
	own := string(e.row[k].AppendText(nil))
	return append([]string{own}, slices.DeleteFunc(others, func(s string) bool { return s == own })...)
}
