package engine

import (
	"context"
	"fmt"

	"github.com/tidemill/tidemill"
)

// Reader is a flow's newest checkpoint, opened without the lock: also while the flow runs. Predict and Status answer from it.
type Reader struct{ *Mill }

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
		m.boxes = append(m.boxes, newOutbox(m, s, false))
	}
	if _, err := m.restore(c); err != nil {
		return nil, err
	}
	m.term = c.ID.Term
	for _, w := range warnings {
		m.figures.event("checkpoint", "a checkpoint cannot be used: "+w.Error())
	}
	m.figures.setState("stopped")
	m.figures.checkpoint = m.statusOf(ctx, c)
	close(m.done)
	return &Reader{m}, nil
}
