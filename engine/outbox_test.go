package engine_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
)

// balky is a sink that can be down, stuck, or fenced.
type balky struct {
	tableSink
	mode atomic.Pointer[string]
}

func (s *balky) set(m string) { s.mode.Store(&m) }
func (s *balky) Write(ctx context.Context, out []tidemill.Output) error {
	switch *s.mode.Load() {
	case "down":
		return errors.New("connection refused")
	case "stuck":
		<-ctx.Done()
		return ctx.Err()
	case "fenced":
		return tidemill.ErrFenced
	}
	return s.tableSink.Write(ctx, out)
}

func balkyFlow(mode string) (*balky, tidemill.Flow, *script) {
	table := orders()
	snap, stream := history(table, 10, 400)
	sink := &balky{}
	sink.set(mode)
	src := &script{table: table, snapshot: snap, stream: stream, cut: 4}
	return sink, tidemill.Flow{Name: "orders", Source: src, Tasks: []tidemill.Task{lateTask()}, Sinks: []tidemill.Sink{sink},
		Store: store.Memory(), Every: 10 * time.Millisecond, StopTimeout: 300 * time.Millisecond}, src
}

// TestSinkDownThenBack: the flow waits, says so, and loses nothing.
func TestSinkDownThenBack(t *testing.T) {
	sink, f, src := balkyFlow("down")
	f.Once = true
	f.StopTimeout = 10 * time.Second
	m, err := engine.Start(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(m.Status().Error, "connection refused") {
		time.Sleep(time.Millisecond)
	}
	src.mu.Lock()
	for _, p := range src.released {
		if p != "s:0" { // the end of the snapshot, which tells the sink nothing
			t.Errorf("%s was released, which the sink does not have", p)
		}
	}
	src.mu.Unlock()
	sink.set("")
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(sink.rows) != 390 {
		t.Errorf("%d rows, want 390", len(sink.rows))
	}
}

// TestStopWithAStuckSink: a stop ends in time, and the next run writes what is missing, once.
func TestStopWithAStuckSink(t *testing.T) {
	sink, f, _ := balkyFlow("stuck")
	m, err := engine.Start(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for m.Status().Tasks[0].Counts.Asked == 0 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	if err := m.Stop(); err != nil && !strings.Contains(err.Error(), "stands") {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	sink.set("")
	f.Tasks = []tidemill.Task{lateTask()}
	drive(t, f)
	if len(sink.rows) != 390 {
		t.Errorf("%d rows, want 390", len(sink.rows))
	}
}

func TestFencedSinkEndsTheFlow(t *testing.T) {
	_, f, _ := balkyFlow("fenced")
	m, err := engine.Start(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(); !errors.Is(err, tidemill.ErrFenced) {
		t.Errorf("%v, want ErrFenced", err)
	}
}

// strict is a table that refuses marks that no checkpoint knows, as a real one does.
type strict struct{ tableSink }

func (s *strict) Describe() string { return "strict" }
func (s *strict) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{Term: s.term, Seq: s.mark.Seq}, nil
}

// TestSinkAddedToARunningHistory: it is told what comes from then on, also when the run dies before its first checkpoint.
func TestSinkAddedToARunningHistory(t *testing.T) {
	table := orders()
	snap, stream := history(table, 10, 200)
	st, first, added := store.Memory(), &tableSink{}, &strict{}
	flow := func(upto, die int, sinks ...tidemill.Sink) tidemill.Flow {
		return tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream[:upto], cut: 5, dieAfter: die},
			Tasks: []tidemill.Task{lateTask()}, Sinks: sinks, Store: st, Every: time.Hour}
	}
	drive(t, flow(100, 0, first))
	m, err := engine.Start(t.Context(), flow(300, 10, first, added))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(); !errors.Is(err, errDied) {
		t.Fatal(err)
	}
	if len(added.rows) == 0 {
		t.Fatal("the new sink got nothing before the run died")
	}
	drive(t, flow(300, 0, first, added))
	for id, r := range added.rows {
		if first.rows[id] != r && !strings.HasPrefix(r, "=") {
			t.Errorf("row %s: %q, and %q in the first sink", id, r, first.rows[id])
		}
	}
}

// gathering is a sink to which a flood of ten outputs is followed by a long wait.
type gathering struct {
	tableSink
	wait   time.Duration
	writes []int
}

func (s *gathering) Gather() (int, time.Duration) { return 10, s.wait }
func (s *gathering) Write(ctx context.Context, out []tidemill.Output) error {
	s.writes = append(s.writes, len(out))
	return s.tableSink.Write(ctx, out)
}

// TestGatheringSink: after a large write the next waits for more, but no checkpoint waits for that, nor does the end.
func TestGatheringSink(t *testing.T) {
	table := orders()
	snap, stream := history(table, 10, 2000)
	plain := &tableSink{}
	flow := func(s tidemill.Sink, every time.Duration) tidemill.Flow {
		return tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream, cut: 20}, Tasks: []tidemill.Task{lateTask()},
			Sinks: []tidemill.Sink{s}, Store: store.Memory(), Every: every}
	}
	drive(t, flow(plain, time.Hour))
	for _, c := range []struct{ wait, every time.Duration }{{time.Hour, time.Hour}, {time.Hour, time.Millisecond}, {time.Millisecond, time.Hour}} {
		s := &gathering{wait: c.wait}
		began := time.Now()
		drive(t, flow(s, c.every))
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%+v: took %v", c, took)
		}
		if len(s.rows) != len(plain.rows) {
			t.Errorf("%+v: %d rows, want %d", c, len(s.rows), len(plain.rows))
		}
		for id, r := range plain.rows {
			if s.rows[id] != r {
				t.Fatalf("%+v: row %s: %q, want %q", c, id, s.rows[id], r)
			}
		}
		if c.every == time.Hour && c.wait == time.Hour && len(s.writes) > 20 {
			t.Errorf("%d writes: %d", len(s.writes), s.writes)
		}
	}
}

// counting tells how many changes its source has yielded.
type counting struct {
	*script
	n atomic.Int64
}

func (s *counting) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		for b, err := range s.script.Changes(ctx, after) {
			s.n.Add(int64(len(b.Changes)))
			if !yield(b, err) {
				return
			}
		}
	}
}

// TestStuckSinkHoldsFewRows: what waits for a sink is bounded in outputs, however large the batches are; then all of it is written.
func TestStuckSinkHoldsFewRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := orders()
		_, stream := history(table, 0, 100_000)
		sink := &balky{}
		sink.set("down")
		src := &counting{script: &script{table: table, stream: stream, cut: 4000}}
		m, err := engine.Start(t.Context(), tidemill.Flow{Name: "orders", Source: src, Sinks: []tidemill.Sink{sink}, Store: store.Memory(), Once: true})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if n := src.n.Load(); n < 16_000 || n > 40_000 {
			t.Errorf("%d rows were read for a sink that takes none", n)
		}
		sink.set("")
		if err := m.Wait(); err != nil {
			t.Fatal(err)
		}
		if len(sink.log) != len(stream) {
			t.Errorf("%d rows were written, want %d", len(sink.log), len(stream))
		}
	})
}
