package model

import (
	"encoding/csv"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

// The figures of River 0.26.1 on the same rows; those of FTRL are of the paper's form, which moves the weights with the
// row that was learned (River's moves them one row late).
func TestLogisticStreams(t *testing.T) {
	elec2, phishing, bananas := elec2(t), phishing(t), bananas(t)
	for _, c := range []struct {
		name      string
		s         *stream
		opt       Optimizer
		delay     int
		acc, loss float64
	}{
		{"elec2 sgd", elec2, SGD(0.01), 0, 83.7328, .386149},
		{"elec2 sgd .005", elec2, SGD(0.005), 0, 82.2144, 0},
		{"elec2 sgd .1", elec2, SGD(0.1), 0, 89.4928, 0},
		{"elec2 adam", elec2, Adam(0.1), 0, 84.5008, 0},
		{"elec2 adagrad", elec2, AdaGrad(0.1), 0, 80.9521, 0},
		{"elec2 ftrl", elec2, FTRL(0.05), 0, 80.3187, .437595},
		{"elec2 sgd 48 late", elec2, SGD(0.01), 48, 78.0919, 0},
		{"elec2 sgd 500 late", elec2, SGD(0.01), 500, 75.0309, 0},
		{"phishing sgd", phishing, SGD(0.01), 0, 89.28, .330112},
		{"phishing sgd .1", phishing, SGD(0.1), 0, 88.96, 0},
		{"phishing ftrl", phishing, FTRL(0.05), 0, 89.12, .340689},
		{"phishing sgd 48 late", phishing, SGD(0.01), 48, 87.92, 0},
		{"phishing sgd 500 late", phishing, SGD(0.01), 500, 76.64, 0},
		{"bananas sgd", bananas, SGD(0.01), 0, 53.7170, 0},
	} {
		f := validate(t, Logistic(c.opt), c.s, c.delay)
		near(t, c.name+" accuracy", f.accuracy(), c.acc, 5e-5)
		if c.loss > 0 {
			near(t, c.name+" log loss", f.logLoss(), c.loss, 5e-7)
		}
		t.Logf("%s %.4f %.6f", c.name, f.accuracy(), f.logLoss())
	}
}

// The weights after the whole stream, of River 0.26.1.
func TestLogisticWeights(t *testing.T) {
	for _, c := range []struct {
		name string
		s    *stream
		bias float64
		w    []float64
	}{
		{"elec2", elec2(t), .238857957, []float64{-.388541312, -.919786173, -.126311371, 4.712963025, .663335201, -.067620172, -.287777770, .640737640}},
		{"phishing", phishing(t), -.354066187, []float64{-1.148229655, -.953875675, -.842370162, -.306160285, -.165332212, .182453141, -.259002020, -.194227914, .045929611}},
		{"bananas", bananas(t), -.199492321, []float64{-.172377732, -.304928030}},
	} {
		m := Logistic(SGD(0.01))
		validate(t, m, c.s, 0)
		near(t, c.name+" intercept", m.(*logistic).g.bias[0], c.bias, 1e-9)
		m.(tidemill.Weighted).Weights(func(column int, _ uint64, output int, w float64) bool {
			near(t, c.name+" "+c.s.cols[column].Name, w, c.w[column], 1e-9)
			if output != 1 {
				t.Errorf("output %d, want 1", output)
			}
			return true
		})
	}
}

// testdata/river_linear.csv is what River's models end with after the same streams.
func TestLinearAsRiver(t *testing.T) {
	f, err := os.Open("testdata/river_linear.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment, r.FieldsPerRecord = '#', -1
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	golden := map[string][]float64{}
	for _, l := range lines {
		for _, v := range l[1:] {
			golden[l[0]] = append(golden[l[0]], number(t, v))
		}
	}
	learned := func(m tidemill.Model, s *stream, weight func(i int) float64) *glm {
		p := newPipeline(t, m, s.cols, s.classes)
		for i := range s.x {
			x := p.encode(&tidemill.Vector{Dense: s.x[i]}, true, nil)
			m.Learn(&tidemill.Example{X: x, Y: s.y[i : i+1], Weight: weight(i)})
		}
		if l, ok := m.(*linear); ok {
			return &l.g
		}
		return &m.(*logistic).g
	}
	one := func(int) float64 { return 1 }
	check := func(name string, bias float64, weights []float64) {
		want := golden[name]
		if len(want) != 1+len(weights) {
			t.Fatalf("%s: %d golden numbers", name, len(want))
		}
		near(t, name+" intercept", bias, want[0], 1e-9)
		for i, w := range weights {
			near(t, name+" weight", w, want[1+i], 1e-9)
		}
	}
	phishing := phishing(t)
	for name, m := range map[string]tidemill.Model{
		"momentum":    Logistic(Momentum(0.1)),
		"rmsprop":     Logistic(RMSProp(0.1)),
		"adagrad":     Logistic(AdaGrad(0.1)),
		"adam":        Logistic(Adam(0.1)),
		"l1":          Logistic(SGD(0.01), L1(0.01)),
		"l2":          Logistic(L2(0.1)),
		"clip":        Logistic(SGD(0.1), Clip(0.3), InterceptRate(0.05)),
		"linear":      Linear(SGD(0.01)),
		"linear adam": Linear(Adam(0.1), L2(0.01)),
	} {
		g := learned(m, phishing, one)
		check(name, g.bias[0], g.dense[0])
	}
	g := learned(Logistic(), phishing, func(i int) float64 { return float64(1 + i%3) })
	check("weights", g.bias[0], g.dense[0])
	g = learned(Softmax(InterceptRate(0)), imageSegments(t, false), one)
	for k := range g.bias {
		check(fmt.Sprintf("softmax %d", k), g.bias[k], g.dense[k])
	}
}

// Two rows of FTRL by hand, alpha 1, beta 0, l1 0.1, l2 1.
func TestFTRLByHand(t *testing.T) {
	o := FTRL(1)
	o.Beta, o.L1 = 0, 0.1
	var w float64
	s := make([]float64, 2)
	o.step(useFTRL, &w, s, 2, 0) // σ=2, z=2, n=4: -(2-.1)/(2+1)
	near(t, "first", w, -1.9/3, 1e-15)
	o.step(useFTRL, &w, s, -1.5, 0) // σ=.5, z=.5+.5·1.9/3, n=6.25: -(z-.1)/(2.5+1)
	near(t, "second", w, -(0.5+0.95/3-0.1)/3.5, 1e-15)
	s[0] = 0
	o.step(useFTRL, &w, s, 0, 0)
	near(t, "within l1", w, 0, 0)
}

// A third class leaves how the first two compare as it was, and memory of an optimizer moves with its weights.
func TestLogisticGrows(t *testing.T) {
	m := Logistic(Adam(0.1)).(*logistic)
	rng := splitMix(3)
	row := func(c int) *tidemill.Example {
		e := example([]float64{rng.normal() + float64(c), rng.normal()}, float64(c))
		e.X.Terms = []tidemill.Term{{Hash: uint64(10 + c), Value: 1}, {Hash: 9, Value: 0.5}}
		return e
	}
	m.Learn(row(0))
	if p := m.Predict(nil, row(0).X); len(p) != 1 {
		t.Fatalf("one class known: %v", p)
	}
	for i := range 100 {
		m.Learn(row(i % 2))
	}
	probe := row(1).X
	before := m.Predict(nil, probe)
	m.know(3)
	after := m.Predict(nil, probe)
	near(t, "class 1 to class 0", after[1]/after[0], before[1]/before[0], 1e-12)
	if after[2] != after[0] {
		t.Errorf("the new class has %v, class 0 %v", after[2], after[0])
	}
	for i := range 3000 {
		m.Learn(row(i % 3))
	}
	right := 0
	for i := range 300 {
		if largest(m.Predict(nil, row(i%3).X)) == i%3 {
			right++
		}
	}
	if right < 295 {
		t.Errorf("%d of 300 right", right)
	}
}

// Terms of one hash are one feature.
func TestLinearSumsTerms(t *testing.T) {
	a, b := Linear(AdaGrad(0.1)), Linear(AdaGrad(0.1))
	for i := range 20 {
		y := []float64{float64(i % 4)}
		a.Learn(&tidemill.Example{X: &tidemill.Vector{Terms: []tidemill.Term{{Hash: 7, Value: 3}, {Hash: 8, Value: 1}}}, Y: y, Weight: 1})
		b.Learn(&tidemill.Example{X: &tidemill.Vector{Terms: []tidemill.Term{{Hash: 7, Value: 2}, {Hash: 8, Value: 1}, {Hash: 7, Value: 1}}}, Y: y, Weight: 1})
	}
	for i := range 2 {
		near(t, "weight", b.(*linear).g.terms[2*i], a.(*linear).g.terms[2*i], 1e-12)
	}
}

func TestLinearRefuses(t *testing.T) {
	for name, m := range map[string]tidemill.Model{
		"rate": Linear(SGD(0)), "kind": Linear(Optimizer{Kind: "newton", Rate: 1}), "both": Linear(L1(1), L2(1)),
		"ftrl": Logistic(FTRL(0.1), L1(1)), "clip": Logistic(Clip(-1)), "beta": Softmax(Optimizer{Kind: "adam", Rate: 1, Beta1: 1}),
	} {
		if err := m.Bind(tidemill.Input{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	err := Logistic().Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "carrier", Nominal: true}}})
	if err == nil || !strings.Contains(err.Error(), "carrier") {
		t.Errorf("a category is bound: %v", err)
	}
}
