package sqlite

import (
	"context"
	"fmt"
	"os"
	"time"
)

// watcher waits for somebody to write to the database file.
type watcher struct {
	wake     <-chan struct{} // nil where the system does not report writes
	stop     func()
	most     time.Duration // between two looks
	base     time.Duration // the first pause after an event or a batch
	path     string
	file     os.FileInfo // as it was when it was opened
	notified bool        // the system reported a write a moment ago
	many     bool        // the last batch was of a flood
}

// The pauses between looks. Where the system reports writes, a look soon after one is still needed several times: a
// commit in WAL mode becomes visible by a write to shared memory, which nobody reports, a moment after the write to the
// file. The rare looks without an event are for file systems that report nothing.
const (
	firstPause   = 200 * time.Microsecond
	recheckPause = time.Second
	pollPause    = 5 * time.Millisecond
	longestPause = 100 * time.Millisecond
	// A large commit is some tens of writes, of which each would wake the reader: for so long after the first the clock
	// does, in a flood. A small one is seen at once.
	coalescePause = time.Millisecond
)

// After floodChanges in one batch the next look is floodPause after the last: in a flood, batches that are large cost
// less, and looks that find nothing cost writers time too.
const (
	floodChanges = 256
	floodPause   = 5 * time.Millisecond
)

// newWatcher watches the file that was at path when it was opened.
func newWatcher(path string, file os.FileInfo) *watcher {
	w := &watcher{most: longestPause, base: pollPause, path: path, file: file}
	if w.wake, w.stop = watchFile(path); w.wake != nil {
		w.most, w.base = recheckPause, firstPause
	}
	return w
}

func (w *watcher) close() {
	if w.stop != nil {
		w.stop()
	}
}

// wait pauses until somebody writes, or for the pause that follows delay; it gives the pause to go on with.
func (w *watcher) wait(ctx context.Context, delay time.Duration) (time.Duration, error) {
	delay = min(max(2*delay, w.base), w.most)
	wake := w.wake
	if w.notified = w.notified && w.many && delay < coalescePause; w.notified {
		wake = nil
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-wake:
		w.notified = true
		return 0, nil
	case <-t.C:
	}
	if w.notified { // what was reported meanwhile is seen by the look that follows
		select {
		case <-w.wake:
		default:
		}
	}
	if delay == w.most {
		// The connection goes on with a file that another one was moved over.
		if now, err := os.Stat(w.path); err != nil || !os.SameFile(now, w.file) {
			return 0, fmt.Errorf("sqlite: %s: the file was replaced or removed while it was read", w.path)
		}
	}
	return delay, nil
}

// pause waits until the time.
func pause(ctx context.Context, until time.Time) error {
	left := time.Until(until)
	if left <= 0 {
		return nil
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
