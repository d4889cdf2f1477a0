package engine_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
)

// torrent is a source of rows with their label, as fast as they are taken; of so many rows, or without end.
type torrent struct {
	table *tidemill.Table
	rows  uint64
}

func (s *torrent) Release(context.Context, tidemill.Position) error { return nil }

func (s *torrent) Changes(ctx context.Context, _ tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		if !yield(tidemill.Batch{Upto: "t:0", Live: true}, nil) {
			return
		}
		for n := uint64(0); ctx.Err() == nil && (s.rows == 0 || n < s.rows); {
			b := tidemill.Batch{Live: true}
			for range 1000 {
				if s.rows > 0 && n == s.rows {
					break
				}
				n++
				h := tidemill.Hash(fmt.Sprint(n))
				b.Changes = append(b.Changes, tidemill.Change{Op: tidemill.Insert, Table: s.table, Tx: &tidemill.Tx{Order: n, Commit: time.Unix(1700000000+int64(n), 0)},
					After: []tidemill.Value{tidemill.Int(int64(n)), tidemill.Int(int64(h % 100)), tidemill.Text([]string{"a", "b", "c"}[h>>8%3]), tidemill.Bool(h%100 > 40+h>>16%20)}})
			}
			b.Upto = tidemill.Position(fmt.Sprintf("t:%d", n))
			if !yield(b, nil) {
				return
			}
		}
	}
}

func torrentTable() *tidemill.Table {
	return tidemill.NewTable("", "t", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "x", Kind: tidemill.KindInt}, {Name: "k", Kind: tidemill.KindText},
		{Name: "y", Kind: tidemill.KindBool}}, []int{0})
}

func startTorrent(t *testing.T, rows uint64, more ...tidemill.Feature) *engine.Mill {
	t.Helper()
	mill, err := engine.Start(t.Context(), tidemill.Flow{Name: "torrent", Source: &torrent{torrentTable(), rows}, Tasks: []tidemill.Task{{Name: "y",
		Learn:    tidemill.On{Op: tidemill.Insert, Table: "t", Label: "y"},
		Features: append([]tidemill.Feature{feature.Numeric("x"), feature.OneHot("k")}, more...), Model: model.Logistic(model.SGD(0.01)),
		Scores: []tidemill.Score{score.Accuracy()}, Snapshot: tidemill.SnapshotSkip}}})
	if err != nil {
		t.Fatal(err)
	}
	return mill
}

// A prediction that is given while the flow learns at full speed is, to the bit, the one that the model gives after as
// many rows as the prediction's version says.
func TestPredictionsWhileLearning(t *testing.T) {
	t.Run("columns", func(t *testing.T) { predictWhileLearning(t, func() []tidemill.Feature { return nil }) })
	t.Run("windows", func(t *testing.T) {
		predictWhileLearning(t, func() []tidemill.Feature {
			return []tidemill.Feature{feature.Count("t", "k", time.Minute), feature.Mean("x", "t", "k", time.Hour), feature.Distinct("x", "t", "k", 50*time.Second)}
		})
	})
}

func predictWhileLearning(t *testing.T, more func() []tidemill.Feature) {
	mill := startTorrent(t, 0, more()...)
	row := tidemill.Row{"x": 43, "k": "b"}
	var mu sync.Mutex
	given := map[string]float64{}
	seen := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(given)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			last := uint64(0)
			// On a machine that is busy otherwise, three versions may take longer.
			for end, late := time.Now().Add(400*time.Millisecond), time.Now().Add(30*time.Second); time.Now().Before(end) || seen() < 3 && time.Now().Before(late); {
				p, err := mill.Predict("y", row)
				if err != nil {
					time.Sleep(time.Millisecond)
					continue // it has learned nothing yet
				}
				var learned uint64
				fmt.Sscanf(p.Version, "1.%d", &learned)
				if learned+200000 < last {
					t.Errorf("the model is %d rows older than the one before", last-learned)
				}
				last = max(last, learned)
				mu.Lock()
				if old, ok := given[p.Version]; ok && old != p.Probabilities["true"] {
					t.Errorf("two answers of version %s: %v and %v", p.Version, old, p.Probabilities["true"])
				}
				given[p.Version] = p.Probabilities["true"]
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := mill.Stop(); err != nil {
		t.Fatal(err)
	}
	if len(given) < 3 {
		t.Fatalf("%d versions were seen", len(given))
	}
	tried := 0
	for version, want := range given {
		var learned uint64
		fmt.Sscanf(version, "1.%d", &learned)
		if tried++; tried > 5 {
			break
		}
		again := startTorrent(t, learned, more()...)
		if err := again.Wait(); err != nil {
			t.Fatal(err)
		}
		if p, err := again.Predict("y", row); err != nil || p.Version != version || p.Probabilities["true"] != want {
			t.Errorf("after %d rows %v of %s (%v); while learning it was %v", learned, p.Probabilities["true"], p.Version, err, want)
		}
	}
}

// Rows that are asked together get the bits that each gets alone, and a wrong one is named.
func TestPredictBatch(t *testing.T) {
	for name, m := range map[string]tidemill.Model{"mlp": model.MLP(func(c *model.MLPConfig) { c.Hidden = []int{8} }), "logistic": model.Logistic(model.SGD(0.01))} {
		table := torrentTable()
		mill, err := engine.Start(t.Context(), tidemill.Flow{Source: &torrent{table, 5000}, Tasks: []tidemill.Task{{Name: "y", Classes: []string{"false", "true"},
			Learn: tidemill.On{Op: tidemill.Insert, Table: "t", Label: "y"}, Features: []tidemill.Feature{feature.Numeric("id", "x")}, Model: m}}})
		if err != nil {
			t.Fatal(name, err)
		}
		if err := mill.Wait(); err != nil {
			t.Fatal(name, err)
		}
		rows := make([]tidemill.Row, 200)
		for i := range rows {
			rows[i] = tidemill.Row{"id": i, "x": i * 7 % 100}
		}
		all, err := mill.PredictBatch("y", rows)
		if err != nil {
			t.Fatal(name, err)
		}
		for i, r := range rows {
			one, err := mill.Predict("y", r)
			if err != nil || one.Probabilities["true"] != all[i].Probabilities["true"] || one.Label != all[i].Label || one.Version != all[i].Version {
				t.Fatalf("%s, row %d: alone %+v (%v), together %+v", name, i, one, err, all[i])
			}
		}
		rows[150] = tidemill.Row{"idd": 1}
		if _, err := mill.PredictBatch("y", rows); err == nil || !strings.HasPrefix(err.Error(), "row 150: ") || !strings.Contains(err.Error(), "idd") {
			t.Error(name, err)
		}
	}
}

// Of a row that is asked about a window reads what it is matched by, not what it folds in of other rows: only that can be
// missing, and only that does the form ask for.
func TestPredictAsksForWhatIsRead(t *testing.T) {
	mill, err := engine.Start(t.Context(), tidemill.Flow{Source: &torrent{torrentTable(), 500}, Tasks: []tidemill.Task{{Name: "y", Classes: []string{"false", "true"},
		Learn:    tidemill.On{Op: tidemill.Insert, Table: "t", Label: "y"},
		Features: []tidemill.Feature{feature.Numeric("x"), feature.Count("t", "k", time.Hour)}, Model: model.Logistic(model.SGD(0.01)), Snapshot: tidemill.SnapshotSkip}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := mill.Wait(); err != nil {
		t.Fatal(err)
	}
	p, err := mill.Predict("y", tidemill.Row{"x": 1})
	if err != nil || strings.Join(p.Missing, " ") != "k" {
		t.Errorf("missing %v, %v", p.Missing, err)
	}
	if c := mill.Status().Tasks[0].Columns; len(c) != 2 || c[0].Name != "x" || c[1].Name != "k" {
		t.Errorf("%+v", c)
	}
}
