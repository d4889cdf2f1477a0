package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tidemill/tidemill"
)

// outbox hands outputs to one sink from a goroutine of its own: what has gathered is written together, in order, so a
// single output goes at once and a flood in large writes. A full box holds the engine back.
type outbox struct {
	sink    tidemill.Sink
	name    string
	rejects bool          // takes rejected rows, and nothing else
	flood   int           // see Gatherer; 0: nothing is waited for
	linger  time.Duration // likewise
	next    time.Time     // until when the next write waits for more
	in      chan outItem
	written atomic.Uint64 // Seq up to which this sink is done
	waiting atomic.Int64  // outputs that were handed over and are not done
	room    chan struct{} // fewer of them wait
	done    chan struct{}
	figures *figures
	failed  chan error      // the flow's: a fatal error goes there
	ctx     context.Context // ends writes at once
	cancel  context.CancelFunc
	started bool
	stopped bool
}

// outItem is outputs, a barrier that asks for the mark of everything before it, or the wish that the sink resumes anew.
type outItem struct {
	outs   []tidemill.Output
	upto   uint64
	mark   chan markResult
	resume *tidemill.Resumption
}

type markResult struct {
	mark tidemill.Mark
	err  error
}

// outboxItems bounds what waits for a sink: items of at most one slice's outputs.
const outboxItems = 64

// writeMax is how many outputs are gathered for one Write, but for what comes with the last item.
const writeMax = 8192

// outboxOutputs is how many outputs may wait when further ones are handed over: those that are being written, and as
// many again. Each holds on to its batch's memory.
const outboxOutputs = 2 * writeMax

func newOutbox(s tidemill.Sink, rejects bool, f *figures, failed chan error) *outbox {
	ctx, cancel := context.WithCancel(context.Background())
	b := &outbox{sink: s, name: describe(s), rejects: rejects, in: make(chan outItem, outboxItems),
		room: make(chan struct{}, 1), done: make(chan struct{}), figures: f, failed: failed, ctx: ctx, cancel: cancel}
	if g, ok := s.(tidemill.Gatherer); ok {
		b.flood, b.linger = g.Gather()
	}
	return b
}

func (b *outbox) run() {
	defer close(b.done)
	var pending []tidemill.Output
	for item := range b.in {
		pending = b.take(pending[:0], item.outs)
		upto, mark, resume, n := item.upto, item.mark, item.resume, len(item.outs)
	gather:
		for mark == nil && resume == nil && n < writeMax {
			next, ok := b.more()
			if !ok {
				break gather
			}
			pending = b.take(pending, next.outs)
			upto, mark, resume, n = max(upto, next.upto), next.mark, next.resume, n+len(next.outs)
		}
		var err error
		switch {
		case resume != nil: // what waits is of a history that is given up
			upto = resume.After.Seq
			if err = b.retry("resume", func() error { return ResumeSink(b.ctx, b.sink, *resume) }); err != nil {
				err = fmt.Errorf("sink %s: %w", b.name, err)
			}
		case len(pending) > 0:
			if b.flood > 0 && len(pending) >= b.flood {
				b.next = time.Now().Add(b.linger)
			}
			err = b.write(pending)
		}
		if err != nil {
			b.fail(err)
			if mark != nil {
				mark <- markResult{err: err}
			}
			b.less(n)
			for rest := range b.in { // let the engine go on to its end
				b.less(len(rest.outs))
				if rest.mark != nil {
					rest.mark <- markResult{err: err}
				}
			}
			return
		}
		clear(pending)
		b.written.Store(upto)
		b.less(n)
		if mark != nil {
			mk, err := b.flush()
			mark <- markResult{mk, err}
		}
	}
}

// more is an item that is there, or comes in time after a large write; else the write goes out.
func (b *outbox) more() (item outItem, ok bool) {
	select {
	case item, ok = <-b.in:
		return item, ok
	default:
	}
	if b.flood == 0 || b.next.IsZero() {
		return item, false
	}
	left := time.Until(b.next)
	if left <= 0 {
		b.next = time.Time{}
		return item, false
	}
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case item, ok = <-b.in:
		return item, ok
	case <-t.C:
		return item, false
	}
}

// less says that so many outputs wait no more.
func (b *outbox) less(n int) {
	if n == 0 {
		return
	}
	b.waiting.Add(-int64(n))
	select {
	case b.room <- struct{}{}:
	default:
	}
}

func (b *outbox) take(dst, outs []tidemill.Output) []tidemill.Output {
	for i := range outs {
		if (outs[i].Kind == tidemill.RowRejected) == b.rejects {
			dst = append(dst, outs[i])
		}
	}
	return dst
}

func (b *outbox) write(outs []tidemill.Output) error {
	return b.retry("write to", func() error { return b.sink.Write(b.ctx, outs) })
}

func (b *outbox) flush() (mk tidemill.Mark, err error) {
	err = b.retry("flush", func() error { mk, err = b.sink.Flush(b.ctx); return err })
	return mk, err
}

// retry tries again, by the back-off, until it works, the error is fatal, or the flow ends.
func (b *outbox) retry(what string, f func() error) error {
	var waits backoff
	alarmed := false
	for {
		err := f()
		if err == nil {
			if alarmed {
				b.figures.event("sink", "sink "+b.name+" is back")
			}
			return nil
		}
		if tidemill.IsFatal(err) || b.ctx.Err() != nil {
			return err
		}
		if !quiet(err) {
			if !alarmed {
				b.figures.alarm("sink", what+" sink "+b.name+" failed, trying again: "+err.Error())
			}
			alarmed = true
			b.figures.trouble(err)
		}
		if !pause(b.ctx, waits.next(err)) {
			return err
		}
	}
}

func (b *outbox) fail(err error) {
	if b.ctx.Err() != nil && !tidemill.IsFatal(err) {
		return
	}
	select {
	case b.failed <- err:
	default:
	}
}

// stop ends the goroutine and closes the sink; what waits is not written (the replay writes it).
func (b *outbox) stop() {
	if b.stopped {
		return
	}
	b.stopped = true
	b.cancel()
	close(b.in)
	if b.started {
		<-b.done
	}
	if err := b.sink.Close(); err != nil && !errors.Is(err, context.Canceled) {
		b.figures.log.Warn("close sink "+b.name, "error", err)
	}
}

// errStopped ends the engine's loop early: the flow was cancelled while a sink held it back.
var errStopped = errors.New("stopped")
