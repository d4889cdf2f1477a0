package sqlite

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

var asked = time.Date(2026, 3, 4, 5, 6, 7, 89_000_000, time.UTC)

func predicted(seq uint64, id, label string) tidemill.Output {
	return tidemill.Output{Kind: tidemill.Predicted, Seq: seq, Task: "late", ID: id, Label: label, Score: 0.75, Labels: []string{"no", "ye\"s"},
		Prediction: []float64{0.25, 0.75}, Version: tidemill.Version{Start: 3, Learned: 60000}, Asked: asked, Position: "17"}
}

func rowsOf(t *testing.T, path, query string) string {
	t.Helper()
	d, err := look(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	var b strings.Builder
	err = d.query(query, func(s *stmt) error {
		for i := range s.columns() {
			if i > 0 {
				b.WriteByte('|')
			}
			b.WriteString(s.text(i))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSinkRows(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "p.db")
	s := Sink(path, "predictions")
	defer s.Close()
	if err := s.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	nan := predicted(3, "c", "")
	nan.Score, nan.Prediction = math.NaN(), []float64{math.NaN(), math.Inf(1)}
	err := s.Write(ctx, []tidemill.Output{predicted(1, "a", "yes"), predicted(2, "b", "no"), nan,
		{Kind: tidemill.Truth, Seq: 4, Task: "late", ID: "a", Truth: "no", Answered: asked.Add(time.Hour)},
		{Kind: tidemill.Retracted, Seq: 5, Task: "late", ID: "b", NewID: "z"}, {Kind: tidemill.EventRaised, Seq: 6}})
	if err != nil {
		t.Fatal(err)
	}
	got := rowsOf(t, path, "SELECT * FROM predictions ORDER BY id")
	want := "late|a|yes|0.75|{\"no\":0.25,\"ye\\\"s\":0.75}|3.60000|2026-03-04T05:06:07.089000Z|17|no|2026-03-04T06:06:07.089000Z\n" +
		"late|c|||{\"no\":null,\"ye\\\"s\":null}|3.60000|2026-03-04T05:06:07.089000Z|17||\n" +
		"late|z|no|0.75|{\"no\":0.25,\"ye\\\"s\":0.75}|3.60000|2026-03-04T05:06:07.089000Z|17||\n"
	if got != want {
		t.Errorf("rows are\n%s, want\n%s", got, want)
	}
	m, err := s.Flush(ctx)
	if err != nil || m != (tidemill.Mark{Term: 1, Seq: 6}) {
		t.Errorf("Flush gave %v, %v", m, err)
	}
	if got := rowsOf(t, path, "SELECT * FROM tidemill_marks"); got != "f|predictions|1|6\n" {
		t.Errorf("the marks are %q", got)
	}
	// A new question has no answer.
	if err := s.Write(ctx, []tidemill.Output{predicted(7, "a", "no")}); err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, path, "SELECT prediction, truth, answered_at FROM predictions WHERE id='a'"); got != "no||\n" {
		t.Errorf("after a second question: %q", got)
	}
}

func TestSinkMarks(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "p.db")
	first := Sink(path, "predictions")
	defer first.Close()
	write := func(s *Predictions, seq uint64) error {
		return s.Write(ctx, []tidemill.Output{predicted(seq, "a", "x")})
	}
	if err := first.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	if err := write(first, 5); err != nil {
		t.Fatal(err)
	}
	second := Sink(path, "predictions")
	defer second.Close()
	if err := second.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 2, After: tidemill.Mark{Term: 1, Seq: 4}}); err != nil {
		t.Fatal(err)
	}
	if err := write(first, 6); !errors.Is(err, tidemill.ErrFenced) {
		t.Errorf("the older term writes on: %v", err)
	}
	if _, err := first.Flush(ctx); !errors.Is(err, tidemill.ErrFenced) {
		t.Errorf("the older term flushes: %v", err)
	}
	if err := write(second, 5); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		name string
		r    tidemill.Resumption
		want error
	}{
		{"an older term", tidemill.Resumption{Flow: "f", Term: 1, After: tidemill.Mark{Term: 1, Seq: 4}}, tidemill.ErrFenced},
		{"no checkpoint", tidemill.Resumption{Flow: "f", Term: 3}, tidemill.ErrUnknownMark},
		{"a checkpoint ahead", tidemill.Resumption{Flow: "f", Term: 3, After: tidemill.Mark{Term: 2, Seq: 9}}, tidemill.ErrUnknownMark},
		{"a mark that is gone", tidemill.Resumption{Flow: "g", Term: 3, After: tidemill.Mark{Term: 2, Seq: 9}}, tidemill.ErrUnknownMark},
		{"another flow", tidemill.Resumption{Flow: "g", Term: 3}, nil},
		{"adopted", tidemill.Resumption{Flow: "f", Term: 1, Adopt: true}, nil},
		{"then as usual", tidemill.Resumption{Flow: "f", Term: 2}, nil},
	} {
		s := Sink(path, "predictions")
		if err := engine.ResumeSink(ctx, s, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		s.Close()
	}
}

func TestAppendTime(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	times := []time.Time{{}, asked, time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(-5, 2, 3, 4, 5, 6, 7, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 1, time.FixedZone("", 3600))}
	for range 2000 {
		times = append(times, time.Unix(r.Int64N(1<<36)-1<<35, r.Int64N(1e9)))
	}
	for _, at := range times {
		if got, want := string(appendTime(nil, at)), at.UTC().Format("2006-01-02T15:04:05.000000Z"); got != want {
			t.Errorf("%v is %s, want %s", at, got, want)
		}
	}
}
