package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/model"
)

// blobs are rows of 4 numbers around 8 places, the same as the peers' script makes in kind.
func blobs(n int) []float64 {
	r := rand.New(rand.NewPCG(7, 7))
	var centres [8][4]float64
	for i := range centres {
		for k := range centres[i] {
			centres[i][k] = 10 * r.Float64()
		}
	}
	x := make([]float64, 0, 4*n)
	for range n {
		c := &centres[r.IntN(8)]
		for k := range c {
			x = append(x, c[k]+r.NormFloat64())
		}
	}
	return x
}

// kmeansChild learns a million rows around 8 centres: one at a time, each first predicted, and by batches of 1024.
func kmeansChild(context.Context, args) (figures, error) {
	const n = 1_000_000
	x := blobs(n)
	out := figures{}
	for _, c := range []struct {
		name  string
		batch int
	}{{"one", 1}, {"batch", 1024}, {"batch16k", 16384}} {
		m := model.KMeans(8, func(k *model.KMeansConfig) { k.Batch, k.StreamBatch = c.batch, c.batch })
		if err := m.Bind(tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "a"}, {Name: "b"}, {Name: "c"},
			{Name: "d"}}}); err != nil {
			return nil, err
		}
		var v tidemill.Vector
		e := tidemill.Example{X: &v, Weight: 1}
		var p []float64
		began, used := time.Now(), cpu()
		for i := range n {
			v.Dense = x[4*i : 4*i+4 : 4*i+4]
			if c.batch == 1 {
				p = m.Predict(p[:0], &v)
			}
			m.Learn(&e)
		}
		out[c.name+"_rows_per_s"] = n / time.Since(began).Seconds()
		out[c.name+"_rows_per_cpu_s"] = n / (cpu() - used)
		inertia := 0.0
		for i := range n {
			v.Dense = x[4*i : 4*i+4 : 4*i+4]
			p = m.Predict(p[:0], &v)
			best := p[0]
			for _, d := range p {
				best = min(best, d)
			}
			inertia += best * best
		}
		out[c.name+"_inertia"] = inertia / n
	}
	return out, nil
}

func kmeansRow(ctx context.Context, b *bench) error {
	_, err := b.interleave(ctx, 5, b.child("tidemill", "kmeans"),
		side{name: "scikit-learn",
			run: func(ctx context.Context) (figures, error) {
				return b.python(ctx, "kmeans.py", "sklearn")
			}},
		side{name: "river", runs: 3,
			run: func(ctx context.Context) (figures, error) {
				return b.python(ctx, "kmeans.py", "river")
			}})
	return err
}
