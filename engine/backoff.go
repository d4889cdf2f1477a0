package engine

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tidemill/tidemill"
)

const (
	firstWait   = 100 * time.Millisecond
	longestWait = 10 * time.Second
)

// backoff is how long to wait before something is tried again: sources are connected and sinks written to by this one
// rule. The waits double from firstWait to longestWait, and each is longer by up to a half, so that many flows do not
// come back at once. Its zero value begins. When something is tried changes no result.
type backoff struct{ wait time.Duration }

// next is the wait after err. Where the other side asks for a wait it is that one, and where the error tells of
// progress the waits begin anew.
func (b *backoff) next(err error) time.Duration {
	var r *tidemill.RetryError
	if errors.As(err, &r) && r.Progress {
		b.reset()
	}
	wait := max(b.wait, firstWait)
	b.wait = min(2*wait, longestWait)
	if r != nil && r.After > 0 {
		return r.After
	}
	return wait + rand.N(wait/2+1)
}

// reset begins anew: it worked.
func (b *backoff) reset() { b.wait = 0 }

// pause waits; false where ctx ended first.
func pause(ctx context.Context, wait time.Duration) bool {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// quiet reports whether an error is too early to be told.
func quiet(err error) bool {
	var r *tidemill.RetryError
	return errors.As(err, &r) && r.Quiet
}
