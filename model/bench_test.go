package model

import (
	"testing"

	"github.com/tidemill/tidemill"
)

// run predicts and learns the stream's rows over and over, each behind the model's encoders; it reports rows per
// second.
func run(b *testing.B, m tidemill.Model, s *stream) {
	p := newPipeline(b, m, s.cols, s.classes)
	rows := make([]tidemill.Vector, len(s.x))
	for i := range rows {
		rows[i].Dense = s.x[i]
	}
	for i := range rows {
		p.learn(&rows[i], s.y[i])
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		k := i % len(rows)
		p.predict(&rows[k])
		p.learn(&rows[k], s.y[k])
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkElec2(b *testing.B) {
	s := elec2(b)
	for _, c := range []struct {
		name string
		m    tidemill.Model
	}{
		{"logistic/sgd", Logistic()},
		{"logistic/adam", Logistic(Adam(0.1))},
		{"logistic/ftrl", Logistic(FTRL(0.05))},
		{"gaussian_nb", GaussianNB()},
		{"hoeffding_tree", HoeffdingTree()},
	} {
		b.Run(c.name, func(b *testing.B) { run(b, c.m, s) })
	}
}

func BenchmarkKMeans(b *testing.B) {
	x, _ := iris(b)
	for _, c := range []struct {
		name string
		k, n int
	}{{"k=3/one", 3, 1}, {"k=3/batch=1024", 3, 1024}, {"k=8/batch=1024", 8, 1024}, {"k=32/batch=1024", 32, 1024}} {
		m := KMeans(c.k, func(s *KMeansConfig) { s.Batch, s.Decay = c.n, 0.9 })
		b.Run(c.name, func(b *testing.B) {
			e := tidemill.Example{X: &tidemill.Vector{}, Weight: 1}
			var p []float64
			b.ReportAllocs()
			for i := range b.N {
				e.X.Dense = x[i%len(x)]
				if c.n == 1 {
					p = m.Predict(p[:0], e.X)
				}
				m.Learn(&e)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
