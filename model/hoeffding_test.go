package model

import (
	"math"
	"testing"

	"github.com/tidemill/tidemill"
)

// The figures of River 0.26.1 on the same rows. River answers the first by the alphabet among classes of equal
// probability; classes as they come is River with the classes numbered so.
func TestHoeffdingTreeStreams(t *testing.T) {
	elec2, phishing := elec2(t), phishing(t)
	for _, c := range []struct {
		name      string
		s         *stream
		delay     int
		acc, loss float64
	}{
		{"elec2", elec2, 0, 79.8504, .735112169},
		{"elec2 48 late", elec2, 48, 76.5244, 0},
		{"elec2 500 late", elec2, 500, 74.0181, 0},
		{"phishing", phishing, 0, 87.9904, 0},
		{"phishing 48 late", phishing, 48, 87.6872, 0},
		{"phishing 500 late", phishing, 500, 88.1333, 0},
		{"bananas", bananas(t), 0, 64.3140, 0},
		{"segments", imageSegments(t, true), 0, 77.8259, 2.115776452},
		{"segments as they come", imageSegments(t, false), 0, 77.8692, 2.115776452},
	} {
		f := validate(t, HoeffdingTree(), c.s, c.delay)
		near(t, c.name+" accuracy", f.accuracy(), c.acc, 5e-5)
		if c.loss > 0 {
			near(t, c.name+" log loss", f.logLoss(), c.loss, 1e-9)
		}
		t.Logf("%s %d %.4f %.9f", c.name, f.n, f.accuracy(), f.logLoss())
	}
	m := HoeffdingTree()
	validate(t, m, elec2, 0)
	if tests, leaves, height := m.(*hoeffding).Size(); tests+leaves != 49 || leaves != 25 || height != 9 {
		t.Errorf("%d tests, %d leaves, height %d; want 24, 25, 9", tests, leaves, height)
	}
}

func TestHoeffdingTreeCategories(t *testing.T) {
	columns := []tidemill.FeatureColumn{{Name: "noise"}, {Name: "fruit", Nominal: true}}
	m := HoeffdingTree()
	if err := m.Bind(tidemill.Input{Columns: columns}); err != nil {
		t.Fatal(err)
	}
	rng := splitMix(1)
	// Fruits 1 to 4 and their classes; of fruit 9 the tree hears only after it has split.
	class := map[float64]float64{1: 0, 2: 1, 3: 2, 4: 1, 9: 0}
	row := func(fruit float64) *tidemill.Example {
		return example([]float64{rng.normal(), fruit}, class[fruit])
	}
	for i := range 2000 {
		m.Learn(row(float64(1 + i%4)))
	}
	if tests, leaves, _ := m.(*hoeffding).Size(); tests != 1 || leaves != 4 {
		t.Errorf("%d tests and %d leaves, want one test of 4 branches", tests, leaves)
	}
	for range 5 {
		m.Learn(row(9))
	}
	for fruit, want := range class {
		p := m.Predict(nil, row(fruit).X)
		if largest(p) != int(want) {
			t.Errorf("fruit %v: %v", fruit, p)
		}
	}
	if p := m.Predict(nil, &tidemill.Vector{Dense: []float64{0, math.NaN()}}); p[0] != p[0] {
		t.Errorf("an unknown category: %v", p)
	}
}

func TestHoeffdingTreeMemory(t *testing.T) {
	s := elec2(t)
	m := HoeffdingTree(func(c *HoeffdingTreeConfig) { c.MaxSize = 0.02 })
	f := validate(t, m, s, 0)
	h := m.(*hoeffding)
	idle := 0
	for i := range h.nodes {
		if l := h.nodes[i].leaf; l != nil && l.idle {
			idle++
		}
	}
	if idle == 0 || idle != h.idle || f.accuracy() < 70 {
		t.Errorf("%d idle leaves, %d counted, accuracy %.2f", idle, h.idle, f.accuracy())
	}
	m = HoeffdingTree(func(c *HoeffdingTreeConfig) { c.MaxDepth = 2 })
	validate(t, m, s, 0)
	if _, _, height := m.(*hoeffding).Size(); height != 3 {
		t.Errorf("height %d, want 3", height)
	}
}

func TestHoeffdingTreeLeaves(t *testing.T) {
	s := elec2(t)
	nba := validate(t, HoeffdingTree(), s, 0).accuracy()
	for _, leaf := range []string{"nb", "mc"} {
		if acc := validate(t, HoeffdingTree(func(c *HoeffdingTreeConfig) { c.Leaf = leaf }), s, 0).accuracy(); acc == nba || acc < 60 {
			t.Errorf("leaf %s: accuracy %.4f", leaf, acc)
		}
	}
}
