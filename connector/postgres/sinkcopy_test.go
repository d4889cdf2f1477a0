package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// many is predictions for ids from..to.
func many(seq *uint64, from, to int, label string) (out []tidemill.Output) {
	for i := from; i < to; i++ {
		*seq++
		out = append(out, predicted(*seq, fmt.Sprintf("%05d", i), label))
	}
	return out
}

// New rows are copied; rows that are there are written over, and truths beside them are written.
func TestSinkCopies(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	w := postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	var seq uint64
	out := many(&seq, 0, 1000, "no")
	seq++
	out = append(out, answered(seq, "00007", "yes"))
	write(t, w, out...)
	rows := func(want string) {
		t.Helper()
		got := table(t, s, url, `SELECT count(*), min(prediction), max(prediction), count(truth), string_agg(DISTINCT probabilities::text, ' '), min(score), string_agg(DISTINCT asked_at::text, ' ') FROM predictions`)
		if !strings.HasPrefix(got, want+` {"no":0.25,"\"y\\es\"":0.75} 0.75 2026-01-02 03:04:05.678901`) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	rows("1000 no no 1")
	// Some of these ids are there; a truth of an earlier row comes with them.
	out = many(&seq, 900, 1100, "yes")
	seq++
	write(t, w, append(out, answered(seq, "00001", "no"))...)
	rows("1100 no yes 2")
	// And again, though none of them is.
	for i := range 20 {
		write(t, w, many(&seq, 2000+100*i, 2100+100*i, "no")...)
	}
	rows("3100 no yes 2")
	if got := table(t, s, url, "SELECT seq FROM tidemill_marks"); got != fmt.Sprint(seq) {
		t.Errorf("the mark is %s, want %d", got, seq)
	}
	// A replay writes over what is there.
	resume(t, w, 2, tidemill.Mark{Term: 1, Seq: 1})
	replay := uint64(1)
	write(t, w, many(&replay, 0, 3000, "later")...)
	if got := table(t, s, url, "SELECT count(*) FILTER (WHERE prediction = 'later') FROM predictions"); got != "3000" {
		t.Error(got)
	}
}

func TestSinkCopyOfAFencedWriter(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	w, v := postgres.Sink(url, "predictions"), postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	resume(t, v, 2, tidemill.Mark{})
	var seq uint64
	err := w.Write(context.Background(), many(&seq, 0, 500, "no"))
	if !errors.Is(err, tidemill.ErrFenced) {
		t.Errorf("the fenced writer got %v", err)
	}
	if got := table(t, s, url, "SELECT count(*) FROM predictions"); got != "0" {
		t.Errorf("the fenced writer left %s rows", got)
	}
	seq = 0
	write(t, v, many(&seq, 0, 500, "no")...)
	if got := table(t, s, url, "SELECT count(*) FROM predictions"); got != "500" {
		t.Error(got)
	}
}

func TestSinkCopyIsCancelled(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	w := postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var seq uint64
	out := many(&seq, 0, 500, "no")
	if err := w.Write(ctx, out); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Write is %v", err)
	}
	write(t, w, out...) // whatever became of the first
	if got := table(t, s, url, "SELECT count(*) FROM predictions"); got != "500" {
		t.Error(got)
	}
}
