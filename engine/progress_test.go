package engine_test

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
)

// counted is a source that knows how many rows it has, and gives half of them before it is let go on.
type counted struct{ half chan bool }

func (c *counted) Count(context.Context) (snapshot, stream uint64, err error) { return 1000, 0, nil }

func (c *counted) Release(context.Context, tidemill.Position) error { return nil }

func (c *counted) Changes(ctx context.Context, _ tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	table := tidemill.NewTable("", "t", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "x", Kind: tidemill.KindInt}, {Name: "y", Kind: tidemill.KindBool}}, []int{0})
	return func(yield func(tidemill.Batch, error) bool) {
		for part := range 2 {
			var b tidemill.Batch
			for i := range 500 {
				n := part*500 + i
				b.Changes = append(b.Changes, tidemill.Change{Op: tidemill.Read, Table: table, Tx: &tidemill.Tx{Order: 1}, N: uint64(n),
					After: []tidemill.Value{tidemill.Int(int64(n)), tidemill.Int(int64(n % 7)), tidemill.Bool(n%7 > 3)}})
			}
			if part == 1 {
				select {
				case <-c.half:
				case <-ctx.Done():
					return
				}
				b.Upto, b.Live, b.CaughtUp = "c:1", true, true
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

func TestProgress(t *testing.T) {
	src := &counted{make(chan bool)}
	mill, err := engine.Start(t.Context(), tidemill.Flow{Name: "p", Source: src, Store: store.Dir(t.TempDir()), Tasks: []tidemill.Task{{Name: "y", Epochs: 4,
		Learn:    tidemill.On{Op: tidemill.Insert, Table: "t", Label: "y"},
		Features: []tidemill.Feature{feature.Numeric("x")}, Model: model.Logistic(model.SGD(0.1)), Scores: []tidemill.Score{score.Accuracy()}}}})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		s := mill.Status().Snapshot
		if s.Rows == 500 && s.Total == 1000 {
			if done, total := s.Work(); done != 500 || total != 4000 || s.Epoch != 1 || s.Epochs != 4 {
				t.Errorf("%+v: %d of %d", s, done, total)
			}
			if left, ok := s.Left(100); !ok || left != 35*time.Second {
				t.Errorf("%v left", left)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v", s)
		}
	}
	close(src.half)
	if err := mill.Wait(); err != nil {
		t.Fatal(err)
	}
	if s := mill.Status().Snapshot; !s.Done || s.Rows != 1000 || s.PassTotal != 0 {
		t.Errorf("at the end: %+v", s)
	}
}
