package model

import (
	"math"
	"testing"

	"github.com/tidemill/tidemill"
)

func learnRows(m tidemill.Model, rows ...[]float64) {
	for _, r := range rows {
		m.Learn(&tidemill.Example{X: &tidemill.Vector{Dense: r}, Weight: 1})
	}
}

// centresOf is the centres, told as weights; nil until there are some.
func centresOf(m tidemill.Model) (out [][]float64) {
	m.(tidemill.Weighted).Weights(func(_ int, _ uint64, centre int, v float64) bool {
		for len(out) <= centre {
			out = append(out, nil)
		}
		out[centre] = append(out[centre], v)
		return true
	})
	return out
}

func centresAre(t *testing.T, m tidemill.Model, want ...[]float64) {
	t.Helper()
	got := centresOf(m)
	for i := range want {
		for j := range want[i] {
			near(t, "centre", got[i][j], want[i][j], 1e-12)
		}
	}
}

// Each number is the published rule, by hand.
func TestKMeansSparkRule(t *testing.T) {
	m := KMeans(2, func(c *KMeansConfig) {
		c.Centers, c.Weights = [][]float64{{0, 0}, {10, 10}}, []float64{2, 4}
		c.Decay, c.Batch = 0.5, 3
	})
	learnRows(m, []float64{1, 1}, []float64{2, 0})
	centresAre(t, m, []float64{0, 0}, []float64{10, 10}) // the batch is not full
	learnRows(m, []float64{12, 14})
	// weights 2·.5+2 = 3 and 4·.5+1 = 3; λ is 2/3 and 1/3.
	centresAre(t, m, []float64{1, 1.0 / 3}, []float64{32.0 / 3, 34.0 / 3})
	learnRows(m, []float64{4, 1.0 / 3}, []float64{4, 1.0 / 3}, []float64{4, 1.0 / 3})
	// 3·.5+3 = 4.5, λ is 2/3; the other centre stays and keeps 1.5.
	centresAre(t, m, []float64{3, 1.0 / 3}, []float64{32.0 / 3, 34.0 / 3})
	if w := m.(*kmeans).weights; w[0] != 4.5 || w[1] != 1.5 {
		t.Errorf("weights %v, want 4.5 and 1.5", w)
	}
}

func TestKMeansPoints(t *testing.T) {
	m := KMeans(1, func(c *KMeansConfig) {
		c.Centers, c.Weights = [][]float64{{0}}, []float64{8}
		c.HalfLife, c.Unit, c.Batch = 1, "points", 3
	})
	learnRows(m, []float64{3}, []float64{3}, []float64{6})
	// 8·.5³ = 1, and 3 rows: λ is 3/4 of the mean 4.
	centresAre(t, m, []float64{3})
}

func TestKMeansDying(t *testing.T) {
	m := KMeans(2, func(c *KMeansConfig) { c.Centers, c.Batch = [][]float64{{1, -8}, {100, 100}}, 2 })
	learnRows(m, []float64{2, -8}, []float64{2, -8})
	// The second centre has weight 0: both become halves of the first, 1e-14 of its size apart.
	got := centresOf(m)
	if got[0][0] != 2+2e-14 || got[1][0] != 2-2e-14 || got[0][1] != -8+8e-14 || got[1][1] != -8-8e-14 {
		t.Errorf("centres %v", got)
	}
	if w := m.(*kmeans).weights; w[0] != 1 || w[1] != 1 {
		t.Errorf("weights %v, want 1 and 1", w)
	}
}

func TestKMeansFlinkRule(t *testing.T) {
	m := KMeans(2, func(c *KMeansConfig) {
		c.Rule, c.Batch = "flink", 2
		c.Centers, c.Weights = [][]float64{{0}, {10}}, []float64{5, 5}
	})
	learnRows(m, []float64{1}, []float64{3})
	// Decay 0: the batch's mean replaces the centre; the other keeps its place, and weight 0 splits nothing.
	centresAre(t, m, []float64{2}, []float64{10})
	if w := m.(*kmeans).weights; w[0] != 2 || w[1] != 0 {
		t.Errorf("weights %v, want 2 and 0", w)
	}
	m = KMeans(2, func(c *KMeansConfig) {
		c.Rule, c.Batch, c.Decay = "flink", 2, 0.5
		c.Centers, c.Weights = [][]float64{{0}, {10}}, []float64{4, 5}
	})
	learnRows(m, []float64{1}, []float64{3})
	centresAre(t, m, []float64{1}, []float64{10})
}

func TestKMeansStart(t *testing.T) {
	rows := func() (out [][]float64) {
		rng := splitMix(7)
		for i := range 300 {
			c := float64(i % 3)
			out = append(out, []float64{10*c + rng.normal(), -10*c + rng.normal()})
		}
		return out
	}()
	m := KMeans(3)
	if err := m.Bind(tidemill.Input{Columns: make([]tidemill.FeatureColumn, 2)}); err != nil {
		t.Fatal(err)
	}
	learnRows(m, rows[:50]...)
	if p := m.Predict(nil, &tidemill.Vector{Dense: rows[0]}); len(p) != 3 || !math.IsNaN(p[0]) {
		t.Errorf("before the start: %v, want 3 NaN", p)
	}
	learnRows(m, rows[50:]...)
	seen := map[int]bool{}
	for i := range 3 {
		p := m.Predict(nil, &tidemill.Vector{Dense: []float64{10 * float64(i), -10 * float64(i)}})
		best := 0
		for j, d := range p {
			if d < p[best] {
				best = j
			}
		}
		if p[best] > 0.5 {
			t.Errorf("nearest centre to blob %d is %v away", i, p[best])
		}
		seen[best] = true
	}
	if len(seen) != 3 {
		t.Error("two blobs share a centre")
	}
	// The end of the snapshot starts with the rows that there are.
	m = KMeans(3)
	learnRows(m, rows[:30]...)
	m.(tidemill.Batched).EndBatch(tidemill.Stream)
	if centresOf(m) == nil {
		t.Error("no centres after the snapshot")
	}
}

func TestKMeansRefuses(t *testing.T) {
	for name, set := range map[string]func(c *KMeansConfig){
		"k":       func(c *KMeansConfig) { c.K = -1 },
		"rule":    func(c *KMeansConfig) { c.Rule = "lloyd" },
		"unit":    func(c *KMeansConfig) { c.Unit = "rows" },
		"decay":   func(c *KMeansConfig) { c.Decay = 2 },
		"centers": func(c *KMeansConfig) { c.Centers = [][]float64{{1}, {1, 2}} },
		"weights": func(c *KMeansConfig) { c.Weights = []float64{1, 2, 3} },
		"batch":   func(c *KMeansConfig) { c.Batch = -1 },
		"start":   func(c *KMeansConfig) { c.StartRows = 1 },
	} {
		c := NewKMeansConfig()
		set(c)
		if _, err := c.Build("f"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	m := KMeans(2)
	if err := m.Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "c", Nominal: true}}}); err == nil {
		t.Error("a category is bound")
	}
}
