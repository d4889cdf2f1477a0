package model

import (
	"math"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/tidemilltest"
)

// TestModelsAreNotPoisoned teaches every kind rows with absurd numbers, with its own encoders, those of the task and none:
// whatever it predicts of them, its predictions of sane rows are numbers again, and its state can be read back.
func TestModelsAreNotPoisoned(t *testing.T) {
	models := map[string]func() tidemill.Model{
		"mlp":            func() tidemill.Model { return MLP(func(c *MLPConfig) { c.Hidden, c.Batch = []int{4}, 4 }) },
		"mlp regress":    func() tidemill.Model { return MLP(regress, func(c *MLPConfig) { c.Hidden, c.Batch = []int{4}, 4 }) },
		"linear adagrad": func() tidemill.Model { return Linear(AdaGrad(0.1)) },
		"linear ftrl":    func() tidemill.Model { return Linear(FTRL(0.1)) },
		"linear l2":      func() tidemill.Model { return Linear(SGD(0.1), L2(0.1)) },
	}
	for _, more := range []map[string]func() tidemill.Model{dense(), linears()} {
		for name, made := range more {
			models[name] = made
		}
	}
	absurd := []float64{math.MaxFloat64, -math.MaxFloat64, 1e308, -1e200, 1e160, -1e155, 1e18, 5e-324}
	for name, made := range models {
		for _, how := range []string{"own", "none", "standard", "minmax"} {
			t.Run(name+" "+how, func(t *testing.T) {
				columns := []tidemill.FeatureColumn{{Name: "a"}, {Name: "b"}}
				m := made()
				var encoders []tidemill.Encoder
				switch how {
				case "own":
					if p, ok := m.(tidemill.Preparer); ok {
						encoders = p.Encoders(columns)
					}
				case "standard":
					encoders = []tidemill.Encoder{encode.Standard()}
				case "minmax":
					encoders = []tidemill.Encoder{encode.MinMax()}
				}
				for _, e := range encoders {
					var err error
					if columns, err = e.Bind(columns); err != nil {
						t.Fatal(err)
					}
				}
				in := tidemill.Input{Columns: columns, Classes: 2}
				if m.Kind() == tidemill.Regress {
					in.Classes = 0
				}
				bind := func(m tidemill.Model) {
					if b, ok := m.(tidemill.Binder); ok {
						if err := b.Bind(in); err != nil {
							t.Fatal(err)
						}
					}
				}
				bind(m)
				var bufs [2]tidemill.Vector
				seen := func(x *tidemill.Vector, learn bool, y []float64) *tidemill.Vector {
					for i, e := range encoders {
						if learn {
							e.Learn(x, y)
						}
						e.Apply(&bufs[i%2], x)
						x = &bufs[i%2]
					}
					return x
				}
				rng := splitMix(3)
				teach := func(a, b, y float64) {
					ys := []float64{y}
					if m.Kind() == tidemill.Cluster {
						ys = nil
					}
					x := seen(&tidemill.Vector{Dense: []float64{a, b}}, true, ys)
					m.Learn(&tidemill.Example{X: x, Y: ys, Weight: 1})
				}
				sane := func(n int) {
					for i := range n {
						c := float64(i % 2)
						teach(rng.normal()+4*c, rng.normal()-4*c, c)
					}
				}
				sane(300)
				for i, v := range absurd {
					for k, w := range absurd {
						y := float64((i + k) % 2)
						if m.Kind() == tidemill.Regress && k%3 == 0 {
							y = w
						}
						teach(v, []float64{1, w}[k%2], y)
					}
				}
				sane(2000)
				for _, x := range [][]float64{{0, 0}, {4, -4}, {1, 1}} {
					for _, p := range m.Predict(nil, seen(&tidemill.Vector{Dense: x}, false, nil)) {
						if math.IsNaN(p) || math.IsInf(p, 0) {
							t.Errorf("of %v it predicts %v", x, p)
						}
					}
				}
				back := m.New()
				bind(back)
				if err := back.UnmarshalBinary(tidemilltest.StateBytes(t, m)); err != nil {
					t.Errorf("its state cannot be read back: %v", err)
				}
				for i, e := range encoders {
					n := e.New()
					in := []tidemill.FeatureColumn{{Name: "a"}, {Name: "b"}}
					if i == 0 {
						if _, err := n.Bind(in); err != nil {
							t.Fatal(err)
						}
						if err := n.UnmarshalBinary(tidemilltest.StateBytes(t, e)); err != nil {
							t.Errorf("the encoder's state cannot be read back: %v", err)
						}
					}
				}
			})
		}
	}
}

// TestTermsAreBounded learns words that never come again: the weights stop growing, and that is said.
func TestTermsAreBounded(t *testing.T) {
	m := Logistic(SGD(0.1))
	if w := m.(tidemill.Warner).Warnings(); len(w) != 0 {
		t.Errorf("it warns at once: %v", w)
	}
	x := &tidemill.Vector{}
	for i := range uint64(maxTerms)/1024 + 10 {
		x.Terms = x.Terms[:0]
		for k := range uint64(1024) {
			x.Terms = append(x.Terms, tidemill.Term{Hash: tidemill.Hash("word") + (i*1024+k)*0x9e3779b97f4a7c15, Value: 1})
		}
		m.Learn(&tidemill.Example{X: x, Y: []float64{float64(i % 2)}, Weight: 1})
	}
	g := &m.(*logistic).g
	if n := len(g.index.keys); n != maxTerms {
		t.Errorf("%d weights, want %d", n, maxTerms)
	}
	if w := m.(tidemill.Warner).Warnings(); len(w) != 1 {
		t.Errorf("it warns of %v", w)
	}
	if p := m.Predict(nil, x); p[0] != p[0] {
		t.Errorf("it predicts %v", p)
	}
}
