package engine

import (
	"context"
	"time"

	"github.com/tidemill/tidemill"
)

// retainedEvery is how often the server is asked.
const retainedEvery = 15 * time.Second

// watchRetained asks until ctx ends. While the server cannot say, nothing is known.
func (f *figures) watchRetained(ctx context.Context, r tidemill.Retainer) {
	for wait := 250 * time.Millisecond; ; {
		n, err := r.Retained(ctx)
		f.mu.Lock()
		if f.retained = nil; err == nil {
			f.retained = &n
		}
		f.mu.Unlock()
		if wait = min(2*wait, retainedEvery); err == nil {
			wait = retainedEvery
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
