package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// TestKeysChangePlaces: with a deferrable key rows take each other's keys inside one transaction. Every question and every
// prediction goes with its row.
func TestKeysChangePlaces(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE a (id int PRIMARY KEY DEFERRABLE, x float8, y float8); ALTER TABLE a REPLICA IDENTITY FULL")
	run := func(ctx context.Context, once bool) *engine.Mill {
		f := tidemill.Flow{Name: "places", Source: postgres.Source(url, "a"), Sinks: []tidemill.Sink{postgres.Sink(url, "predictions")}, Store: store.Memory(), Once: once,
			Tasks: []tidemill.Task{{Name: "value", Predict: tidemill.On{Op: tidemill.Insert, Table: "a"}, Learn: tidemill.On{Op: tidemill.Update, Table: "a", Label: "y"},
				Features: []tidemill.Feature{feature.Numeric("x")}, Model: model.Linear(model.SGD(0.01)), Scores: []tidemill.Score{score.MAE()}}}}
		m, err := engine.Start(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := run(t.Context(), false)
	for !m.Status().Snapshot.Done {
		time.Sleep(5 * time.Millisecond)
	}
	positions := func() string {
		return strings.Join(column1(s.Query(t, url, "SELECT id || ' ' || position FROM predictions ORDER BY asked_at, position")), "\n")
	}
	until := func(outputs uint64) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); m.Status().Written < outputs; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d outputs are written, not %d", m.Status().Written, outputs)
			}
		}
	}
	for _, x := range []string{"1", "2", "3"} {
		s.Exec(t, url, "INSERT INTO a VALUES ("+x+", "+x+")")
	}
	until(3)
	was := positions()
	s.Exec(t, url, "UPDATE a SET id = 3 - id WHERE id < 3") // 1 and 2 change places
	s.Exec(t, url, "UPDATE a SET id = id % 3 + 1")          // all go one further, the last to the front
	s.Exec(t, url, "BEGIN; SET CONSTRAINTS ALL DEFERRED; UPDATE a SET id = 2 WHERE x = 2; "+
		"UPDATE a SET y = 10 WHERE x = 1; UPDATE a SET y = 20 WHERE x = 2; UPDATE a SET id = 3 WHERE x = 1; COMMIT") // and two change places again, and are answered while they have one key
	s.Exec(t, url, "UPDATE a SET y = 10 * x")
	rows := column1(s.Query(t, url, "SELECT id || ' ' || x FROM a ORDER BY id"))
	if got := strings.Join(rows, ", "); got != "1 3, 2 2, 3 1" {
		t.Fatalf("the table has %s", got)
	}
	for end := time.Now().Add(20 * time.Second); m.Status().Tasks[0].Counts.Answered < 3; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%+v", m.Status().Tasks[0].Counts)
		}
	}
	until(m.Status().Outputs)
	if c := m.Status().Tasks[0].Counts; c.Replaced != 0 || c.Open != 0 || c.Unasked != 0 {
		t.Errorf("%+v", c)
	}
	asked := strings.Split(was, "\n")
	want := strings.Join([]string{"3" + asked[0][1:], "2" + asked[1][1:], "1" + asked[2][1:]}, "\n")
	if got := positions(); got != want {
		t.Errorf("predictions\n%s\nwant\n%s", got, want)
	}
	if got := strings.Join(column1(s.Query(t, url, "SELECT id || ' ' || truth FROM predictions ORDER BY id")), ", "); got != "1 30, 2 20, 3 10" {
		t.Errorf("truths %s", got)
	}
	if err := m.Stop(); err != nil {
		t.Fatal(err)
	}
}

func column1(rows [][]string) []string {
	var out []string
	for _, r := range rows {
		out = append(out, r[0])
	}
	return out
}
