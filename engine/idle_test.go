package engine_test

import (
	"context"
	"iter"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
)

// bursts is a script that stops for a minute after each of so many changes.
type bursts struct {
	*script
	after []int
	pause time.Duration
}

func (s *bursts) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		n, at := 0, 0
		for b, err := range s.script.Changes(ctx, after) {
			if !yield(b, err) {
				return
			}
			if n += len(b.Changes); at < len(s.after) && n >= s.after[at] {
				at++
				select {
				case <-time.After(s.pause):
				case <-ctx.Done():
					return
				}
			}
		}
	}
}

// TestIdleAfterWork: a flow tells that it is idle once after what it begins with and once after each burst, not after a
// trickle, and what it let go changes no result.
func TestIdleAfterWork(t *testing.T) {
	run := func(t *testing.T, pause time.Duration) (told []time.Duration, st tidemill.Store, sink *tableSink) {
		st, sink = store.Memory(), &tableSink{}
		synctest.Test(t, func(t *testing.T) {
			table := orders()
			snap, stream := history(table, 5000, 25_000)
			began := time.Now()
			var mu sync.Mutex
			f := tidemill.Flow{Name: "orders", Tasks: []tidemill.Task{lateTask()}, Sinks: []tidemill.Sink{sink}, Store: st, Every: 10 * time.Second,
				Source: &bursts{&script{table: table, snapshot: snap, stream: stream, cut: 50}, []int{5050, 5150, 15_150, 16_150}, pause},
				Idle: func() {
					mu.Lock()
					told = append(told, time.Since(began))
					mu.Unlock()
				}}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			m, err := engine.Start(ctx, f)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Wait(); err != nil {
				t.Fatal(err)
			}
		})
		return told, st, sink
	}
	told, rested, paused := run(t, time.Minute)
	// After the snapshot, after the third burst (the second was 100 changes; the fourth 1,000), and at the end.
	want := []time.Duration{0, 2 * time.Minute, 4 * time.Minute}
	if len(told) != len(want) {
		t.Fatalf("idle was told at %v", told)
	}
	for i, at := range told {
		if d := at - want[i]; d < 3*time.Second || d > 15*time.Second {
			t.Errorf("idle was told %s after burst %d", d, i)
		}
	}
	_, unbroken, straight := run(t, 0)
	sameSections(t, newest(t, unbroken), newest(t, rested))
	if paused.String() != straight.String() {
		t.Error("the outputs differ from those of a flow that never rested")
	}
}
