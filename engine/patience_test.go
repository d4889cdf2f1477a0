package engine_test

import (
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/store"
)

// away is a source that is never reached.
type away struct{ asked atomic.Int64 }

func (s *away) Changes(context.Context, tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		s.asked.Add(1)
		yield(tidemill.Batch{}, errors.New("no route"))
	}
}

func (s *away) Release(context.Context, tidemill.Position) error { return nil }

// TestPatienceWithoutSnapshot: a source that fails before its snapshot has begun is asked again with pauses that grow.
func TestPatienceWithoutSnapshot(t *testing.T) {
	synctest.Test(t, askAway)
}

func askAway(t *testing.T) {
	s := &away{}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	mill, err := engine.Start(ctx, tidemill.Flow{Name: "away", Source: s, Store: store.Memory(),
		Tasks: []tidemill.Task{{Name: "a", Learn: tidemill.On{Op: tidemill.Insert, Table: "t", Label: "y"}, Features: []tidemill.Feature{feature.Numeric("x")}, Model: model.Majority()}}})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(1200 * time.Millisecond)
	stop()
	if err := mill.Wait(); err != nil {
		t.Error(err)
	}
	if n := s.asked.Load(); n != 4 { // after 0, 100, 300 and 700 ms
		t.Errorf("asked %d times in 1.2 seconds", n)
	}
}
