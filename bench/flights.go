package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqlite"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/examples/flights"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
)

// firstFlights are the year's first n flights by schedule, in the order of the file; all of them where n is 0.
func firstFlights(n int) ([]flights.Flight, error) {
	all, err := flights.All()
	if err != nil || n == 0 || n >= len(all) {
		return all, err
	}
	slices.SortStableFunc(all, func(a, b flights.Flight) int { return a.Scheduled - b.Scheduled })
	all = all[:n]
	slices.SortFunc(all, func(a, b flights.Flight) int { return a.ID - b.ID })
	return all, nil
}

func flightFeatures() []tidemill.Feature {
	return []tidemill.Feature{feature.Numeric("month", "day", "hour", "minute", "distance"), feature.OneHot("carrier", "origin", "dest")}
}

// flightsMemoryChild is what River's script does, with our parts: each flight that lands is predicted at its scheduled
// departure, from its row, and learned at its landing; the vector is held meanwhile.
func flightsMemoryChild(_ context.Context, a args) (figures, error) {
	all, err := firstFlights(a.int("rows"))
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(f flights.Flight) bool { return !f.Landed })
	events := flights.Events(all)
	columns := []tidemill.Column{{Name: "month", Kind: tidemill.KindInt}, {Name: "day", Kind: tidemill.KindInt}, {Name: "hour", Kind: tidemill.KindInt}, {Name: "minute", Kind: tidemill.KindInt},
		{Name: "distance", Kind: tidemill.KindInt}, {Name: "carrier", Kind: tidemill.KindText}, {Name: "origin", Kind: tidemill.KindText}, {Name: "dest", Kind: tidemill.KindText}}
	table := tidemill.NewTable("", "flights", columns, nil)
	rows := make([]tidemill.Change, len(all))
	for i := range all {
		f := &all[i]
		rows[i] = tidemill.Change{Op: tidemill.Insert, Table: table, After: []tidemill.Value{tidemill.Int(int64(f.Month)), tidemill.Int(int64(f.Day)), tidemill.Int(int64(f.Hour)),
			tidemill.Int(int64(f.Minute)), tidemill.Int(int64(f.Distance)), tidemill.Text(f.Carrier), tidemill.Text(f.Origin), tidemill.Text(f.Dest)}}
	}
	features := flightFeatures()
	m := model.Logistic(model.SGD(0.01))
	in := tidemill.Input{Classes: 2}
	for _, f := range features {
		if err := f.Bind(table, tidemill.Asks); err != nil {
			return nil, err
		}
		columns, terms := f.Columns()
		in.Columns, in.Terms = append(in.Columns, columns...), in.Terms || terms
	}
	encoders := m.(tidemill.Preparer).Encoders(in.Columns)
	for _, e := range encoders {
		if in, err = e.Bind(in); err != nil {
			return nil, err
		}
	}
	if err := m.Bind(in); err != nil {
		return nil, err
	}
	type question struct {
		x tidemill.Vector
		p float64
	}
	open := make([]*question, len(all))
	var free []*question
	var one, two tidemill.Vector
	var p []float64
	var y [1]float64
	e := tidemill.Example{Y: y[:], Weight: 1}
	right, loss := 0, 0.0
	began, used := time.Now(), cpu()
	for _, ev := range events {
		if !ev.Landing {
			var q *question
			if n := len(free); n > 0 {
				q, free = free[n-1], free[:n-1]
			} else {
				q = &question{}
			}
			q.x.Reset()
			for _, f := range features {
				if err := f.Append(&q.x, &rows[ev.Flight], 0); err != nil {
					return nil, err
				}
			}
			x, dst, other := &q.x, &one, &two
			for _, enc := range encoders {
				enc.Apply(dst, x)
				x, dst, other = dst, other, dst
			}
			p = m.Predict(p[:0], x)
			q.p = 0.5
			if len(p) == 2 && p[1] == p[1] {
				q.p = p[1]
			}
			open[ev.Flight] = q
			continue
		}
		q := open[ev.Flight]
		y[0] = 0
		if all[ev.Flight].ArrDelay > 15 {
			y[0] = 1
		}
		if q.p > 0.5 == (y[0] == 1) {
			right++
		}
		loss -= math.Log(max(1-math.Abs(y[0]-q.p), 1e-15))
		x, dst, other := &q.x, &one, &two
		for _, enc := range encoders {
			enc.Learn(x, y[:])
			enc.Apply(dst, x)
			x, dst, other = dst, other, dst
		}
		e.X = x
		m.Learn(&e)
		free = append(free, q)
	}
	n := float64(len(all))
	return figures{"rows_per_s": n / time.Since(began).Seconds(), "rows_per_cpu_s": n / (cpu() - used), "accuracy": float64(right) / n, "logloss": loss / n}, nil
}

// flightsChild lets flights go by in a SQLite file: inserted at the scheduled departure, updated at the landing, while
// a flow captures (of the row before an update its key alone: nothing here needs more), predicts, writes to a file of its
// own, and learns. The writer is a process of its own, as a database's users are, or with writer=inside a goroutine.
func flightsChild(ctx context.Context, a args) (figures, error) {
	path := filepath.Join(a["dir"], "flights.db")
	open := outsideWriter
	if a["writer"] == "inside" {
		open = insideWriter
	}
	w, err := open(ctx, path, a)
	if err != nil {
		return nil, err
	}
	defer w.close()
	m, err := engine.Start(ctx, tidemill.Flow{Name: "flights", Source: sqlite.Source(path, "flights").KeyOnly(), Sinks: []tidemill.Sink{sqlite.Sink(filepath.Join(a["dir"], "predictions.db"), "predictions")},
		Store: store.Dir(filepath.Join(a["dir"], "state")), Every: 10 * time.Second, Tasks: []tidemill.Task{{Name: "late",
			Predict: tidemill.On{Op: tidemill.Insert, Table: "flights", At: "scheduled_at"}, Learn: tidemill.On{Op: tidemill.Update, Table: "flights", At: "landed_at", Label: "arr_delay > 15"},
			Wait: 48 * time.Hour, Features: flightFeatures(), Model: model.Logistic(model.SGD(0.01)), Scores: []tidemill.Score{score.Accuracy(), score.LogLoss()}}}})
	if err != nil {
		return nil, err
	}
	for !m.Status().Snapshot.Done {
		time.Sleep(5 * time.Millisecond)
	}
	began, used := time.Now(), cpu()
	wrote := make(chan error, 1)
	var world figures
	go func() {
		var err error
		world, err = w.write(ctx)
		wrote <- err
	}()
	for written := false; ; {
		s := m.Status()
		if written && s.Stream.Rows >= uint64(w.events) && s.Written >= s.Outputs && s.Tasks[0].Counts.Asked >= uint64(w.flights) {
			break
		}
		select {
		case err := <-wrote:
			if err != nil {
				return nil, errors.Join(err, m.Stop())
			}
			written = true
		case <-m.Done():
			return nil, fmt.Errorf("the flow ended: %w", m.Wait())
		default:
		}
		time.Sleep(25 * time.Millisecond)
	}
	took, cpus := time.Since(began).Seconds(), cpu()-used
	t := m.Status().Tasks[0]
	n := float64(w.flights)
	out := figures{"rows_per_s": n / took, "changes_per_s": float64(w.events) / took, "seconds": took, "write_s": world["write_s"]}
	if c, ok := world["cpu_s"]; ok {
		out["flow_us"], out["writer_us"] = cpus/n*1e6, c/n*1e6 // processor time per flight
		cpus += c
	}
	out["rows_per_cpu_s"] = n / cpus
	for _, s := range t.Scores {
		if s.Phase == "stream" && s.Value != nil {
			out[s.Name] = *s.Value
		}
	}
	return out, m.Stop()
}

// flightsRow compares with River: its pipeline over the same flights, features and delays, from memory.
func flightsRow(ctx context.Context, b *bench) error {
	rows := "rows=" + strconv.Itoa(b.size)
	memory := b.child("tidemill from memory", "flights-memory", rows)
	memory.own = true
	sqlite := func(name string, words ...string) side {
		return side{name: name, own: true, run: func(ctx context.Context) (f figures, err error) {
			err = b.inFolder(func(dir string) error {
				f, err = b.child("", "flights", append(words, "dir="+dir, rows)...).run(ctx)
				return err
			})
			return f, err
		}}
	}
	_, err := b.interleave(ctx, 5, sqlite("tidemill through SQLite"), sqlite("writer in our process", "writer=inside"), sqlite("transactions of 2,000", "tx=2000"), side{name: "river from memory", runs: 3, run: func(ctx context.Context) (figures, error) {
		return b.python(ctx, "flights_river.py", strconv.Itoa(b.size))
	}}, memory, side{name: "demo, both tasks, one file", runs: 3, own: true, run: b.demoFlights})
	return err
}

// demoFlights is `tidemill demo flights`: two tasks, one of them with windows, and the predictions in the same file.
func (b *bench) demoFlights(ctx context.Context) (f figures, err error) {
	words := []string{"demo", "flights", "--once", "--json"}
	if b.size > 0 {
		words = append(words, "--rows", strconv.Itoa(b.size))
	}
	err = b.inFolder(func(dir string) error {
		f, err = commandJSON(ctx, nil, func(v map[string]any) figures {
			s := dig(v, "phases", "stream", "seconds")
			return figures{"seconds": s, "changes_per_s": dig(v, "phases", "stream", "rows") / s, "rows_per_s": dig(v, "predicted") / s,
				"accuracy": dig(v, "scores", "accuracy"), "logloss": dig(v, "scores", "logloss")}
		}, b.binary(), append(words, "--dir", dir)...)
		return err
	})
	return f, err
}
