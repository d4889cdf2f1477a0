package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/score"
)

// resender loses its connection once, inside what it yields without a position, and yields all of it again.
type resender struct {
	first, second [][]tidemill.Change // batches of the two connections; the first ends in an error
	calls         int
}

func (s *resender) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		s.calls++
		batches := s.first
		if s.calls == 1 {
			if !yield(tidemill.Batch{Upto: "whole", Live: true}, nil) {
				return
			}
		} else if batches = s.second; after != "whole" {
			yield(tidemill.Batch{}, tidemill.Fatalf("asked after %q", after))
			return
		}
		for _, cs := range batches {
			if !yield(tidemill.Batch{Changes: slices.Clone(cs), Live: true}, nil) {
				return
			}
		}
		if s.calls == 1 {
			yield(tidemill.Batch{}, errors.New("the connection is lost"))
			return
		}
		if yield(tidemill.Batch{Upto: "end", Live: true, CaughtUp: true}, nil) {
			<-ctx.Done()
		}
	}
}

func (s *resender) Release(context.Context, tidemill.Position) error { return nil }

// cutUp is changes in batches of at most n.
func cutUp(cs []tidemill.Change, n int) [][]tidemill.Change {
	return slices.Collect(slices.Chunk(cs, n))
}

// identities keeps the identities of the changes that are passed on.
type identities struct {
	quiet
	got []string
}

func (s *identities) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{}, errors.ErrUnsupported
}

func (s *identities) Write(_ context.Context, out []tidemill.Output) error {
	for i := range out {
		s.got = append(s.got, identityText(out[i].Change))
	}
	return nil
}

func identityText(c *tidemill.Change) string {
	return fmt.Sprintf("%d/%d/%d/%d", c.Part, c.Tx.Order, c.N, c.Sub)
}

// quiet is a sink that takes everything and keeps nothing.
type quiet struct{}

func (quiet) Resume(context.Context, tidemill.Resumption) error   { return nil }
func (quiet) Write(context.Context, []tidemill.Output) error      { return nil }
func (quiet) Flush(context.Context) (mk tidemill.Mark, err error) { return mk, nil }
func (quiet) Close() error                                        { return nil }

// resent are histories whose changes differ in one part of the identity each, and in all.
func resent(table *tidemill.Table) map[string][]tidemill.Change {
	txs := map[uint64]*tidemill.Tx{}
	change := func(part uint32, order, n uint64, sub uint16) tidemill.Change {
		if txs[order] == nil {
			txs[order] = &tidemill.Tx{Order: order, Commit: day.Add(time.Duration(order) * time.Second)}
		}
		row := []tidemill.Value{tidemill.Int(int64(part)*1000 + int64(order)*100 + int64(n)*10 + int64(sub)), tidemill.Float(0.5), tidemill.Bool(n%2 == 0)}
		return tidemill.Change{Op: tidemill.Insert, Table: table, Part: part, Tx: txs[order], N: n, Sub: sub, After: row}
	}
	out := map[string][]tidemill.Change{}
	for i := range uint64(5) {
		out["order"] = append(out["order"], change(0, 7+i, 0, 0))
		out["n"] = append(out["n"], change(0, 7, i, 0))
		out["sub"] = append(out["sub"], change(0, 7, 3, uint16(i)))
		out["n from 1, two transactions"] = append(out["n from 1, two transactions"], change(0, 7+i/3, 1+i%3, 0))
		// Lane 1 is far ahead of lane 2 in every number, so that one mark for both loses all of lane 2, or lets lane 1 through again.
		out["part"] = append(out["part"], change(1, 90+i, 50+i, 0), change(2, 7, i, 0))
	}
	return out
}

// TestResentChanges: what a source yields again after a reconnect is skipped, exactly that, by lane and by every part of
// the identity, however either connection cuts its batches.
func TestResentChanges(t *testing.T) {
	table := orders()
	for name, all := range resent(table) {
		again := slices.Clone(all)
		slices.SortStableFunc(again, func(a, b tidemill.Change) int { return int(b.Part) - int(a.Part) }) // the lanes come otherwise
		for lost := 0; lost <= len(all); lost++ {
			for _, cut := range []int{1, 2, len(all)} {
				for _, recut := range []int{1, 3, len(all)} {
					t.Run(fmt.Sprintf("%s/%d/%d/%d", name, lost, cut, recut), func(t *testing.T) {
						src := func() *resender {
							return &resender{first: cutUp(all[:lost], cut), second: cutUp(again, recut)}
						}
						synctest.Test(t, func(t *testing.T) { passesOnce(t, src(), all) })
						synctest.Test(t, func(t *testing.T) { learnsOnce(t, src(), len(all)) })
					})
				}
			}
		}
	}
}

func runOnce(t *testing.T, f tidemill.Flow) *engine.Status {
	f.Once = true
	m, err := engine.Start(t.Context(), f)
	if err == nil {
		err = m.Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	return m.Status()
}

func passesOnce(t *testing.T, src *resender, all []tidemill.Change) {
	sink := &identities{}
	s := runOnce(t, tidemill.Flow{Source: src, Sinks: []tidemill.Sink{sink}})
	if int(s.Stream.Rows) != len(all) || int(s.Outputs) != len(all) {
		t.Errorf("%d changes and %d outputs of %d", s.Stream.Rows, s.Outputs, len(all))
	}
	for part := range uint32(3) { // in each lane in its order, each once
		var want, got []string
		prefix := fmt.Sprintf("%d/", part)
		for i := range all {
			if all[i].Part == part {
				want = append(want, identityText(&all[i]))
			}
		}
		for _, id := range sink.got {
			if strings.HasPrefix(id, prefix) {
				got = append(got, id)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("lane %d: %v, want %v", part, got, want)
		}
	}
}

func learnsOnce(t *testing.T, src *resender, n int) {
	s := runOnce(t, tidemill.Flow{Source: src, Tasks: []tidemill.Task{{Name: "late", Snapshot: tidemill.SnapshotSkip,
		Learn:    tidemill.On{Op: tidemill.Insert, Table: "orders", Label: "late"},
		Features: []tidemill.Feature{&column{name: "x"}}, Model: &slope{}, Scores: []tidemill.Score{score.Accuracy()}}}})
	if int(s.Tasks[0].Counts.Learned) != n {
		t.Errorf("%d rows learned of %d", s.Tasks[0].Counts.Learned, n)
	}
}
