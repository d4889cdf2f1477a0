package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
)

// untimed is rows of a source that tells no commit time, as a file; one is of the year 9999.
func untimed(table *tidemill.Table, op tidemill.Op) []tidemill.Change {
	var out []tidemill.Change
	for i := range 200 {
		at := time.Date(2026, 3, 1, 0, i, 0, 0, time.UTC)
		if i == 20 {
			at = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		out = append(out, tidemill.Change{Op: op, Table: table, Tx: &tidemill.Tx{Order: uint64(i + 1)},
			After: []tidemill.Value{tidemill.Int(int64(i)), tidemill.Float(float64(i % 7)), tidemill.Int(int64(i % 2)), tidemill.TimeOf(at)}})
	}
	return out
}

// TestFarFutureWithoutCommitTime: where the source tells no commit time, no row tells one that is far beyond the time of
// reading. It is rejected and moves no clock, in the stream, in every epoch of a snapshot and in a replay.
func TestFarFutureWithoutCommitTime(t *testing.T) {
	table := tidemill.NewTable("", "visits", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "x", Kind: tidemill.KindFloat},
		{Name: "y", Kind: tidemill.KindInt}, {Name: "ts", Kind: tidemill.KindTime}}, []int{0})
	for name, c := range map[string]struct {
		how     tidemill.SnapshotMode
		epochs  int
		stream  bool
		learned uint64
	}{"stream": {stream: true, learned: 199}, "epochs": {epochs: 3, learned: 199}, "replay": {how: tidemill.SnapshotReplay, learned: 199}} {
		t.Run(name, func(t *testing.T) {
			src := &script{table: table, cut: 30}
			if c.stream {
				src.stream = untimed(table, tidemill.Insert)
			} else {
				src.snapshot = untimed(table, tidemill.Read)
			}
			on := tidemill.On{Op: tidemill.Insert, Table: "visits", At: "ts"}
			learn := on
			learn.Label = "y"
			rejects := &tableSink{}
			s := drive(t, tidemill.Flow{Name: "visits", Source: src, Store: store.Memory(), Rejects: rejects, Tasks: []tidemill.Task{{Name: "y",
				Predict: on, Learn: learn, Wait: time.Hour, Snapshot: c.how, Epochs: c.epochs,
				Features: []tidemill.Feature{&column{name: "x"}}, Model: &slope{}}}})
			k := s.Tasks[0].Counts
			if k.Learned != c.learned || k.Late != 0 || k.Rejected != 1 || k.Expired != 0 {
				t.Errorf("%d learned, %d late, %d rejected, %d expired", k.Learned, k.Late, k.Rejected, k.Expired)
			}
			if want := time.Date(2026, 3, 1, 3, 19, 0, 0, time.UTC); !s.Clock.Equal(want) {
				t.Errorf("the clock is at %v, want %v", s.Clock, want)
			}
			if s.LagSeconds > 60 {
				t.Errorf("a lag of %v s", s.LagSeconds)
			}
			if len(s.Rejects) != 1 || !strings.Contains(s.Rejects[0].Reason, "more than a day after it was read") {
				t.Errorf("rejects %+v", s.Rejects)
			}
		})
	}
}

// TestNumbersAsTimes: a column of numbers is no time until the flow says what they count.
func TestNumbersAsTimes(t *testing.T) {
	for unix, want := range map[string]string{"": "column x holds numbers (float): say `unix: s`", "s": ""} {
		on := tidemill.On{Op: tidemill.Insert, Table: "visits", At: "x", Unix: unix}
		table := tidemill.NewTable("", "visits", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "x", Kind: tidemill.KindFloat},
			{Name: "y", Kind: tidemill.KindInt}, {Name: "ts", Kind: tidemill.KindTime}}, []int{0})
		learn := on
		learn.Label = "y"
		m, err := engine.Start(t.Context(), tidemill.Flow{Name: "visits", Source: &script{table: table, cut: 30, stream: untimed(table, tidemill.Insert)},
			Once: true, Tasks: []tidemill.Task{{Name: "y", Predict: on, Learn: learn, Features: []tidemill.Feature{&column{name: "x"}}, Model: &slope{}}}})
		if err == nil {
			err = m.Wait()
		}
		if (err != nil) != (want != "") || !strings.Contains(fmt.Sprint(err), want) && want != "" {
			t.Errorf("unix %q: %v", unix, err)
		}
	}
}
