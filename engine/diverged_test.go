package engine_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/model"
)

// TestDivergedIsSaid: a model that steps too far is warned of in the status, and alarms once; one that learns is not, nor
// one that has seen a handful of rows.
func TestDivergedIsSaid(t *testing.T) {
	table := tidemill.NewTable("", "homes", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "x", Kind: tidemill.KindFloat},
		{Name: "y", Kind: tidemill.KindFloat}}, []int{0})
	for name, c := range map[string]struct {
		model tidemill.Model
		rows  int
		says  bool
	}{
		"momentum 0.5": {model.Linear(model.Momentum(0.5)), 2000, true},
		"few rows":     {model.Linear(model.Momentum(0.5)), 90, false},
		"sgd":          {model.Linear(model.SGD(0.01)), 2000, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			src := &script{table: table, cut: 50}
			for i := range c.rows {
				x := r.NormFloat64()
				src.stream = append(src.stream, tidemill.Change{Op: tidemill.Insert, Table: table, Tx: &tidemill.Tx{Order: uint64(i + 1), Commit: time.Unix(int64(i), 0)},
					After: []tidemill.Value{tidemill.Int(int64(i)), tidemill.Float(x), tidemill.Float(3*x + r.NormFloat64())}})
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			m, err := engine.Start(ctx, tidemill.Flow{Name: "homes", Source: src, Every: 10 * time.Millisecond, Tasks: []tidemill.Task{{Name: "price",
				Predict: tidemill.On{Op: tidemill.Insert, Table: "homes"}, Learn: tidemill.On{Op: tidemill.Insert, Table: "homes", Label: "y"},
				Features: []tidemill.Feature{&column{name: "x"}}, Model: c.model}}})
			if err != nil {
				t.Fatal(err)
			}
			alarms := func(s *engine.Status) (n int) {
				for _, e := range s.Events {
					if e.Kind == "model" && strings.Contains(e.Text, "task price: the model has diverged") {
						n++
					}
				}
				return n
			}
			for begin := time.Now(); time.Since(begin) < 10*time.Second; time.Sleep(5 * time.Millisecond) {
				if s := m.Status(); s.Tasks[0].Counts.Learned == uint64(c.rows) && (!c.says || alarms(s) > 0) {
					break
				}
			}
			time.Sleep(50 * time.Millisecond) // a second alarm would come at the next look
			stop()
			if err := m.Wait(); err != nil {
				t.Fatal(err)
			}
			s := m.Status()
			if s.Tasks[0].Counts.Learned != uint64(c.rows) {
				t.Fatalf("%d learned", s.Tasks[0].Counts.Learned)
			}
			want := 0
			if c.says {
				want = 1
			}
			if n := alarms(s); n != want {
				t.Errorf("%d alarms, want %d: %v", n, want, s.Events)
			}
			if said := strings.Contains(strings.Join(s.Tasks[0].Warnings, "\n"), "has diverged: half of"); said != c.says {
				t.Errorf("warnings %q", s.Tasks[0].Warnings)
			}
		})
	}
}
