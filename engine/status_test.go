package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
)

// TestStatusCountsOutputsOfItsCounts: whoever waits until what was asked is written can trust a status that counts the asks:
// its outputs are never fewer. Each row asks, and each answer is told.
func TestStatusCountsOutputsOfItsCounts(t *testing.T) {
	table := orders()
	_, stream := history(table, 0, 20_000)
	f := tidemill.Flow{Name: "orders", Source: &script{table: table, stream: stream, cut: 50}, Tasks: []tidemill.Task{lateTask()},
		Sinks: []tidemill.Sink{&tableSink{}}, Store: store.Memory(), Once: true}
	m, err := engine.Start(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	looks := 0
	for ended := false; !ended; looks++ {
		select {
		case <-m.Done():
			ended = true
		default:
		}
		s := m.Status()
		if c := s.Tasks[0].Counts; s.Outputs < c.Asked+c.Answered || s.Written > s.Outputs {
			t.Fatalf("look %d: %d asked, %d answered, %d outputs, %d written", looks, c.Asked, c.Answered, s.Outputs, s.Written)
		}
	}
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	if s := m.Status(); s.Tasks[0].Counts.Asked == 0 || s.Written != s.Outputs || s.Tasks[0].Counts.Answered == 0 || looks < 10 {
		t.Errorf("%d looks: %d asked, %d outputs, %d written", looks, s.Tasks[0].Counts.Asked, s.Outputs, s.Written)
	}
}

// late is a source that has been read to its end, and then has changes that were committed ago before they come, one at a
// time, as often as more is sent to.
type late struct {
	table *tidemill.Table
	ago   time.Duration
	more  chan int
}

func (s *late) Changes(ctx context.Context, _ tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		if !yield(tidemill.Batch{Upto: "s:0", Live: true, CaughtUp: true}, nil) {
			return
		}
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case fail := <-s.more:
				if fail < 0 {
					yield(tidemill.Batch{}, errors.New("the database is away"))
					return
				}
			}
			tx := &tidemill.Tx{Order: uint64(n + 1), Commit: time.Now().Add(-s.ago)}
			if s.ago < 0 {
				tx.Commit = time.Time{}
			}
			row := []tidemill.Value{tidemill.Int(int64(n)), tidemill.Float(1), tidemill.Null()}
			if !yield(tidemill.Batch{Changes: []tidemill.Change{{Op: tidemill.Insert, Table: s.table, After: row, Tx: tx}}, Upto: tidemill.Position(fmt.Sprintf("s:%d", n+1)), Live: true}, nil) {
				return
			}
		}
	}
}

func (s *late) Release(context.Context, tidemill.Position) error { return nil }

// held is a sink that takes its time.
type held struct {
	tableSink
	until chan struct{}
}

func (s *held) Write(ctx context.Context, out []tidemill.Output) error {
	select {
	case <-s.until:
	case <-ctx.Done():
	}
	return s.tableSink.Write(ctx, out)
}

// TestStatusCaughtUp: a flow that was caught up once is so no more while it applies what was committed seconds ago, while a
// batch waits for long, and while its source is away; and is again when nothing more comes.
func TestStatusCaughtUp(t *testing.T) {
	begin := func(ago time.Duration, sink tidemill.Sink) (*late, *engine.Mill) {
		s := &late{table: orders(), ago: ago, more: make(chan int)}
		f := tidemill.Flow{Name: "orders", Source: s, Tasks: []tidemill.Task{lateTask()}, Sinks: []tidemill.Sink{sink}, Store: store.Memory()}
		m, err := engine.Start(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return s, m
	}
	until := func(what string, m *engine.Mill, is func(s *engine.Status) bool) *engine.Status {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			s := m.Status()
			if is(s) {
				return s
			}
			if time.Now().After(end) {
				t.Fatalf("not %s: caught up %v, lag %.1f s, %d rows", what, s.CaughtUp, s.LagSeconds, s.Stream.Rows)
			}
		}
	}
	caught := func(s *engine.Status) bool { return s.CaughtUp }
	behind := func(s *engine.Status) bool { return !s.CaughtUp }

	s, m := begin(30*time.Second, &tableSink{})
	until("caught up at first", m, caught)
	for i := range 20 {
		s.more <- 1
		st := until("applied", m, func(st *engine.Status) bool { return st.Stream.Rows == uint64(i+1) })
		if st.CaughtUp && st.Now.Sub(st.LastEvent) < time.Second {
			t.Fatalf("caught up beside a lag of %.0f s", st.LagSeconds)
		}
	}
	if st := until("caught up at rest", m, caught); st.LagSeconds < 30 {
		t.Errorf("a lag of %.1f s", st.LagSeconds)
	}
	s.more <- -1
	until("behind while the source is away", m, func(s *engine.Status) bool { return !s.Connected && !s.CaughtUp })
	until("caught up when it is back", m, caught)

	// A source without commit times has no lag.
	s, m = begin(-1, &tableSink{})
	s.more <- 1
	if st := until("applied", m, func(st *engine.Status) bool { return st.Stream.Rows == 1 && st.CaughtUp }); st.LagSeconds != 0 {
		t.Errorf("a lag of %g s behind no commit time", st.LagSeconds)
	}

	// A sink that takes nothing holds the flow back, and what the source gives next waits.
	sink := &held{until: make(chan struct{})}
	s, m = begin(0, sink)
	stop := make(chan struct{})
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		for {
			select {
			case s.more <- 1:
			case <-stop:
				return
			}
		}
	}()
	until("behind while a sink holds it back", m, behind)
	close(stop)
	<-fed
	close(sink.until)
	until("caught up again", m, caught)
}
