package engine

import (
	"fmt"

	"github.com/tidemill/tidemill"
)

// Picture is the grey bytes that a task's feature reads in a row, 0 black to 255 white; nil where it reads none. Any
// goroutine.
func (m *Mill) Picture(task string, row tidemill.Row) ([]byte, error) {
	t, err := m.task(task)
	if err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	tables := t.triggers.asked()
	if len(tables) == 0 {
		return nil, fmt.Errorf("task %s: no row of its table has been seen: %w", task, tidemill.ErrNotReady)
	}
	c := tidemill.Change{Op: tidemill.Read, Table: tables[0], After: make([]tidemill.Value, len(tables[0].Columns))}
	for i, col := range tables[0].Columns {
		if c.After[i], err = ValueOf(row[col.Name], col); err != nil {
			return nil, &tidemill.RowError{Table: tables[0].String(), Column: col.Name, Reason: err.Error()}
		}
	}
	for _, f := range t.spec.Features {
		if p, ok := f.(tidemill.Pictured); ok {
			return p.Pixels(nil, &c)
		}
	}
	return nil, nil
}
