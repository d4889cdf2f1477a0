package engine

import (
	"context"
	"fmt"

	"github.com/tidemill/tidemill"
)

// Reader is a flow's newest checkpoint, opened without the lock: also while the flow runs. It holds nothing that would
// have to be closed, and it does not change: Open reads again. Its methods may be called from any goroutine.
type Reader struct{ mill *Mill }

// Predict answers for one row by column name, as Mill.Predict does.
func (r *Reader) Predict(task string, row tidemill.Row) (Prediction, error) {
	return r.mill.Predict(task, row)
}

// PredictBatch is Predict of several rows.
func (r *Reader) PredictBatch(task string, rows []tidemill.Row) ([]Prediction, error) {
	return r.mill.PredictBatch(task, rows)
}

// Status is the flow as the checkpoint has it; its state is "stopped", whether the flow runs or not.
func (r *Reader) Status() *Status { return r.mill.Status() }

// Picture is the grey bytes that a task's feature reads in a row, 0 black to 255 white; nil where it reads none.
func (r *Reader) Picture(task string, row tidemill.Row) ([]byte, error) {
	return r.mill.Picture(task, row)
}

// Open reads the newest whole checkpoint of the flow's store. ErrNotReady if there is none yet.
func Open(ctx context.Context, f tidemill.Flow) (*Reader, error) {
	m, err := newMill(f)
	if err != nil {
		return nil, err
	}
	if f.Store == nil {
		return nil, fmt.Errorf("the flow keeps no checkpoints: %w", tidemill.ErrNotReady)
	}
	c, warnings, err := loadNewest(ctx, f.Store)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, fmt.Errorf("the flow %q has no checkpoint yet: %w", m.flow.Name, tidemill.ErrNotReady)
	}
	for _, s := range f.Sinks {
		m.out.add(s, false)
	}
	if _, err := m.restore(c); err != nil {
		return nil, err
	}
	m.term = c.ID.Term
	for _, w := range warnings {
		m.figures.event("checkpoint", "a checkpoint cannot be used: "+w.Error())
	}
	m.figures.setState("stopped")
	m.figures.checkpoint = statusOf(ctx, f.Store, c)
	close(m.done)
	return &Reader{m}, nil
}
