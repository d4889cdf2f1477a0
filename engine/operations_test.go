package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// TestOperations: a task passes a message over and a capture flow hands it on; whatever else has no meaning in a stream ends
// the flow, and what came before it stays.
func TestOperations(t *testing.T) {
	table := orders()
	snap, stream := history(table, 10, 40)
	odd := func(op tidemill.Op, about *tidemill.Table) *script {
		cs := clones(stream[:20])
		cs[9] = tidemill.Change{Op: op, Table: about, Tx: cs[9].Tx}
		return &script{table: table, snapshot: snap, stream: cs, cut: 4}
	}
	for _, about := range []*tidemill.Table{nil, table} {
		s := drive(t, tidemill.Flow{Source: odd(tidemill.LogicalMessage, about), Tasks: []tidemill.Task{lateTask()}})
		if s.Stream.Rows != 20 || s.Changes["message"] != 1 {
			t.Errorf("%d rows, changes %v", s.Stream.Rows, s.Changes)
		}
		sink := &told{name: "told"}
		if s := drive(t, tidemill.Flow{Source: odd(tidemill.LogicalMessage, about), Sinks: []tidemill.Sink{sink}}); s.Outputs != 30 {
			t.Errorf("%d changes passed on, want 30", s.Outputs)
		}
	}
	for op, want := range map[tidemill.Op]string{
		tidemill.Read:                     "a snapshot's row after its snapshot",
		tidemill.Control:                  "a control",
		tidemill.Insert | tidemill.Update: "insert|update (0x6) is not known",
		1 << 9:                            "(0x200) is not known",
		0:                                 "(0x0) is not known",
	} {
		for _, tasks := range [][]tidemill.Task{nil, {lateTask()}} {
			m, err := engine.Start(t.Context(), tidemill.Flow{Source: odd(op, table), Tasks: tasks, Once: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Wait(); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), want) || errors.Is(err, tidemill.ErrGap) {
				t.Errorf("%s: %v, want %q", op, err, want)
			}
			if n := m.Status().Position; n != "s:8" {
				t.Errorf("%s: stopped at %s", op, n)
			}
		}
	}
}
