package tidemill

import (
	"context"
	"fmt"
	"time"
)

// Recaller is an upgrade of Sink: it reads back what it has written, for reports. It needs no Resume and takes no lock, so
// it works while another process writes.
type Recaller interface {
	// Recall is the newest predictions of a task that have their truth, newest first, at most limit.
	Recall(ctx context.Context, task string, limit int) ([]Recalled, error)
}

// Recalled is a prediction and its truth, as a sink keeps them.
type Recalled struct {
	ID, Label, Truth string
	Score            float64 // NaN where it has none
	Probabilities    map[string]float64
	Asked, Answered  time.Time // on the flow's clock; zero where not kept
}

// Finder is an upgrade of Source: it looks rows up as they are now, for reports.
type Finder interface {
	// Find is a column's value by the row's id, which is the text of a primary key of one column. What is not there is
	// left out; where the key is not one column, all of it.
	Find(ctx context.Context, table, column string, ids []string) (map[string]Value, error)
}

// Picture is the grey bytes that a task's feature reads in a row, 0 black to 255 white; nil where it reads none. Any
// goroutine.
func (m *Mill) Picture(task string, row Row) ([]byte, error) {
	t, err := m.task(task)
	if err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	tables := t.asked()
	if len(tables) == 0 {
		return nil, fmt.Errorf("task %s: no row of its table has been seen: %w", task, ErrNotReady)
	}
	c := Change{Op: Read, Table: tables[0], After: make([]Value, len(tables[0].Columns))}
	for i, col := range tables[0].Columns {
		if c.After[i], err = ValueOf(row[col.Name], col); err != nil {
			return nil, &RowError{Table: tables[0].String(), Column: col.Name, Reason: err.Error()}
		}
	}
	for _, f := range t.spec.Features {
		if p, ok := f.(Pictured); ok {
			return p.Pixels(nil, &c)
		}
	}
	return nil, nil
}
