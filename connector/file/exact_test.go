package file_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/file"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/format/json"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest"
)

// TestExactlyOnce lets the process die before and after every operation that a flow from file to file makes, starts it
// again, and compares the model's bytes and the file of outputs with those of a run that was never disturbed.
func TestExactlyOnce(t *testing.T) {
	in := filepath.Join(t.TempDir(), "rows.csv")
	var text strings.Builder
	text.WriteString("id,x,late,padding\n")
	for i := range 1500 {
		fmt.Fprintf(&text, "%d,%v,%t,%s\n", i, float64(i*7919%1000)/1000, i*7919%1000 > 600, strings.Repeat("-", 900))
	}
	appendTo(t, in, text.String())

	run := func(s tidemill.Store, out string, f *tidemilltest.Faults) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		flow := tidemill.Flow{
			Name: "exact", Source: f.Source(file.Source(in).Key("id")), Store: f.Store(s), Sinks: []tidemill.Sink{f.Sink(file.Sink(out, json.Plain()))},
			Every: time.Millisecond, Once: true,
			Tasks: []tidemill.Task{{
				Name:     "late",
				Predict:  tidemill.On{Op: tidemill.Insert, Table: "rows"},
				Learn:    tidemill.On{Op: tidemill.Insert, Table: "rows", Label: "late"},
				Features: []tidemill.Feature{feature.Numeric("x")}, Model: model.Logistic(model.SGD(0.1)), Scores: []tidemill.Score{score.Accuracy()},
			}},
		}
		mill, err := engine.Start(ctx, flow)
		if err != nil {
			return errors.Join(err, f.Bury())
		}
		return errors.Join(mill.Wait(), f.Bury())
	}
	result := func(s tidemill.Store, out string) (lines, state []byte) {
		ids, broken, err := s.List(t.Context())
		if err != nil || len(broken) > 0 || len(ids) == 0 {
			t.Fatalf("%v, %v, %v", ids, broken, err)
		}
		c, err := s.Load(t.Context(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		lines, err = os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		return lines, c.Section("task/late/model").Data
	}

	calm := store.Memory()
	calmOut := filepath.Join(t.TempDir(), "out.jsonl")
	count := tidemilltest.NewFaults(0, tidemilltest.FailOnce)
	if err := run(calm, calmOut, count); err != nil {
		t.Fatal(err)
	}
	wantLines, wantState := result(calm, calmOut)
	if n := bytes.Count(wantLines, []byte("\n")); n != 1500 || count.Ops() < 15 {
		t.Fatalf("undisturbed: %d lines, %d operations", n, count.Ops())
	}
	for _, how := range []tidemilltest.Failure{tidemilltest.CrashBefore, tidemilltest.CrashAfter, tidemilltest.FailOnce, tidemilltest.FailAfter} {
		for at := 1; at <= count.Ops()+2; at++ {
			s, out := store.Memory(), filepath.Join(t.TempDir(), "out.jsonl")
			f := tidemilltest.NewFaults(at, how)
			err := run(s, out, f)
			what := fmt.Sprintf("%s at operation %d, %s", how, at, f.What())
			crashed := errors.Is(err, tidemilltest.ErrCrashed)
			if err != nil && !crashed && !errors.Is(err, tidemilltest.ErrInjected) {
				t.Fatalf("%s: %v", what, err)
			}
			if err != nil {
				if err := run(s, out, tidemilltest.NewFaults(0, how)); err != nil {
					t.Fatalf("%s: started again: %v", what, err)
				}
			}
			lines, state := result(s, out)
			if !bytes.Equal(lines, wantLines) {
				t.Fatalf("%s: the outputs differ: %d lines", what, bytes.Count(lines, []byte("\n")))
			}
			if !bytes.Equal(state, wantState) {
				t.Fatalf("%s: the model differs", what)
			}
		}
	}
}
