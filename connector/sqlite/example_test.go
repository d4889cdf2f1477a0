package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqlite"
)

func ExampleSource() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "flights.db")
	db, _ := sql.Open("sqlite", path+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)")
	defer db.Close()
	db.Exec("CREATE TABLE flights(id INTEGER PRIMARY KEY, carrier TEXT, delay REAL)")
	db.Exec("INSERT INTO flights VALUES(1, 'UA', NULL)")

	src := sqlite.Source(path, "flights")
	for batch, err := range src.Changes(context.Background(), "") {
		if err != nil {
			fmt.Println(err)
			return
		}
		for i := range batch.Changes {
			c := &batch.Changes[i]
			fmt.Println(c.Op, c.Table, c.Before, c.After)
		}
		switch {
		case batch.CaughtUp: // the snapshot is whole: somebody writes
			db.Exec("UPDATE flights SET delay = 12.5 WHERE id = 1")
		default:
			return
		}
	}
	// Output:
	// read flights [] [1 UA NULL]
	// update flights [1 UA NULL] [1 UA 12.5]
}

func ExampleSink() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "flights.db")
	ctx := context.Background()
	sink := sqlite.Sink(path, "predictions")
	defer sink.Close()
	if err := sink.Resume(ctx, tidemill.Resumption{Flow: "late-flights", Term: 1}); err != nil {
		fmt.Println(err)
		return
	}
	asked := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	err := sink.Write(ctx, []tidemill.Output{
		{Kind: tidemill.Predicted, Seq: 1, Task: "late", ID: "1", Label: "true", Score: 0.75, Labels: []string{"false", "true"},
			Prediction: []float64{0.25, 0.75}, Asked: asked, Position: "17"},
		{Kind: tidemill.Truth, Seq: 2, Task: "late", ID: "1", Truth: "false", Answered: asked.Add(time.Hour)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mark, err := sink.Flush(ctx)
	fmt.Println(mark, err)

	db, _ := sql.Open("sqlite", path)
	defer db.Close()
	var id, prediction, probabilities, truth string
	db.QueryRow("SELECT id, prediction, probabilities, truth FROM predictions").Scan(&id, &prediction, &probabilities, &truth)
	fmt.Println(id, prediction, probabilities, truth)
	// Output:
	// {1 2 } <nil>
	// 1 true {"false":0.25,"true":0.75} false
}
