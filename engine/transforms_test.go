package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
)

// halves makes two changes of each, and refuses the row whose id is bad.
type halves struct {
	name string
	bad  int64
}

func (h halves) Describe() string { return "halves " + h.name }

func (h halves) Shape(t *tidemill.Table) ([]*tidemill.Table, error) { return []*tidemill.Table{t}, nil }

func (h halves) Apply(dst []tidemill.Change, c *tidemill.Change) ([]tidemill.Change, error) {
	if row := c.Row(); row != nil && row[0].Int() == h.bad {
		return append(dst, *c), errors.New("no half of it")
	}
	return append(dst, *c, *c), nil
}

// passedOn keeps the identities of what is passed on, the reasons of what is rejected, and the ordinals.
type passedOn struct {
	tableSink
	lines []string
}

func (s *passedOn) Write(_ context.Context, out []tidemill.Output) error {
	for i := range out {
		s.lines = append(s.lines, s.line(&out[i]))
		s.mark = tidemill.Mark{Term: s.term, Seq: out[i].Seq}
	}
	return nil
}

func (s *passedOn) line(o *tidemill.Output) string {
	c := o.Change
	if o.Kind == tidemill.RowRejected {
		return fmt.Sprintf("%02d: %s %v %v", o.Seq, o.Reason, c.Before, c.After)
	}
	return fmt.Sprintf("%02d: %d.%d.%d %d", o.Seq, c.Tx.Order, c.N, c.Sub, c.After[0].Int())
}

// TestChainOfTransforms: two transforms that both split give four identities, a row that one refuses is rejected at its
// place without its values, and how the source cuts its batches is not visible.
func TestChainOfTransforms(t *testing.T) {
	table := tidemill.NewTable("", "visits", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}}, []int{0})
	var want []string
	for _, cut := range []int{1, 2, 100} {
		src := &script{table: table, cut: cut}
		for i := range 5 {
			src.stream = append(src.stream, tidemill.Change{Op: tidemill.Insert, Table: table, Tx: &tidemill.Tx{Order: uint64(i + 1)}, After: []tidemill.Value{tidemill.Int(int64(i))}})
		}
		passed, rejected := &passedOn{}, &passedOn{}
		drive(t, tidemill.Flow{Name: "halves", Source: src, Store: store.Memory(), Transforms: []tidemill.Transform{halves{"a", -1}, halves{"b", 3}}, Sinks: []tidemill.Sink{passed}, Rejects: rejected})
		lines := append(passed.lines, rejected.lines...)
		slices.Sort(lines)
		if want == nil {
			want = lines
		}
		if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("batches of %d:\n%s\nnot\n%s", cut, got, strings.Join(want, "\n"))
		}
	}
	seen := map[string]bool{}
	for _, l := range want {
		seen[l[strings.Index(l, ":"):]] = true
	}
	if len(want) != 17 || len(seen) != 17 {
		t.Errorf("%d outputs, %d of them different:\n%s", len(want), len(seen), strings.Join(want, "\n"))
	}
	if !strings.Contains(strings.Join(want, "\n"), "13: visits: transform halves b: no half of it [] []") {
		t.Errorf("no rejected row:\n%s", strings.Join(want, "\n"))
	}
	src := &script{table: table, cut: 2, stream: []tidemill.Change{{Op: tidemill.Insert, Table: table, Tx: &tidemill.Tx{Order: 1}, After: []tidemill.Value{tidemill.Int(3)}}}}
	m, err := engine.Start(t.Context(), tidemill.Flow{Name: "halves", Source: src, Once: true, Transforms: []tidemill.Transform{halves{"b", 3}}, Sinks: []tidemill.Sink{&passedOn{}}})
	if err == nil {
		err = m.Wait()
	}
	if err == nil || !strings.Contains(err.Error(), "no half of it") || !strings.Contains(err.Error(), "rejects:") {
		t.Errorf("without a place for rejects: %v", err)
	}
}
