package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

func predicted(seq uint64, id, label string) tidemill.Output {
	return tidemill.Output{Kind: tidemill.Predicted, Seq: seq, Task: "late", ID: id, Label: label, Score: 0.75,
		Prediction: []float64{0.25, 0.75}, Labels: []string{"no", `"y\es"`}, Version: tidemill.Version{Start: 3, Learned: 60000},
		Asked: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC), Position: "0/16B3748"}
}

func answered(seq uint64, id, label string) tidemill.Output {
	return tidemill.Output{Kind: tidemill.Truth, Seq: seq, Task: "late", ID: id, Truth: label, Answered: time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC)}
}

func moved(seq uint64, id, to string) tidemill.Output {
	return tidemill.Output{Kind: tidemill.Retracted, Seq: seq, Task: "late", ID: id, NewID: to}
}

func resume(t testing.TB, w tidemill.Sink, term uint64, after tidemill.Mark) {
	t.Helper()
	if err := w.Resume(context.Background(), tidemill.Resumption{Flow: "f", Term: term, After: after}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
}

func write(t testing.TB, w tidemill.Sink, out ...tidemill.Output) {
	t.Helper()
	if err := w.Write(context.Background(), out); err != nil {
		t.Fatal(err)
	}
}

func table(t testing.TB, s *postgrestest.Server, url, sql string) string {
	t.Helper()
	var lines []string
	for _, r := range s.Query(t, url, sql) {
		lines = append(lines, strings.Join(r, " "))
	}
	return strings.Join(lines, "; ")
}

const short = "SELECT id, prediction, truth FROM predictions ORDER BY id"

func TestSinkWritesRows(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	w := postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	write(t, w, predicted(1, "1", "no"), predicted(2, "2", "yes"), tidemill.Output{Kind: tidemill.RowPassed, Seq: 3}, predicted(4, "1", "yes"), answered(5, "2", "no"))
	got := table(t, s, url, "SET timezone = 'UTC'; SELECT task, id, prediction, score, probabilities, model_version, asked_at, position, truth, answered_at FROM predictions ORDER BY id")
	want := `late 1 yes 0.75 {"no":0.25,"\"y\\es\"":0.75} 3.60000 2026-01-02 03:04:05.678901+00 0/16B3748 NULL NULL; ` +
		`late 2 yes 0.75 {"no":0.25,"\"y\\es\"":0.75} 3.60000 2026-01-02 03:04:05.678901+00 0/16B3748 no 2026-01-03 00:00:00+00`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	// A later batch answers, asks again (the truth is open again), and moves a row.
	write(t, w, answered(6, "1", "no"), answered(7, "unasked", "no"))
	if got := table(t, s, url, short); got != "1 yes no; 2 yes no" {
		t.Error(got)
	}
	write(t, w, predicted(8, "2", "no"), moved(9, "2", "1"), predicted(10, "3", "a\x00b\xff"), answered(11, "1", "maybe"))
	if got := table(t, s, url, short); got != "1 no maybe; 3 a\uFFFDb\uFFFD NULL" {
		t.Error(got)
	}
	if got := table(t, s, url, "SELECT flow, sink, term, seq FROM tidemill_marks"); got != "f public.predictions 1 11" {
		t.Error(got)
	}
	if m, err := w.Flush(context.Background()); err != nil || m != (tidemill.Mark{Term: 1, Seq: 11}) {
		t.Errorf("mark %v, %v", m, err)
	}
	// The replay of a move whose row has moved already loses nothing.
	resume(t, w, 2, tidemill.Mark{Term: 1, Seq: 8})
	write(t, w, moved(9, "2", "1"), predicted(10, "3", "x"), answered(11, "1", "maybe"))
	if got := table(t, s, url, short); got != "1 no maybe; 3 x NULL" {
		t.Error(got)
	}
}

// TestSinkTimesOfAnyYear writes what a row's own time may be: a source's calendar can be wider than PostgreSQL's.
func TestSinkTimesOfAnyYear(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	w := postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	first := time.UnixMicro(-210_866_803_200_000_000)
	var out []tidemill.Output
	for i, at := range []time.Time{first, first.Add(-time.Microsecond), time.UnixMicro(math.MinInt64), time.UnixMicro(math.MaxInt64)} {
		o := predicted(uint64(i+1), fmt.Sprint(i), "no")
		o.Asked = at
		out = append(out, o)
	}
	write(t, w, out...)
	got := table(t, s, url, "SET timezone = 'UTC'; SELECT id, asked_at FROM predictions ORDER BY id")
	if got != "0 4714-11-24 00:00:00+00 BC; 1 -infinity; 2 -infinity; 3 294247-01-10 04:00:54.775807+00" {
		t.Error(got)
	}
	write(t, w, answered(5, "2", "no"))
	told, err := w.Recall(context.Background(), "late", 10)
	if err != nil || len(told) != 1 || !told[0].Asked.IsZero() {
		t.Errorf("recalled %+v, %v", told, err)
	}
}

func TestSinkMarks(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	ctx := context.Background()
	w := postgres.Sink(url, "predictions")
	resume(t, w, 3, tidemill.Mark{})
	write(t, w, predicted(1, "1", "no"), predicted(2, "2", "no"))
	for _, c := range []struct {
		r    tidemill.Resumption
		want error
	}{
		{tidemill.Resumption{Flow: "f", Term: 2, After: tidemill.Mark{Term: 1, Seq: 1}}, tidemill.ErrFenced},
		{tidemill.Resumption{Flow: "f", Term: 4}, tidemill.ErrUnknownMark},
		{tidemill.Resumption{Flow: "f", Term: 4, After: tidemill.Mark{Term: 3, Seq: 3}}, tidemill.ErrUnknownMark},
		{tidemill.Resumption{Flow: "other", Term: 1}, nil},
		{tidemill.Resumption{Flow: "f", Term: 4, After: tidemill.Mark{Term: 3, Seq: 1}}, nil},
		{tidemill.Resumption{Flow: "f", Term: 5, Adopt: true}, nil},
	} {
		v := postgres.Sink(url, "predictions")
		if err := engine.ResumeSink(ctx, v, c.r); !errors.Is(err, c.want) {
			t.Errorf("Resume(%+v) is %v, want %v", c.r, err, c.want)
		}
		v.Close()
	}
	// The old writer is fenced, and leaves no rows.
	err := w.Write(ctx, []tidemill.Output{predicted(3, "3", "no")})
	if !errors.Is(err, tidemill.ErrFenced) || !tidemill.IsFatal(err) {
		t.Errorf("the fenced writer got %v", err)
	}
	if got := table(t, s, url, short); got != "1 no NULL; 2 no NULL" {
		t.Error(got)
	}
}

func TestSinkGoesOnAfterItsServerCrashed(t *testing.T) {
	s := postgrestest.Start(t, postgrestest.Fsync())
	url := s.CreateDB(t)
	w := postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	write(t, w, predicted(1, "1", "no"))
	s.Kill(t)
	out := []tidemill.Output{predicted(2, "2", "no"), moved(3, "1", "9")}
	if err := w.Write(context.Background(), out); err == nil || tidemill.IsFatal(err) {
		t.Fatalf("a dead server gave %v", err)
	}
	s.Start(t)
	write(t, w, out...)
	if got := table(t, s, url, short); got != "2 no NULL; 9 no NULL" {
		t.Error(got)
	}
	// The server dies between commit and answer: the same outputs come again, and the mark says that they are there.
	s.Exec(t, url, "UPDATE tidemill_marks SET seq = 5")
	s.Exec(t, url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemill'")
	again := []tidemill.Output{predicted(4, "4", "no"), moved(5, "9", "8")}
	err := w.Write(context.Background(), again)
	for try := 0; err != nil && try < 3; try++ {
		if tidemill.IsFatal(err) {
			t.Fatal(err)
		}
		err = w.Write(context.Background(), again)
	}
	if got := table(t, s, url, short); err != nil || got != "2 no NULL; 9 no NULL" {
		t.Error(got, err)
	}
}

func TestSinkManyRows(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	w := postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	var out []tidemill.Output
	for i := range 10_000 {
		out = append(out, predicted(uint64(i+1), fmt.Sprint(i), "no"))
	}
	write(t, w, out...)
	for i := range out {
		out[i] = answered(uint64(10_001+i), fmt.Sprint(i), "yes")
	}
	write(t, w, out...)
	if got := table(t, s, url, "SELECT count(*), count(truth) FROM predictions"); got != "10000 10000" {
		t.Error(got)
	}
}

func TestSinkRefusesAnotherShape(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE predictions (id int)")
	err := postgres.Sink(url, "predictions").Resume(context.Background(), tidemill.Resumption{Flow: "f", Term: 1})
	if err == nil || !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "another shape") {
		t.Errorf("got %v", err)
	}
}
