package model

import (
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
