package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
)

// rowByRow is a model without its batch upgrades.
type rowByRow struct {
	tidemill.Model
	tidemill.Batched
	tidemill.Preparer
}

func alone(m tidemill.Model) tidemill.Model {
	p, _ := m.(tidemill.Preparer) // encoders are the task's own below
	return &rowByRow{m, m.(tidemill.Batched), p}
}

func (r *rowByRow) New() tidemill.Model { return alone(r.Model.New()) }

// TestLearnEncoded learns a snapshot behind encoders that learn, of every sort, in blocks and row by row: all states are
// the same, bit for bit, and so are the scores.
func TestLearnEncoded(t *testing.T) {
	table := tidemill.NewTable("", "t", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "a", Kind: tidemill.KindFloat}, {Name: "b", Kind: tidemill.KindFloat},
		{Name: "c", Kind: tidemill.KindText}, {Name: "d", Kind: tidemill.KindText}, {Name: "w", Kind: tidemill.KindFloat}, {Name: "y", Kind: tidemill.KindInt}}, []int{0})
	r := rand.New(rand.NewPCG(3, 4))
	tx := &tidemill.Tx{Order: 1, Commit: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var rows []tidemill.Change
	for i := range 1000 {
		y := r.IntN(3)
		a := tidemill.Float(float64(y)*100 + 40*r.NormFloat64())
		if i%37 == 5 {
			a = tidemill.Null()
		}
		rows = append(rows, tidemill.Change{Op: tidemill.Read, Table: table, Tx: tx, N: uint64(i), After: []tidemill.Value{tidemill.Int(int64(i)), a, tidemill.Float(r.ExpFloat64() * 1e6),
			tidemill.Text(fmt.Sprint("c", (y+r.IntN(2))%3)), tidemill.Text(fmt.Sprint("d", r.IntN(9))), tidemill.Float(float64(1 + r.IntN(3))), tidemill.Int(int64(y))}})
	}
	learned := func(m tidemill.Model, weight string, cut, epochs int) (map[string][]byte, string) {
		states := store.Memory()
		label, classes, scores := "y", []string{"0", "1", "2"}, []tidemill.Score{score.Accuracy(), score.LogLoss()}
		encoders := []tidemill.Encoder{encode.Target(5), encode.OneHotDense(4), encode.Missing(), encode.Standard()}
		if m.Kind() == tidemill.Cluster {
			label, classes, scores = "", nil, []tidemill.Score{score.Silhouette()}
		}
		mill, err := engine.Start(context.Background(), tidemill.Flow{Name: "f", Source: &script{table: table, snapshot: rows, cut: cut}, Store: states, Once: true, Every: time.Hour,
			Tasks: []tidemill.Task{{Name: "y", Learn: tidemill.On{Op: tidemill.Insert, Table: "t", Label: label}, Classes: classes, Weight: weight, Epochs: epochs,
				Features: []tidemill.Feature{feature.Numeric("a", "b"), feature.OneHot("c"), feature.Category("d")},
				Encoders: encoders, Model: m, Scores: scores}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := mill.Wait(); err != nil {
			t.Fatal(err)
		}
		ids, _, err := states.List(context.Background())
		if err != nil || len(ids) == 0 {
			t.Fatal(ids, err)
		}
		c, err := states.Load(context.Background(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][]byte{}
		for _, s := range c.Sections {
			if s.Name != "flow" && s.Name != "journal" {
				out[s.Name] = s.Data
			}
		}
		return out, fmt.Sprint(*mill.Status().Tasks[0].Scores[0].Value)
	}
	for kind, made := range map[string]func() tidemill.Model{
		"mlp": func() tidemill.Model {
			return model.MLP(func(c *model.MLPConfig) { c.Hidden, c.Batch = []int{12}, 17 })
		},
		"kmeans": func() tidemill.Model { return model.KMeans(3, func(c *model.KMeansConfig) { c.Batch = 17 }) },
	} {
		for _, weight := range []string{"", "w"} {
			want, first := learned(alone(made()), weight, 1000, 2)
			for _, cut := range []int{1000, 300, 7, 1} {
				got, also := learned(made(), weight, cut, 2)
				for name := range want {
					if !bytes.Equal(got[name], want[name]) {
						t.Errorf("%s, weight %q, batches of %d: %s differs from row by row", kind, weight, cut, name)
					}
				}
				if also != first || len(got) != len(want) {
					t.Errorf("%s scores %s, row by row %s; %d and %d sections", kind, also, first, len(got), len(want))
				}
			}
		}
	}
}
