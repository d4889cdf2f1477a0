package engine_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqlite"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
)

// A flight is inserted at its scheduled departure and asked about at once; at landing an UPDATE brings the delay, which
// scores the held prediction and teaches the model.
func Example() {
	dir, err := os.MkdirTemp("", "flights")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "flights.db")
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)") // SQLite has one writer at a time
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	exec := func(query string, args ...any) {
		if _, err := db.Exec(query, args...); err != nil {
			log.Fatal(err)
		}
	}
	exec(`CREATE TABLE flights(id INTEGER PRIMARY KEY, carrier TEXT, distance REAL, scheduled_at TEXT, landed_at TEXT, arr_delay REAL)`)

	ctx, cancel := context.WithCancel(context.Background())
	mill, err := engine.Start(ctx, tidemill.Flow{
		Name: "late-flights", Source: sqlite.Source(path, "flights"),
		Tasks: []tidemill.Task{{Name: "late",
			Predict:  tidemill.On{Op: tidemill.Insert, Table: "flights", At: "scheduled_at"},
			Learn:    tidemill.On{Op: tidemill.Update, Table: "flights", At: "landed_at", Label: "arr_delay > 15"},
			Wait:     48 * time.Hour,
			Features: []tidemill.Feature{feature.Numeric("distance"), feature.OneHot("carrier")},
			Model:    model.Logistic(model.SGD(0.01)), Scores: []tidemill.Score{score.AUC()}}},
		Sinks: []tidemill.Sink{sqlite.Sink(path, "predictions")}, Store: store.Dir(filepath.Join(dir, "state"))})
	if err != nil {
		log.Fatal(err)
	}
	for id := 1; id <= 200; id++ {
		carrier, delay := "UA", -5
		if id%2 == 0 {
			carrier, delay = "EV", 40
		}
		exec(`INSERT INTO flights VALUES (?, ?, 1400, ?, NULL, NULL)`, id, carrier, fmt.Sprintf("2026-03-01T%02d:%02d:00Z", id/60, id%60))
		exec(`UPDATE flights SET arr_delay = ?, landed_at = ? WHERE id = ?`, delay, fmt.Sprintf("2026-03-01T%02d:%02d:30Z", id/60, id%60), id)
	}
	for mill.Status().Tasks[0].Counts.Learned < 200 {
		time.Sleep(5 * time.Millisecond)
	}

	out, err := mill.Predict("late", tidemill.Row{"carrier": "UA", "distance": 1400}) // any goroutine
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("UA late:", out.Label, "- by model", out.Version)
	cancel()
	if err := mill.Wait(); err != nil { // nil once ctx is cancelled and the checkpoint is saved
		log.Fatal(err)
	}
	// Output: UA late: false - by model 1.200
}
