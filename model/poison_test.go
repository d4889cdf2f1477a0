package model

import (
	"fmt"
	"math"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/tidemilltest"
)

// TestModelsAreNotPoisoned teaches every kind rows with absurd numbers, with its own encoders, those of the task and
// none: whatever it predicts of them, its predictions of sane rows are numbers again, and its state can be read back.
func TestModelsAreNotPoisoned(t *testing.T) {
	models := map[string]func() tidemill.Model{
		"mlp":            func() tidemill.Model { return MLP(func(c *MLPConfig) { c.Hidden, c.Batch = []int{4}, 4 }) },
		"mlp regress":    func() tidemill.Model { return MLP(regress, func(c *MLPConfig) { c.Hidden, c.Batch = []int{4}, 4 }) },
		"linear adagrad": func() tidemill.Model { return Linear(AdaGrad(0.1)) },
		"linear ftrl":    func() tidemill.Model { return Linear(FTRL(0.1)) },
		"linear l2":      func() tidemill.Model { return Linear(SGD(0.1), L2(0.1)) },
		"linear l2 3":    func() tidemill.Model { return Linear(SGD(1), L2(3)) }, // weights grow to twice the size with each row
		"momentum l2 9":  func() tidemill.Model { return Logistic(Momentum(1), L2(9)) },
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
				in := tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "a"}, {Name: "b"}}}
				m := made()
				if m.Kind() != tidemill.Regress {
					in.Classes = 2
				}
				var encoders []tidemill.Encoder
				switch how {
				case "own":
					if p, ok := m.(tidemill.Preparer); ok {
						encoders = p.Encoders(in.Columns)
					}
				case "standard":
					encoders = []tidemill.Encoder{encode.Standard()}
				case "minmax":
					encoders = []tidemill.Encoder{encode.MinMax()}
				}
				for _, e := range encoders {
					var err error
					if in, err = e.Bind(in); err != nil {
						t.Fatal(err)
					}
				}
				bind := func(m tidemill.Model) {
					if err := m.Bind(in); err != nil {
						t.Fatal(err)
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
					in := tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "a"}, {Name: "b"}}}
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

// TestOneAbsurdRowChangesLittle teaches models the same rows, to one of two with an absurd value among them:
// what they predict afterwards is all but the same.
func TestOneAbsurdRowChangesLittle(t *testing.T) {
	for name, made := range map[string]func() tidemill.Model{
		"logistic": func() tidemill.Model { return Logistic() },
		"linear":   func() tidemill.Model { return Linear() },
		"adam":     func() tidemill.Model { return Logistic(Adam(0.01)) },
		"mlp":      func() tidemill.Model { return MLP(func(c *MLPConfig) { c.Hidden, c.Batch = []int{4}, 1 }) },
		// Without a scaler.
		"gaussian_nb": GaussianNB,
	} {
		none := func() tidemill.Encoder { return encode.Impute("constant") }
		scalers := map[string]func() tidemill.Encoder{"standard": encode.Standard, "minmax": encode.MinMax}
		if name == "gaussian_nb" {
			scalers = map[string]func() tidemill.Encoder{"none": none}
		}
		for how, scaler := range scalers {
			for _, absurd := range []float64{1e308, -math.MaxFloat64, 1e120, 1e30, -1e15} {
				t.Run(fmt.Sprintf("%s %s %g", name, how, absurd), func(t *testing.T) {
					var told [2][]float64
					for k := range told {
						m, e := made(), scaler()
						in, err := e.Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "a"}, {Name: "b"}}, Classes: 2})
						if err != nil {
							t.Fatal(err)
						}
						if m.Kind() == tidemill.Regress {
							in.Classes = 0
						}
						if err := m.Bind(in); err != nil {
							t.Fatal(err)
						}
						rng := splitMix(5)
						var x tidemill.Vector
						for i := range 3000 {
							c := float64(i % 2)
							row := &tidemill.Vector{Dense: []float64{rng.normal() + 2*c, rng.normal()}}
							if i == 1500 && k == 1 {
								row.Dense[0] = absurd
							}
							e.Learn(row, []float64{c})
							e.Apply(&x, row)
							m.Learn(&tidemill.Example{X: &x, Y: []float64{c}, Weight: 1})
						}
						for _, a := range []float64{-1, 0, 1, 2, 3} {
							e.Apply(&x, &tidemill.Vector{Dense: []float64{a, 0.5}})
							told[k] = append(told[k], m.Predict(nil, &x)...)
						}
					}
					for i, p := range told[0] {
						if !(math.Abs(told[1][i]-p) < 0.05) {
							t.Errorf("it predicts %v, without the absurd value %v", told[1], told[0])
							break
						}
					}
				})
			}
		}
	}
}

// TestSettingsAreBounded: settings with which a weight could overflow are refused.
func TestSettingsAreBounded(t *testing.T) {
	for _, m := range []tidemill.Model{Linear(SGD(1e7)), Linear(Clip(1e31)), Logistic(L2(1e7)), Softmax(L1(math.Inf(1))), Linear(InterceptRate(1e9)), Linear(Adam(math.NaN()))} {
		if err := m.Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "a"}}}); err == nil {
			t.Errorf("%s is taken", m.Describe())
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
