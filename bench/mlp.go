package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/examples/mnist"
	"github.com/tidemill/tidemill/model"
)

// blockOf is images i to j as numbers from 0 to 1.
func blockOf(dst *tidemill.Block, s *mnist.Set, i, j int, unit *[256]float32) *tidemill.Block {
	const size = mnist.Width * mnist.Height
	dst.Rows, dst.Cols, dst.Dense32, dst.Y = j-i, size, dst.Dense32[:0], dst.Y[:0]
	for _, p := range s.Pixels[i*size : j*size] {
		dst.Dense32 = append(dst.Dense32, unit[p])
	}
	for _, l := range s.Labels[i:j] {
		dst.Y = append(dst.Y, float64(l))
	}
	return dst
}

// mlpChild learns MNIST from memory, in the order of the file, and is tested afterwards.
func mlpChild(_ context.Context, a args) (figures, error) {
	train, err := mnist.Train()
	if err != nil {
		return nil, err
	}
	test, err := mnist.Test()
	if err != nil {
		return nil, err
	}
	var unit [256]float32
	for i := range unit {
		unit[i] = float32(float64(i) / 255)
	}
	m := model.MLP(func(c *model.MLPConfig) { c.Batch, c.Seed = a.int("batch"), uint64(a.int("seed")) })
	columns := make([]tidemill.FeatureColumn, mnist.Width*mnist.Height)
	for i := range columns {
		columns[i] = tidemill.FeatureColumn{Name: strconv.Itoa(i), Scaled: true}
	}
	if err := m.Bind(tidemill.Input{Columns: columns, Classes: 10}); err != nil {
		return nil, err
	}
	const block = 512
	var blk tidemill.Block
	began, used := time.Now(), cpu()
	for range a.int("epochs") {
		for i := 0; i < train.N; i += block {
			m.(tidemill.Batcher).LearnBatch(nil, blockOf(&blk, train, i, min(i+block, train.N), &unit), false)
		}
		m.(tidemill.Batched).EndBatch(tidemill.Snapshot)
	}
	seconds, used := time.Since(began).Seconds(), cpu()-used
	right := 0
	for i := 0; i < test.N; i += block {
		blockOf(&blk, test, i, min(i+block, test.N), &unit)
		p := m.(tidemill.Batcher).PredictBatch(nil, &blk)
		for k, y := range blk.Y {
			best := 0
			for c := range 10 {
				if p[k*10+c] > p[k*10+best] {
					best = c
				}
			}
			if best == int(y) {
				right++
			}
		}
	}
	n := float64(train.N * a.int("epochs"))
	return figures{"images_per_s": n / seconds, "images_per_cpu_s": n / used,
		"accuracy": float64(right) / float64(test.N)}, nil
}

// mlpRow compares with Keras as it comes and with Keras tuned; each run has a seed of its own.
func mlpRow(batch, epochs int) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		seed := 0
		size := []string{"batch=" + strconv.Itoa(batch), "epochs=" + strconv.Itoa(epochs)}
		ours := side{name: "tidemill", run: func(ctx context.Context) (figures, error) {
			seed++
			return b.child("", "mlp", append(size, fmt.Sprint("seed=", seed))...).run(ctx)
		}}
		keras := func(name, how string) side {
			return side{name: name, run: func(ctx context.Context) (figures, error) {
				return b.python(ctx, "mnist_mlp.py", strconv.Itoa(batch), strconv.Itoa(epochs), strconv.Itoa(seed), how)
			}}
		}
		plain, steps := keras("keras", "plain"), keras("keras steps_per_execution", "steps")
		if plain.runs = 3; epochs > 1 {
			plain.runs = 2 // a minute each
		}
		sides := []side{ours, plain, steps, keras("keras with XLA too", "tuned")}
		if epochs == 1 {
			other := keras("scikit-learn", "sklearn")
			other.runs = 3
			sides = append(sides, other)
		}
		_, err := b.interleave(ctx, 5, sides...)
		return err
	}
}

// python runs a peer of the folder peers in the cache's own environment.
func (b *bench) python(ctx context.Context, script string, words ...string) (figures, error) {
	return command(ctx, []string{"TF_CPP_MIN_LOG_LEVEL=3", "TIDEMILL_BENCH_REPO=" + b.repo},
		filepath.Join(b.cache, "venv", "bin", "python"),
		append([]string{filepath.Join(b.repo, "bench", "peers", script)}, words...)...)
}
