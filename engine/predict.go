package engine

import (
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// turnRows is how many rows are predicted under one holding of the lock.
const turnRows = 64

// Predict answers for one row by column name with the model as it stands: never held, scored or written. A column that
// is absent is NULL and listed in Missing; one that the table does not have is an error. Any goroutine.
func (m *Mill) Predict(task string, row tidemill.Row) (Prediction, error) {
	out, err := m.PredictBatch(task, []tidemill.Row{row})
	if err != nil {
		return Prediction{}, err
	}
	return out[0], nil
}

// PredictBatch is Predict of several rows. The lock is held for 64 of them at a time: while the flow learns, rows that
// are further apart may be answered by different versions of the model, and each says by which.
func (m *Mill) PredictBatch(task string, rows []tidemill.Row) ([]Prediction, error) {
	t, err := m.task(task)
	if err != nil {
		return nil, err
	}
	out := make([]Prediction, len(rows))
	s := m.pool.Get().(*scratch)
	defer m.pool.Put(s)
	for from := 0; from < len(rows); from += turnRows {
		n := min(turnRows, len(rows)-from)
		if at, err := m.predictTurn(t, out[from:from+n], rows[from:from+n], s); err != nil {
			if len(rows) > 1 {
				return nil, fmt.Errorf("row %d: %w", from+at, err)
			}
			return nil, err
		}
	}
	return out, nil
}

// predictTurn answers rows by one model; an error is that of the row that it names.
func (m *Mill) predictTurn(t *task, out []Prediction, rows []tidemill.Row, s *scratch) (int, error) {
	if !m.mu.TryRLock() {
		if c := t.copies.look(); c != nil {
			defer c.done()
			return c.predictor.predictRows(out, rows, s, c.through)
		}
		m.readersWait.Store(true)
		m.mu.RLock()
	}
	defer m.mu.RUnlock()
	p := t.predictor()
	return p.predictRows(out, rows, s, m.figures.through())
}

func (m *Mill) task(name string) (*task, error) {
	for _, t := range m.tasks {
		if t.spec.Name == name {
			return t, nil
		}
	}
	if near := expr.Nearest(name, taskNames(m.tasks)); near != "" {
		return nil, fmt.Errorf("%w: %q; did you mean %q?", tidemill.ErrUnknownTask, name, near)
	}
	return nil, fmt.Errorf("%w: %q; there are %v", tidemill.ErrUnknownTask, name, taskNames(m.tasks))
}
