package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemill/tidemill"
)

// Mill is a flow at work. Its methods may be called from any goroutine.
type Mill struct {
	flow    tidemill.Flow
	log     *slog.Logger
	start   time.Time
	term    uint64
	figures *figures
	out     *outputs

	mu          sync.RWMutex // held by the engine for a slice of changes, a millisecond at most; readers share it
	readersWait atomic.Bool  // somebody waited for it
	tasks       []*task
	pool        *sync.Pool // of scratch

	// The engine's goroutine alone:
	reader   *sourceReader
	ckpt     *checkpointer
	snapshot *snapshot
	history  history
	chain    *transforms
	upto     tidemill.Position
	clean    bool // the state is that of upto: a checkpoint may be taken
	live     bool // the snapshot is whole
	slice    int  // changes under one holding of the lock
	work     int  // changes since it last was idle
	busyAt   time.Time
	unlock   func() error

	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// history is what began with a fresh start.
type history struct {
	starts        uint32 // the fresh start that it began with
	snapshotBegun bool   // a run of it has asked the source for its snapshot
	firstAsk      bool   // the source is asked for the first time in it
	askedFirst    bool   // it was, in this run
	yielded       bool   // the source has yielded something in this run
}

// Start checks the flow, takes the lock, resumes from the newest whole checkpoint (or begins a snapshot), and returns
// while the flow runs. ctx ends it: what has arrived is drained, a checkpoint saved, the source released; Wait tells.
func Start(ctx context.Context, f tidemill.Flow) (*Mill, error) {
	m, err := newMill(f)
	if err != nil {
		return nil, err
	}
	if err := m.open(ctx); err != nil {
		m.close()
		return nil, err
	}
	ctx, m.cancel = context.WithCancel(ctx)
	go func() {
		err := m.run(ctx)
		m.close()
		m.figures.mu.Lock()
		m.err = err
		if err != nil {
			m.figures.state, m.figures.err, m.figures.errAt = "failed", err.Error(), time.Now()
		} else {
			m.figures.state = "stopped"
		}
		m.figures.connected = false
		m.figures.mu.Unlock()
		m.cancel()
		close(m.done)
	}()
	return m, nil
}

// Wait returns when the flow has ended: nil once it was cancelled (or, with Once, caught up)
// and its checkpoint is saved.
func (m *Mill) Wait() error {
	<-m.done
	m.figures.mu.Lock()
	defer m.figures.mu.Unlock()
	return m.err
}

// Done is closed when the flow has ended.
func (m *Mill) Done() <-chan struct{} { return m.done }

// Stop ends the flow as cancelling its context does, and waits.
func (m *Mill) Stop() error {
	m.cancel()
	return m.Wait()
}

func newMill(f tidemill.Flow) (*Mill, error) {
	if f.Name == "" {
		f.Name = "flow"
	}
	if f.Source == nil {
		return nil, errors.New("the flow has no source")
	}
	if f.Every <= 0 {
		f.Every = 10 * time.Second
	}
	if f.StopTimeout <= 0 {
		f.StopTimeout = 15 * time.Second
	}
	if f.Seed == 0 {
		f.Seed = 1
	}
	log := f.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m := &Mill{flow: f, log: log, start: time.Now(), slice: 64, done: make(chan struct{}), history: history{starts: 1},
		pool: newPool(), work: idleWork}
	m.figures = &figures{log: log, state: "starting", changes: map[string]uint64{}}
	m.out = &outputs{failed: make(chan error, 1), figures: m.figures}
	m.reader = &sourceReader{source: f.Source, figures: m.figures}
	m.ckpt = &checkpointer{flow: &m.flow, figures: m.figures, out: m.out, saving: make(chan saved, 1)}
	m.snapshot = &snapshot{mill: m}
	m.chain = &transforms{list: f.Transforms, rejects: f.Rejects != nil, locate: m.locate}
	if err := checkCapture(&m.flow); err != nil {
		return nil, err
	}
	return m, m.buildTasks()
}

func (m *Mill) buildTasks() error {
	seen := map[string]bool{}
	for i := range m.flow.Tasks {
		t, err := newTask(&m.flow, i, m.term)
		if err != nil {
			return err
		}
		if seen[t.spec.Name] {
			return fmt.Errorf("two tasks are called %q", t.spec.Name)
		}
		seen[t.spec.Name] = true
		if err := t.triggers.checkSnapshot(); err != nil {
			return err
		}
		t.out.locate = m.locate
		t.version = func() tidemill.Version { return tidemill.Version{Start: m.history.starts, Learned: t.counts.Learned} }
		m.tasks = append(m.tasks, t)
		states := make([][]byte, len(t.spec.Features))
		for j, f := range t.spec.Features {
			if states[j], err = f.AppendBinary(nil); err != nil {
				return fmt.Errorf("task %s: feature %s: %w", t.spec.Name, describe(f), err)
			}
		}
		m.snapshot.initial = append(m.snapshot.initial, states)
	}
	return nil
}

// checkCapture refuses a flow whose sink writes into a table that its source reads.
func checkCapture(f *tidemill.Flow) error {
	src, ok := f.Source.(tidemill.Namer)
	if !ok {
		return nil
	}
	reads := map[string]bool{}
	for _, n := range src.TableNames() {
		reads[n] = true
	}
	for _, s := range append(append([]tidemill.Sink(nil), f.Sinks...), f.Rejects) {
		if n, ok := s.(tidemill.Namer); ok {
			for _, name := range n.TableNames() {
				if reads[name] {
					return fmt.Errorf("the sink writes the table %s, which the source captures: give the sink another table", name)
				}
			}
		}
	}
	return nil
}

func (m *Mill) locate(c *tidemill.Change) string {
	if l, ok := m.flow.Source.(tidemill.Locator); ok {
		return l.Locate(c)
	}
	if c.Tx == nil {
		return fmt.Sprint(c.N)
	}
	return fmt.Sprintf("%d/%d", c.Tx.Order, c.N)
}

func (m *Mill) close() {
	m.out.stop()
	if j := m.snapshot.journal; j != nil {
		j.close()
	}
	if m.unlock != nil {
		if err := m.unlock(); err != nil {
			m.log.Warn("unlock the store", "error", err)
		}
		m.unlock = nil
	}
}
