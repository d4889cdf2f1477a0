package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/store"
)

// whole is a source that gives its snapshot, and the word that it is whole, as one batch.
type whole struct{ script }

func (s *whole) Changes(ctx context.Context, _ tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		if yield(tidemill.Batch{Changes: clones(s.snapshot), Upto: "s:0", Live: true, CaughtUp: true}, nil) {
			<-ctx.Done()
		}
	}
}

// refuser refuses the row of an id.
type refuser struct{ id int64 }

func (refuser) Describe() string                                   { return "refuser" }
func (refuser) Shape(t *tidemill.Table) ([]*tidemill.Table, error) { return []*tidemill.Table{t}, nil }
func (r refuser) Apply(dst []tidemill.Change, c *tidemill.Change) ([]tidemill.Change, error) {
	if c.After[0].Int() == r.id {
		return dst, errors.New("not this one")
	}
	return append(dst, *c), nil
}

// ordinals keeps what it is told, with the ordinals, and outlives a run.
type ordinals struct {
	tableSink
	lines *[]string
}

func (s *ordinals) Write(ctx context.Context, out []tidemill.Output) error {
	for i := range out {
		*s.lines = append(*s.lines, fmt.Sprintf("%d %s %s", out[i].Seq, out[i].Kind, out[i].ID))
	}
	return s.tableSink.Write(ctx, out)
}

// TestRefusedRowOfASnapshot: a row that a transform refuses is told at its place among the snapshot's rows, the last of them too:
// before what the passes over the snapshot tell.
func TestRefusedRowOfASnapshot(t *testing.T) {
	table := orders()
	snap, _ := history(table, 4, 4)
	snap[1].After[2], snap[3].After[2] = tidemill.Null(), tidemill.Null()
	for id, want := range map[int64]string{0: "[1 reject ] [2 prediction 1 3 prediction 3]", 2: "[1 reject ] [2 prediction 1 3 prediction 3]", 3: "[1 reject ] [2 prediction 1]"} {
		var told, rejected []string
		s := drive(t, tidemill.Flow{Name: "orders", Source: &whole{script{table: table, snapshot: snap}}, Store: store.Memory(), Tasks: []tidemill.Task{lateTask()},
			Transforms: []tidemill.Transform{refuser{id}}, Sinks: []tidemill.Sink{&ordinals{lines: &told}}, Rejects: &ordinals{lines: &rejected}})
		if got := fmt.Sprint(rejected, " ", told); got != want || s.Rejected != 1 {
			t.Errorf("row %d is refused: %s, want %s", id, got, want)
		}
	}
}
