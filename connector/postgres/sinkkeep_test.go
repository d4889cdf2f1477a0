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

// forgetful is a server whose log is written to disk only when a commit asks for it: what was committed without waiting
// is gone when it crashes.
func forgetful(t *testing.T) *postgrestest.Server {
	return postgrestest.Start(t, postgrestest.Fsync(), postgrestest.Conf("wal_writer_delay", "10s"), postgrestest.Conf("wal_writer_flush_after", "0"),
		postgrestest.Conf("autovacuum", "off"))
}

// story is a history of small writes: predictions, truths, second questions, moves, and outputs that the table ignores.
func story(n int) (writes [][]tidemill.Output) {
	seq := uint64(0)
	next := func() uint64 { seq++; return seq }
	for i := range n {
		id := fmt.Sprint(i)
		out := []tidemill.Output{predicted(next(), id, "no")}
		switch {
		case i%3 == 2:
			out = append(out, answered(next(), fmt.Sprint(i-1), "yes"), tidemill.Output{Kind: tidemill.RowPassed, Seq: next()})
		case i%7 == 6:
			out = append(out, predicted(next(), fmt.Sprint(i-2), "again"))
		case i%11 == 10:
			out = append(out, moved(next(), fmt.Sprint(i-5), fmt.Sprint(-i)))
		}
		writes = append(writes, out)
	}
	return writes
}

const everything = "SELECT * FROM predictions ORDER BY task, id"

// patiently writes as the engine does: again, until it works.
func patiently(t *testing.T, w tidemill.Sink, out []tidemill.Output) {
	t.Helper()
	for try := 0; ; try++ {
		err := w.Write(context.Background(), out)
		if err == nil {
			return
		}
		if tidemill.IsFatal(err) || errors.Is(err, tidemill.ErrUnknownMark) || try == 5 {
			t.Fatal(err)
		}
	}
}

// A server that crashes loses what was not flushed; the sink writes it again, and the table is that of a server that
// never crashed.
func TestSinkWritesAgainWhatACrashedServerLost(t *testing.T) {
	calm := postgrestest.Start(t)
	calmURL := calm.CreateDB(t)
	v := postgres.Sink(calmURL, "predictions")
	resume(t, v, 1, tidemill.Mark{})
	s := forgetful(t)
	url := s.CreateDB(t)
	w := postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	lost, last := 0, uint64(0)
	for i, out := range story(60) {
		write(t, v, out...)
		patiently(t, w, out)
		last = out[len(out)-1].Seq
		if i%10 != 9 {
			continue
		}
		if i == 29 { // a checkpoint: what comes before it is never lost
			if m, err := w.Flush(context.Background()); err != nil || m.Seq != last {
				t.Fatalf("mark %v, %v", m, err)
			}
			s.Kill(t)
			s.Start(t)
			if got := table(t, s, url, "SELECT seq FROM tidemill_marks"); got != fmt.Sprint(last) {
				t.Fatalf("the flushed mark is %s, want %d", got, last)
			}
			continue
		}
		s.Kill(t)
		s.Start(t)
		if table(t, s, url, "SELECT seq FROM tidemill_marks") != fmt.Sprint(last) {
			lost++
		}
		if i == 49 { // a checkpoint right after the crash
			m, err := w.Flush(context.Background())
			for try := 0; err != nil && try < 3; try++ {
				m, err = w.Flush(context.Background())
			}
			if err != nil || m.Seq != last {
				t.Fatalf("mark %v, %v", m, err)
			}
			if got := table(t, s, url, "SELECT seq FROM tidemill_marks"); got != fmt.Sprint(last) {
				t.Fatalf("the mark is %s after Flush, want %d", got, last)
			}
		}
	}
	if lost == 0 {
		t.Error("the crashes lost nothing: this test shows nothing")
	}
	// The next write finds out about the last crash.
	end := predicted(last+1, "end", "no")
	write(t, v, end)
	patiently(t, w, []tidemill.Output{end})
	if got, want := table(t, s, url, everything), table(t, calm, calmURL, everything); got != want {
		t.Errorf("the table differs from the undisturbed one:\n%s\n%s", got, want)
	}
}

// Server and writer die together: the replay from the last flushed mark rebuilds the table.
func TestSinkReplaysWhatBothLost(t *testing.T) {
	s := forgetful(t)
	for range 8 { // the server may write its log on its own, every 10 s
		if diesWithItsServer(t, s) {
			return
		}
	}
	t.Error("the crashes lost nothing: this test shows nothing")
}

func diesWithItsServer(t *testing.T, s *postgrestest.Server) (lost bool) {
	url := s.CreateDB(t)
	w := postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	writes := story(40)
	var mark tidemill.Mark
	for i, out := range writes {
		write(t, w, out...)
		if i == 19 {
			var err error
			if mark, err = w.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := table(t, s, url, everything)
	s.Kill(t)
	w.Close()
	s.Start(t)
	lost = table(t, s, url, everything) != want
	again := postgres.Sink(url, "predictions")
	resume(t, again, 2, mark)
	for _, out := range writes[20:] {
		write(t, again, out...)
	}
	if got := table(t, s, url, everything); got != want {
		t.Errorf("the table differs from the undisturbed one:\n%s\n%s", got, want)
	}
	return lost
}

// The term is durable at once, and a table that lost what was durable is not written to.
func TestSinkOfAnOlderCopy(t *testing.T) {
	s := forgetful(t)
	url := s.CreateDB(t)
	w := postgres.Sink(url, "predictions")
	resume(t, w, 7, tidemill.Mark{})
	s.Kill(t)
	s.Start(t)
	if got := table(t, s, url, "SELECT term FROM tidemill_marks"); got != "7" {
		t.Fatalf("after the crash the term is %s", got)
	}
	patiently(t, w, []tidemill.Output{predicted(1, "1", "no"), predicted(2, "2", "no")})
	if _, err := w.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.Exec(t, url, "UPDATE tidemill_marks SET seq = 1; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidemill'")
	var err error
	for range 3 {
		if err = w.Write(context.Background(), []tidemill.Output{predicted(3, "3", "no")}); errors.Is(err, tidemill.ErrUnknownMark) {
			break
		}
	}
	if !errors.Is(err, tidemill.ErrUnknownMark) || !strings.Contains(err.Error(), "older copy") {
		t.Errorf("got %v", err)
	}
}
