package tidemilltest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/tidemill/tidemill"
)

// ErrCrashed is what every operation gives after the simulated death of the process. It is fatal: an engine that meets
// it stops.
var ErrCrashed = errors.New("the process has crashed")

// ErrInjected is what an operation gives that fails once.
var ErrInjected = errors.New("injected failure")

// Failure is how an operation goes wrong.
type Failure uint8

// The failures.
const (
	FailOnce    Failure = iota // it gives ErrInjected and did nothing; the next one works
	FailAfter                  // it gives ErrInjected, but was carried out
	CrashBefore                // the process dies before it
	CrashAfter                 // the process dies after it, before its caller has the answer
	Block                      // it waits until its context ends, or Unblock
)

var failureNames = [...]string{"fail once", "fail after", "crash before", "crash after", "block"}

// String is the failure's name.
func (f Failure) String() string { return failureNames[f] }

// Faults makes the k-th operation on a flow's source, sinks and store go wrong. It counts over all doors that it wraps,
// so a test that takes k from 1 to Ops of a run without a fault visits every moment between two operations:
//
//	f := tidemilltest.NewFaults(k, tidemilltest.CrashAfter)
//	flow.Store, flow.Source, flow.Sinks = f.Store(store), f.Source(source), []tidemill.Sink{f.Sink(sink)}
//	… run the flow to its end: it fails with ErrCrashed …
//	f.Bury() // what the operating system does for a dead process: locks are given back, connections closed
//	… run it again on the same store, source and sink, without faults, and compare …
//
// Counted are Lock, Save, List, Load, SetAside, Create, Open and Remove of a store, and Write and Sync of its segments;
// Resume, Write and Flush of a sink; each batch and each Release of a source. Methods may be called from any goroutine.
type Faults struct {
	mu        sync.Mutex
	at        int
	how       Failure
	ops       int
	what      string
	crashed   bool
	dead      chan struct{}
	unblocked chan struct{}
	bury      []func() error
}

// NewFaults lets the operation number at, counted from 1, go wrong. With 0 none does, and Ops counts them.
func NewFaults(at int, how Failure) *Faults {
	return &Faults{at: at, how: how, dead: make(chan struct{}), unblocked: make(chan struct{})}
}

// Ops is how many operations there were.
func (f *Faults) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// What names the operation that went wrong: "store.Save 1.3"; "" before it has.
func (f *Faults) What() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.what
}

// Crashed is closed when the process has died.
func (f *Faults) Crashed() <-chan struct{} { return f.dead }

// Unblock lets a blocked operation go on.
func (f *Faults) Unblock() { close(f.unblocked) }

// Bury gives back what the dead process held: locks, files, connections. Call it when the flow has returned.
func (f *Faults) Bury() error {
	f.mu.Lock()
	bury := f.bury
	f.bury = nil
	f.mu.Unlock()
	var err error
	for i := len(bury) - 1; i >= 0; i-- {
		err = errors.Join(err, bury[i]())
	}
	return err
}

func (f *Faults) atDeath(g func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bury = append(f.bury, g)
}

func (f *Faults) isDead() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return tidemill.Fatal(ErrCrashed)
	}
	return nil
}

// step carries out one operation, or lets it go wrong.
func (f *Faults) step(ctx context.Context, what string, op func() error) error {
	f.mu.Lock()
	if f.crashed {
		f.mu.Unlock()
		return tidemill.Fatal(ErrCrashed)
	}
	f.ops++
	now := f.ops == f.at
	if now {
		f.what = what
		if f.how == CrashBefore {
			f.die()
		}
	}
	f.mu.Unlock()
	if !now {
		return op()
	}
	switch f.how {
	case FailOnce:
		return fmt.Errorf("%s: %w", what, ErrInjected)
	case FailAfter:
		return errors.Join(op(), fmt.Errorf("%s: %w", what, ErrInjected))
	case CrashAfter:
		err := op()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.die()
		return errors.Join(tidemill.Fatal(fmt.Errorf("%s: %w", what, ErrCrashed)), err)
	case Block:
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.unblocked:
			return op()
		}
	}
	return tidemill.Fatal(fmt.Errorf("%s: %w", what, ErrCrashed))
}

func (f *Faults) die() {
	f.crashed = true
	close(f.dead)
}

// Store wraps s.
func (f *Faults) Store(s tidemill.Store) tidemill.Store { return &faultyStore{f, s} }

type faultyStore struct {
	f *Faults
	s tidemill.Store
}

func (w *faultyStore) Lock(ctx context.Context) (term uint64, unlock func() error, err error) {
	err = w.f.step(ctx, "store.Lock", func() (err error) {
		var release func() error
		if term, release, err = w.s.Lock(ctx); err == nil {
			unlock = sync.OnceValue(release)
			w.f.atDeath(unlock)
		}
		return err
	})
	if err != nil && unlock != nil && w.f.isDead() == nil {
		err = errors.Join(err, unlock()) // failed after: the caller has no way to give it back
	}
	if err != nil {
		return 0, nil, err
	}
	release := unlock
	return term, func() error {
		if err := w.f.isDead(); err != nil {
			return err
		}
		return release()
	}, nil
}

func (w *faultyStore) Save(ctx context.Context, c *tidemill.Checkpoint) error {
	return w.f.step(ctx, fmt.Sprintf("store.Save %d.%d", c.ID.Term, c.ID.Seq), func() error { return w.s.Save(ctx, c) })
}

func (w *faultyStore) List(ctx context.Context) (ids []tidemill.CheckpointID, broken []error, err error) {
	err = w.f.step(ctx, "store.List", func() (err error) { ids, broken, err = w.s.List(ctx); return err })
	return ids, broken, err
}

func (w *faultyStore) Load(ctx context.Context, id tidemill.CheckpointID) (c *tidemill.Checkpoint, err error) {
	err = w.f.step(ctx, fmt.Sprintf("store.Load %d.%d", id.Term, id.Seq),
		func() (err error) { c, err = w.s.Load(ctx, id); return err })
	return c, err
}

func (w *faultyStore) SetAside(ctx context.Context) (where string, err error) {
	err = w.f.step(ctx, "store.SetAside", func() (err error) { where, err = w.s.SetAside(ctx); return err })
	return where, err
}

func (w *faultyStore) Create(ctx context.Context, name string) (s tidemill.SegmentWriter, err error) {
	err = w.f.step(ctx, "store.Create "+name, func() (err error) { s, err = w.s.Create(ctx, name); return err })
	if s != nil {
		w.f.atDeath(s.Close)
	}
	if err != nil {
		return nil, err
	}
	return &faultySegment{ctx, w.f, s, name}, nil
}

func (w *faultyStore) Open(ctx context.Context, name string) (r tidemill.SegmentReader, err error) {
	err = w.f.step(ctx, "store.Open "+name, func() (err error) { r, err = w.s.Open(ctx, name); return err })
	if err != nil && r != nil {
		err = errors.Join(err, r.Close())
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (w *faultyStore) Remove(ctx context.Context, name string) error {
	return w.f.step(ctx, "store.Remove "+name, func() error { return w.s.Remove(ctx, name) })
}

type faultySegment struct {
	ctx  context.Context
	f    *Faults
	s    tidemill.SegmentWriter
	name string
}

func (s *faultySegment) Write(b []byte) (n int, err error) {
	err = s.f.step(s.ctx, "segment.Write "+s.name, func() (err error) { n, err = s.s.Write(b); return err })
	return n, err
}

func (s *faultySegment) Sync() error { return s.f.step(s.ctx, "segment.Sync "+s.name, s.s.Sync) }

func (s *faultySegment) Close() error {
	if err := s.f.isDead(); err != nil {
		return err
	}
	return s.s.Close()
}

// Sink wraps s. The wrapper has the Describe text of s, and none of its other upgrades.
func (f *Faults) Sink(s tidemill.Sink) tidemill.Sink {
	return &faultySink{f, s, sync.OnceValue(s.Close)}
}

type faultySink struct {
	f     *Faults
	s     tidemill.Sink
	close func() error
}

func (w *faultySink) Describe() string { return describe(w.s) }

func describe(kind any) string {
	if d, ok := kind.(tidemill.Describer); ok {
		return d.Describe()
	}
	return fmt.Sprintf("%T", kind)
}

func (w *faultySink) Mark(ctx context.Context, flow string) (m tidemill.Mark, err error) {
	w.f.atDeath(w.close)
	err = w.f.step(ctx, "sink.Mark", func() (err error) { m, err = w.s.Mark(ctx, flow); return err })
	return m, err
}

func (w *faultySink) Resume(ctx context.Context, r tidemill.Resumption) error {
	w.f.atDeath(w.close)
	return w.f.step(ctx, fmt.Sprintf("sink.Resume term %d after %d", r.Term, r.After.Seq),
		func() error { return w.s.Resume(ctx, r) })
}

func (w *faultySink) Write(ctx context.Context, out []tidemill.Output) error {
	what := "sink.Write of nothing"
	if len(out) > 0 {
		what = fmt.Sprintf("sink.Write %d to %d", out[0].Seq, out[len(out)-1].Seq)
	}
	return w.f.step(ctx, what, func() error { return w.s.Write(ctx, out) })
}

func (w *faultySink) Flush(ctx context.Context) (m tidemill.Mark, err error) {
	err = w.f.step(ctx, "sink.Flush", func() (err error) { m, err = w.s.Flush(ctx); return err })
	return m, err
}

func (w *faultySink) Close() error {
	if err := w.f.isDead(); err != nil {
		return err
	}
	return w.close()
}

// Source wraps s. The wrapper has the Describe text and the Locate of s, and none of its other upgrades.
func (f *Faults) Source(s tidemill.Source) tidemill.Source { return &faultySource{f, s} }

type faultySource struct {
	f *Faults
	s tidemill.Source
}

func (w *faultySource) Describe() string { return describe(w.s) }

func (w *faultySource) Locate(c *tidemill.Change) string {
	if l, ok := w.s.(tidemill.Locator); ok {
		return l.Locate(c)
	}
	return ""
}

func (w *faultySource) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		if err := w.f.isDead(); err != nil {
			yield(tidemill.Batch{}, err)
			return
		}
		for b, err := range w.s.Changes(ctx, after) {
			if err == nil {
				err = w.f.step(ctx, fmt.Sprintf("source yields %d changes up to %q", len(b.Changes), b.Upto),
					func() error { return nil })
			}
			if err != nil {
				yield(tidemill.Batch{}, err)
				return
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (w *faultySource) Release(ctx context.Context, upto tidemill.Position) error {
	return w.f.step(ctx, fmt.Sprintf("source.Release %q", upto), func() error { return w.s.Release(ctx, upto) })
}
