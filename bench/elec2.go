package main

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/model"
)

// streamRows is a data set of rows in order, with the class of each.
type streamRows struct {
	columns []tidemill.FeatureColumn
	x       []tidemill.Vector
	y       []float64
}

// readElec2 reads the electricity market of New South Wales: 45,312 rows of 8 numbers.
func readElec2() (*streamRows, error) {
	z, err := zip.OpenReader(filepath.Join(os.Getenv("TIDEMILL_BENCH_REPO"), "examples", "streams", "elec2.zip"))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	f, err := z.File[0].Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	s := &streamRows{}
	last := len(rows[0]) - 1
	for _, name := range rows[0][:last] {
		s.columns = append(s.columns, tidemill.FeatureColumn{Name: name})
	}
	for _, row := range rows[1:] {
		var x tidemill.Vector
		for _, v := range row[:last] {
			n, err := strconv.ParseFloat(v, 64)
			if err != nil {
				return nil, err
			}
			x.Dense = append(x.Dense, n)
		}
		y := 0.0
		if row[last] == "UP" {
			y = 1
		}
		s.x, s.y = append(s.x, x), append(s.y, y)
	}
	return s, nil
}

// elec2Child predicts each row and then learns it, one at a time, behind the encoders that the model asks for, several
// times over the data set: each pass with a new model.
func elec2Child(_ context.Context, a args) (figures, error) {
	s, err := readElec2()
	if err != nil {
		return nil, err
	}
	out := figures{}
	for _, c := range []struct {
		name   string
		make   func() tidemill.Model
		passes int
	}{
		{"logistic", func() tidemill.Model { return model.Logistic(model.SGD(0.01)) }, 40},
		{"hoeffding_tree", func() tidemill.Model { return model.HoeffdingTree() }, 20},
		{"gaussian_nb", model.GaussianNB, 20},
	} {
		right, used := 0, 0.0
		var took time.Duration
		for range c.passes {
			m := c.make()
			var encoders []tidemill.Encoder
			in := tidemill.Input{Columns: s.columns, Classes: 2}
			if p, ok := m.(tidemill.Preparer); ok {
				encoders = p.Encoders(in.Columns)
			}
			for _, e := range encoders {
				if in, err = e.Bind(in); err != nil {
					return nil, err
				}
			}
			if err := m.Bind(in); err != nil {
				return nil, err
			}
			began, before := time.Now(), cpu()
			right = prequential(m, encoders, s)
			took += time.Since(began)
			used += cpu() - before
		}
		n := float64(c.passes * len(s.x))
		out[c.name+"_rows_per_cpu_s"] = n / used
		out[c.name+"_accuracy"] = float64(right) / float64(len(s.x))
	}
	return out, nil
}

// prequential is how many rows are predicted rightly, each before it is learned.
func prequential(m tidemill.Model, encoders []tidemill.Encoder, s *streamRows) (right int) {
	var a, b tidemill.Vector
	var p []float64
	var y [1]float64
	e := tidemill.Example{Y: y[:], Weight: 1}
	for i := range s.x {
		x, dst, other := &s.x[i], &a, &b
		for _, enc := range encoders {
			enc.Apply(dst, x)
			x, dst, other = dst, other, dst
		}
		p = m.Predict(p[:0], x)
		y[0] = s.y[i]
		if class := len(p) > 1 && p[1] > 0.5; class == (y[0] == 1) {
			right++
		}
		x, dst, other = &s.x[i], &a, &b
		for _, enc := range encoders {
			enc.Learn(x, y[:])
			enc.Apply(dst, x)
			x, dst, other = dst, other, dst
		}
		e.X = x
		m.Learn(&e)
	}
	return right
}

func elec2Row(ctx context.Context, b *bench) error {
	ours := b.child("tidemill", "elec2")
	run := ours.run
	ours.run = func(ctx context.Context) (figures, error) { // one thread
		os.Setenv("GOMAXPROCS", "1")
		defer os.Unsetenv("GOMAXPROCS")
		return run(ctx)
	}
	_, err := b.interleave(ctx, 5, ours,
		side{name: "river", runs: 3,
			run: func(ctx context.Context) (figures, error) {
				return b.python(ctx, "elec2_river.py")
			}},
		side{name: "moa",
			run: func(ctx context.Context) (figures, error) {
				return command(ctx, nil, "java", "-cp", filepath.Join(b.cache, "moa", "*"),
					filepath.Join(b.repo, "bench", "peers", "Moa.java"), filepath.Join(b.repo, "examples", "streams", "elec2.zip"))
			}},
		side{name: "vowpal wabbit",
			run: func(ctx context.Context) (figures, error) { return b.python(ctx, "elec2_vw.py") }})
	if err != nil {
		return fmt.Errorf("elec2: %w", err)
	}
	return nil
}
