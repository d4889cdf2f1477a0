package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tidemill/tidemill"
)

// errSnapshotBroken says that the source failed before its snapshot was whole: it starts over from nothing.
var errSnapshotBroken = errors.New("the snapshot broke off")

// reading is what the reader tells the engine.
type reading struct {
	batch tidemill.Batch
	err   error // fatal, errSnapshotBroken, or errEnded
}

// errEnded says that the source has no more to give, ever: a file that is not followed.
var errEnded = errors.New("the source has ended")

// read runs the source for the engine: reconnects with growing patience, and skips what was read already.
func (m *Mill) read(ctx context.Context, after tidemill.Position, live bool, out chan<- reading) {
	defer close(out)
	if m.flow.Serves {
		behind()
	}
	tell := func(r reading) bool {
		select {
		case out <- r:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var last identity
	again := false
	wait := max(m.patience, 100*time.Millisecond)
	for {
		var failure error
		for b, err := range m.flow.Source.Changes(ctx, after) {
			if err != nil {
				failure = err
				break
			}
			if again {
				b.Changes = last.skip(b.Changes)
			}
			if n := len(b.Changes); n > 0 {
				last = identityOf(&b.Changes[n-1])
			}
			wait = 100 * time.Millisecond
			m.figures.alive(b.CaughtUp)
			if !tell(reading{batch: b}) {
				return
			}
			if b.Upto != "" {
				after = b.Upto
			}
			live = live || b.Live
		}
		if ctx.Err() != nil {
			return
		}
		switch {
		case failure == nil:
			tell(reading{err: errEnded})
			return
		case tidemill.IsFatal(failure):
			tell(reading{err: failure})
			return
		}
		m.figures.mu.Lock()
		m.figures.connected, m.figures.caughtUp = false, false
		m.figures.mu.Unlock()
		m.figures.trouble(failure)
		m.figures.alarm("source", "the source failed, connecting again in "+wait.String()+": "+failure.Error())
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = min(wait*2, 15*time.Second)
		if !live {
			m.patience = wait // of the next reader, which takes the snapshot anew
			tell(reading{err: errSnapshotBroken})
			return
		}
		again = true
	}
}

// identity orders changes of one lane.
type identity struct {
	order, n uint64
	set      bool
}

func identityOf(c *tidemill.Change) identity {
	id := identity{n: c.N, set: true}
	if c.Tx != nil {
		id.order = c.Tx.Order
	}
	return id
}

// skip drops the changes up to and including id.
func (id identity) skip(cs []tidemill.Change) []tidemill.Change {
	if !id.set {
		return cs
	}
	for len(cs) > 0 {
		c := identityOf(&cs[0])
		if c.order > id.order || c.order == id.order && c.n > id.n {
			break
		}
		cs = cs[1:]
	}
	return cs
}

// run is the engine's goroutine: batches in, slices applied, outputs out, checkpoints between batches.
func (m *Mill) run(ctx context.Context) error {
	if m.flow.Serves {
		behind()
	}
	for _, b := range m.boxes {
		b.started = true
		go b.run()
	}
	m.busyAt = time.Now()
	m.nextAt = m.busyAt.Add(m.flow.Every)
	for {
		err := m.cycle(ctx)
		if !errors.Is(err, errSnapshotBroken) {
			return err
		}
		m.figures.event("snapshot", "the snapshot starts over")
		if err := m.startOver(ctx); err != nil {
			return err
		}
	}
}

// cycle runs from the current position to the end, or until a snapshot breaks off.
func (m *Mill) cycle(ctx context.Context) error {
	rctx, stop := context.WithCancel(ctx)
	defer stop()
	in := make(chan reading, 1)
	m.figures.mu.Lock()
	m.figures.given = 0 // what a former reader gave and nobody took is given again
	m.figures.mu.Unlock()
	after := m.from()
	live := m.live
	if m.live {
		m.figures.setState("streaming")
		if err := m.runPasses(ctx); err != nil {
			return m.finish(err)
		}
	} else {
		m.figures.setState("snapshot")
		m.figures.mu.Lock()
		for _, t := range m.tasks {
			if t.spec.Epochs > max(m.figures.snapshot.Epochs, 1) {
				m.figures.snapshot.Epoch, m.figures.snapshot.Epochs = 1, t.spec.Epochs
			}
		}
		m.figures.mu.Unlock()
	}
	go m.read(rctx, after, m.live, in)
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		if c, ok := m.flow.Source.(tidemill.Counter); ok && !live {
			m.figures.expect(rctx, c)
		}
		if r, ok := m.flow.Source.(tidemill.Retainer); ok && !m.flow.Once {
			m.figures.watchRetained(rctx, r)
		}
	}()
	defer func() {
		stop()
		for range in { // wait for the readers: the source must be closed before the store is unlocked
		}
		<-counted
	}()
	tick := time.NewTicker(max(min(m.flow.Every, time.Second), 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return m.finish(nil)
		case err := <-m.failed:
			return m.finish(err)
		case r := <-m.saving:
			if err := m.saved(r); err != nil {
				return m.finish(err)
			}
		case r, ok := <-in:
			if !ok {
				return m.finish(nil)
			}
			if r.err != nil {
				switch {
				case errors.Is(r.err, errEnded):
					return m.finish(nil)
				case errors.Is(r.err, errSnapshotBroken):
					return r.err
				}
				return m.finish(r.err)
			}
			m.fed = true
			if err := m.batch(ctx, &r.batch); err != nil {
				if errors.Is(err, errStopped) {
					err = nil
				}
				return m.finish(err)
			}
			m.figures.applied()
			if n := len(r.batch.Changes); n > 0 {
				m.work, m.busyAt = min(m.work+n, idleWork), time.Now()
			}
			if m.flow.Once && r.batch.CaughtUp && m.live {
				return m.finish(nil)
			}
		case now := <-tick.C:
			m.rest(now)
			m.watchModels()
		}
		if err := m.maybeCheckpoint(ctx); err != nil {
			return m.finish(err)
		}
	}
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
	if len(m.flow.Transforms) > 0 {
		var err error
		if cs, err = m.transform(cs); err != nil {
			return err
		}
	}
	if len(b.Changes) > 0 {
		m.clean, m.dirty = false, true
		m.figures.count(b.Changes, m.live, now)
	}
	if !m.live {
		n := 0
		for n < len(cs) && cs[n].Op == tidemill.Read {
			n++
		}
		if err := m.readRows(ctx, cs[:n]); err != nil {
			return err
		}
		cs = cs[n:]
		if !b.Live && len(cs) > 0 {
			return tidemill.Fatalf("the source yielded a %s before its snapshot was whole", cs[0].Op)
		}
		if b.Live {
			whole := len(cs) == 0 && b.Upto != ""
			if whole {
				m.upto, m.clean = b.Upto, true
			}
			if err := m.endSnapshot(ctx); err != nil {
				return err
			}
		}
	}
	if err := m.stream(ctx, cs); err != nil {
		return err
	}
	if b.Upto != "" {
		m.upto, m.clean = b.Upto, true
		upto := b.Upto
		m.figures.position.Store(&upto)
	}
	return nil
}

func (m *Mill) transform(cs []tidemill.Change) ([]tidemill.Change, error) {
	for _, tr := range m.flow.Transforms {
		out := make([]tidemill.Change, 0, len(cs))
		for i := range cs {
			n := len(out)
			var err error
			if out, err = tr.Apply(out, &cs[i]); err != nil {
				return nil, tidemill.Fatalf("transform %s, at %s: %w", describe(tr), m.locate(&cs[i]), err)
			}
			for k := range out[n:] {
				out[n+k].Sub = uint16(k)
			}
		}
		cs = out
	}
	return cs, nil
}

// sliceTarget is how long readers may be kept waiting; pressedTarget, while somebody waits. Short slices cost throughput.
const (
	sliceTarget   = time.Millisecond
	pressedTarget = 200 * time.Microsecond
)

// stream applies changes in slices; how they are cut is never visible in a result.
func (m *Mill) stream(ctx context.Context, cs []tidemill.Change) error {
	if len(m.tasks) == 0 {
		m.pass(cs)
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
		m.show()
		m.gather()
		for _, t := range m.tasks {
			if err := t.questions.spill(); err != nil {
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
	m.free()
	if m.flow.Serves {
		giveWay()
	}
	target := sliceTarget
	if m.pressed.Swap(false) {
		target = pressedTarget
	}
	switch {
	case took > target && m.slice > 8:
		m.slice /= 2
	case took < target/3 && n == m.slice && m.slice < 4096:
		m.slice *= 2
	}
	return err
}

// free gives up the write lock. Before it notes how many outputs there are by now, so that a status that counts a change
// counts its outputs too, although they are handed on later.
func (m *Mill) free() {
	n := m.seq
	for _, t := range m.tasks {
		n += uint64(len(t.outs))
	}
	m.made.Store(n)
	m.mu.Unlock()
}

// gather collects the tasks' outputs of one slice in the order of their changes, and numbers them.
func (m *Mill) gather() {
	first, n := len(m.held), 0
	for _, t := range m.tasks {
		n += len(t.outs)
	}
	m.held = slices.Grow(m.held, n)
	if len(m.tasks) == 1 {
		for i := range m.tasks[0].outs {
			m.held = append(m.held, m.tasks[0].outs[i].o)
		}
	} else {
		m.merge(n)
	}
	for _, t := range m.tasks {
		clear(t.outs)
		t.outs = t.outs[:0]
	}
	for i := first; i < len(m.held); i++ {
		m.seq++
		m.held[i].Seq = m.seq
		if m.held[i].Kind == tidemill.RowRejected {
			m.figures.noteReject(&m.held[i])
		}
	}
}

// merge takes n outputs from the tasks, those of an earlier change first, of one change in the order of the tasks.
func (m *Mill) merge(n int) {
	m.heads = slices.Grow(m.heads[:0], len(m.tasks))[:len(m.tasks)]
	clear(m.heads)
	for _, t := range m.tasks { // nearly always sorted: an expiry may be told before the asks that wait to be computed
		if !slices.IsSortedFunc(t.outs, byChange) {
			slices.SortStableFunc(t.outs, byChange)
		}
	}
	for ; n > 0; n-- {
		best, at := -1, 0
		for k, t := range m.tasks {
			if h := m.heads[k]; h < len(t.outs) && (best < 0 || t.outs[h].at < at) {
				best, at = k, t.outs[h].at
			}
		}
		m.held = append(m.held, m.tasks[best].outs[m.heads[best]].o)
		m.heads[best]++
	}
}

func byChange(a, b taskOutput) int { return a.at - b.at }

// pass hands changes on as they are: a flow without tasks is a capture server.
func (m *Mill) pass(cs []tidemill.Change) {
	m.held = slices.Grow(m.held, len(cs))
	for i := range cs {
		m.seq++
		m.held = append(m.held, tidemill.Output{Kind: tidemill.RowPassed, Seq: m.seq, Change: &cs[i], Position: m.locate(&cs[i])})
	}
	m.made.Store(m.seq)
}
