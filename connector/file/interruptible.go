package file

import (
	"context"
	"io"
)

// interruptible reads what may never come, a terminal or a pipe, until ctx ends. A read that waits then is left behind
// with its own memory: nothing can wake it.
type interruptible struct {
	ctx  context.Context
	in   io.Reader
	buf  []byte // of the read under way
	rest []byte // read and not yet given
	err  error
	came chan int
}

func newInterruptible(ctx context.Context, in io.Reader) *interruptible {
	return &interruptible{ctx: ctx, in: in, buf: make([]byte, 64<<10), came: make(chan int, 1)}
}

// Read implements io.Reader.
func (r *interruptible) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		go func() {
			n, err := r.in.Read(r.buf)
			r.err = err
			r.came <- n
		}()
		select {
		case n := <-r.came:
			r.rest = r.buf[:n]
		case <-r.ctx.Done():
			return 0, r.ctx.Err()
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	if n == 0 {
		return 0, r.err
	}
	return n, nil
}
