package engine

import (
	"context"
	"errors"
	"time"

	"github.com/tidemill/tidemill"
)

// run is the engine's goroutine: batches in, slices applied, outputs out, checkpoints between batches.
func (m *Mill) run(ctx context.Context) error {
	m.out.start()
	m.busyAt = time.Now()
	m.ckpt.nextAt = m.busyAt.Add(m.flow.Every)
	for {
		err := m.cycle(ctx)
		if !errors.Is(err, errSnapshotBroken) {
			return err
		}
		m.figures.event("snapshot", "the snapshot starts over")
		if err := m.snapshot.startOver(ctx); err != nil {
			return err
		}
	}
}

// cycle runs from the current position to the end, or until a snapshot breaks off.
func (m *Mill) cycle(ctx context.Context) error {
	after, live := m.from(), m.live
	m.figures.forgetQueued() // what a former reader gave and nobody took is given again
	if live {
		m.figures.setState("streaming")
		if err := m.snapshot.run(ctx); err != nil {
			return m.finish(err)
		}
	} else {
		m.figures.beginSnapshot(m.epochs())
	}
	in, stop := m.startReading(ctx, after, live)
	defer stop()
	tick := time.NewTicker(max(min(m.flow.Every, time.Second), 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return m.finish(nil)
		case err := <-m.out.failed:
			return m.finish(err)
		case r := <-m.ckpt.saving:
			if err := m.ckpt.saved(r); err != nil {
				return m.finish(err)
			}
		case r, ok := <-in:
			if !ok {
				return m.finish(nil)
			}
			if errors.Is(r.err, errSnapshotBroken) {
				return r.err
			}
			if ended, err := m.take(ctx, r); ended || err != nil {
				return m.finish(err)
			}
		case now := <-tick.C:
			m.releaseIdle(now)
			m.figures.watchModels(m.tasks)
		}
		if err := m.maybeCheckpoint(ctx); err != nil {
			return m.finish(err)
		}
	}
}

// epochs is the most that a task reads the snapshot.
func (m *Mill) epochs() int {
	n := 1
	for _, t := range m.tasks {
		n = max(n, t.spec.Epochs)
	}
	return n
}

// startReading runs the source, and what asks it for figures; stop waits for both.
func (m *Mill) startReading(ctx context.Context, after tidemill.Position, live bool) (in chan reading, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	in = make(chan reading, 1)
	go m.reader.read(ctx, after, live, in)
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		if c, ok := m.flow.Source.(tidemill.Counter); ok && !live {
			m.figures.expect(ctx, c)
		}
		if r, ok := m.flow.Source.(tidemill.Retainer); ok && !m.flow.Once {
			m.figures.watchRetained(ctx, r)
		}
	}()
	return in, func() {
		cancel()
		for range in { // the source must be closed before the store is unlocked
		}
		<-counted
	}
}

// take applies what the reader gave; ended says that nothing is to come, or that the flow is stopped.
func (m *Mill) take(ctx context.Context, r reading) (ended bool, err error) {
	if errors.Is(r.err, errEnded) {
		return true, nil
	}
	if r.err != nil {
		return true, r.err
	}
	m.history.yielded = true
	if err := m.batch(ctx, &r.batch); err != nil {
		if errors.Is(err, errStopped) {
			err = nil
		}
		return true, err
	}
	m.figures.applied()
	if n := len(r.batch.Changes); n > 0 {
		m.work, m.busyAt = min(m.work+n, idleWork), time.Now()
	}
	return m.flow.Once && r.batch.CaughtUp && m.live, nil
}

// batch applies one batch of the source.
func (m *Mill) batch(ctx context.Context, b *tidemill.Batch) error {
	cs := b.Changes
	now := time.Now()
	read := now
	if !m.live {
		read = m.start // one for the whole snapshot, as its rows are read again from the journal
	}
	stampRead(cs, read)
	var refused []refusedRow
	if len(m.chain.list) > 0 {
		var err error
		if cs, refused, err = m.chain.apply(cs); err != nil {
			return err
		}
	}
	gone := 0 // changes that are applied already
	if len(b.Changes) > 0 {
		m.clean, m.ckpt.dirty = false, true
		m.figures.count(b.Changes, m.live, now)
	}
	if !m.live {
		n := 0
		for n < len(cs) && cs[n].Op == tidemill.Read {
			n++
		}
		k := 0 // the refused rows among the snapshot's
		for k < len(refused) && refused[k].at <= n {
			k++
		}
		rows := func(part []tidemill.Change) error { return m.snapshot.readRows(ctx, part) }
		if err := m.around(ctx, cs[:n], 0, refused[:k], rows); err != nil {
			return err
		}
		cs, refused, gone = cs[n:], refused[k:], n
		if !b.Live && len(cs) > 0 {
			return tidemill.Fatalf("the source yielded a %s before its snapshot was whole", cs[0].Op)
		}
		if b.Live {
			whole := len(cs) == 0 && b.Upto != ""
			if whole {
				m.upto, m.clean = b.Upto, true
			}
			if err := m.snapshot.end(ctx); err != nil {
				return err
			}
		}
	}
	if err := checkOperations(cs, m.locate); err != nil {
		return err
	}
	stream := func(part []tidemill.Change) error { return m.stream(ctx, part) }
	if err := m.around(ctx, cs, gone, refused, stream); err != nil {
		return err
	}
	if b.Upto != "" {
		m.upto, m.clean = b.Upto, true
		upto := b.Upto
		m.figures.position.Store(&upto)
	}
	return nil
}

// sliceTarget is how long readers may be kept waiting; waitedTarget, while somebody waits.
// Short slices cost throughput.
const (
	sliceTarget  = time.Millisecond
	waitedTarget = 200 * time.Microsecond
)

// stream applies changes in slices; how they are cut is never visible in a result.
func (m *Mill) stream(ctx context.Context, cs []tidemill.Change) error {
	if len(m.tasks) == 0 {
		m.out.pass(cs, m.locate)
		return m.send(ctx)
	}
	for len(cs) > 0 {
		n := min(m.slice, len(cs))
		if err := m.locked(func() error {
			for _, t := range m.tasks {
				if err := t.apply(cs[:n]); err != nil {
					return err
				}
			}
			return nil
		}, n); err != nil {
			return err
		}
		publishCopies(m.tasks, m.figures.through())
		m.out.gather(m.tasks)
		for _, t := range m.tasks {
			if err := t.ledger.questions.spill(); err != nil {
				return err
			}
		}
		if err := m.send(ctx); err != nil {
			return err
		}
		cs = cs[n:]
	}
	return nil
}

// locked runs f under the write lock and fits the slice to the time that n changes took.
func (m *Mill) locked(f func() error, n int) error {
	m.mu.Lock()
	began := time.Now()
	err := f()
	took := time.Since(began)
	m.unlockState()
	target := sliceTarget
	if m.readersWait.Swap(false) {
		target = waitedTarget
	}
	switch {
	case took > target && m.slice > 8:
		m.slice /= 2
	case took < target/3 && n == m.slice && m.slice < 4096:
		m.slice *= 2
	}
	return err
}

// unlockState gives up the write lock. Before it notes how many outputs there are by now, so that a status that counts
// a change counts its outputs too, although they are handed on later.
func (m *Mill) unlockState() {
	m.out.announce(m.tasks)
	m.mu.Unlock()
}

// send hands the outputs to the sinks. A stop does not wait for a sink that is behind: the last checkpoint stands, and
// what came after it is read again.
func (m *Mill) send(ctx context.Context) error {
	err := m.out.send(ctx)
	if errors.Is(err, errStopped) {
		m.clean = false
	}
	return err
}
