package main

import (
	"context"
	"errors"
	"fmt"
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
	return []tidemill.Feature{feature.Numeric("month", "day", "hour", "minute", "distance"),
		feature.OneHot("carrier", "origin", "dest")}
}

// flightsChild lets flights go by in a SQLite file: inserted at the scheduled departure, updated at the landing, while
// a flow captures (of the row before an update its key alone: nothing here needs more), predicts, writes to a file of
// its own, and learns. The writer is a process of its own, as a database's users are, or
// with writer=inside a goroutine.
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
	m, err := engine.Start(ctx, tidemill.Flow{Name: "flights",
		Source: sqlite.Source(path, "flights").KeyOnly(),
		Sinks:  []tidemill.Sink{sqlite.Sink(filepath.Join(a["dir"], "predictions.db"), "predictions")},
		Store:  store.Dir(filepath.Join(a["dir"], "state")), Every: 10 * time.Second,
		Tasks: []tidemill.Task{{Name: "late", Predict: tidemill.On{Op: tidemill.Insert, Table: "flights", At: "scheduled_at"},
			Learn: tidemill.On{Op: tidemill.Update, Table: "flights", At: "landed_at", Label: "arr_delay > 15"},
			Wait:  48 * time.Hour, Features: flightFeatures(), Model: model.Logistic(model.SGD(0.01)),
			Scores: []tidemill.Score{score.Accuracy(), score.LogLoss()}}}})
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
		if written && s.Stream.Rows >= uint64(w.events) && s.Written >= s.Outputs &&
			s.Tasks[0].Counts.Asked >= uint64(w.flights) {
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
	out := figures{"rows_per_s": n / took, "changes_per_s": float64(w.events) / took, "seconds": took,
		"write_s": world["write_s"]}
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
	_, err := b.interleave(ctx, 5, sqlite("tidemill through SQLite"), sqlite("writer in our process", "writer=inside"),
		sqlite("transactions of 2,000", "tx=2000"), side{name: "river from memory",
			runs: 3, run: func(ctx context.Context) (figures, error) {
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
			return figures{"seconds": s, "changes_per_s": dig(v, "phases", "stream", "rows") / s,
				"rows_per_s": dig(v, "predicted") / s, "accuracy": dig(v, "scores", "accuracy"),
				"logloss": dig(v, "scores", "logloss")}
		}, b.binary(), append(words, "--dir", dir)...)
		return err
	})
	return f, err
}
