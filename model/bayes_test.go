package model

import (
	"testing"

	"github.com/tidemill/tidemill"
)

// The figures of River 0.26.1 on the same rows.
func TestGaussianNBStreams(t *testing.T) {
	elec2 := elec2(t)
	for _, c := range []struct {
		name      string
		s         *stream
		delay     int
		acc, loss float64
	}{
		{"elec2", elec2, 0, 72.8763, .973642548},
		{"elec2 48 late", elec2, 48, 72.5411, 0},
		{"elec2 500 late", elec2, 500, 72.0254, 0},
		{"phishing", phishing(t), 0, 88.4708, 0},
		{"bananas", bananas(t), 0, 61.5399, 0},
		{"segments", imageSegments(t, false), 0, 73.3651, 3.066772916},
	} {
		f := validate(t, GaussianNB(), c.s, c.delay)
		near(t, c.name+" accuracy", f.accuracy(), c.acc, 5e-5)
		if c.loss > 0 {
			near(t, c.name+" log loss", f.logLoss(), c.loss, 1e-9)
		}
		t.Logf("%s %d %.4f %.6f", c.name, f.n, f.accuracy(), f.logLoss())
	}
}

// A category's probability is its share of the class's rows, by hand.
func TestGaussianNBCategories(t *testing.T) {
	m := GaussianNB()
	if err := m.Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "fruit", Nominal: true}}}); err != nil {
		t.Fatal(err)
	}
	for _, r := range [][2]float64{{1, 0}, {1, 0}, {2, 0}, {2, 1}} {
		m.Learn(example([]float64{r[0]}, r[1]))
	}
	// P(0) 3/4, P(1) 1/4; P(fruit 1|0) (2+1)/(3+2), P(fruit 1|1) (0+1)/(1+2).
	a, b := 0.75*3/5, 0.25*1/3
	near(t, "fruit 1", m.Predict(nil, &tidemill.Vector{Dense: []float64{1}})[0], a/(a+b), 1e-12)
	near(t, "a fruit never learned", m.Predict(nil, &tidemill.Vector{Dense: []float64{3}})[0], 0.75, 1e-12)
}
