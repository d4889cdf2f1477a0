package file

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/format/json"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest"
)

// onDisk is a sink whose files lie on a disk that can be cut.
func onDisk(path string, cut *tidemilltest.PowerCut) *Writer {
	w := Sink(path, json.Plain())
	w.syncFile, w.syncFolder = cut.SyncFile, cut.SyncFolder
	return w
}

// TestPowerCut cuts the power at the end, and before and after every operation, of a flow from file to file, and starts it again: the file of
// outputs is that of a run that was never cut.
func TestPowerCut(t *testing.T) {
	in := filepath.Join(t.TempDir(), "rows.csv")
	var text strings.Builder
	text.WriteString("id,x,late,padding\n")
	for i := range 400 {
		fmt.Fprintf(&text, "%d,%d,%t,%s\n", i, i*7919%1000, i*7919%1000 > 600, strings.Repeat("-", 3000))
	}
	if err := os.WriteFile(in, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(s tidemill.Store, w tidemill.Sink, f *tidemilltest.Faults) error {
		task := tidemill.Task{Name: "late", Predict: tidemill.On{Op: tidemill.Insert, Table: "rows"}, Learn: tidemill.On{Op: tidemill.Insert, Table: "rows", Label: "late"},
			Features: []tidemill.Feature{feature.Numeric("x")}, Model: model.Logistic(model.SGD(0.1)), Scores: []tidemill.Score{score.Accuracy()}}
		m, err := engine.Start(t.Context(), tidemill.Flow{Name: "cut", Source: f.Source(Source(in).Key("id")), Store: f.Store(s), Sinks: []tidemill.Sink{f.Sink(w)},
			Tasks: []tidemill.Task{task}, Every: 1, Once: true})
		if err == nil {
			err = m.Wait()
		}
		return errors.Join(err, f.Bury(), w.Close())
	}
	calm, out := tidemilltest.NewFaults(0, tidemilltest.FailOnce), filepath.Join(t.TempDir(), "out.jsonl")
	if err := run(store.Memory(), Sink(out, json.Plain()), calm); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(out)
	if err != nil || strings.Count(string(want), "\n") != 400 {
		t.Fatalf("%d bytes, %v", len(want), err)
	}
	for at := 0; at <= calm.Ops(); at++ {
		for _, how := range []tidemilltest.Failure{tidemilltest.CrashBefore, tidemilltest.CrashAfter} {
			dir := t.TempDir()
			cut, s, out := tidemilltest.NewPowerCut(dir), store.Memory(), filepath.Join(dir, "out.jsonl")
			f := tidemilltest.NewFaults(at, how)
			err := run(s, onDisk(out, cut), f)
			what := fmt.Sprintf("%s operation %d, %s", how, at, f.What())
			if err != nil && !errors.Is(err, tidemilltest.ErrCrashed) {
				t.Fatalf("%s: %v", what, err)
			}
			var random *rand.Rand // all is lost that may be
			if at%3 > 0 {
				random = rand.New(rand.NewPCG(uint64(at), uint64(how)))
			}
			if err := cut.Cut(random); err != nil {
				t.Fatal(err)
			}
			if err := run(s, onDisk(out, cut), tidemilltest.NewFaults(0, how)); err != nil {
				t.Fatalf("cut %s: %v", what, err)
			}
			if got, err := os.ReadFile(out); err != nil || string(got) != string(want) {
				t.Fatalf("cut %s: %d bytes and not %d, %v", what, len(got), len(want), err)
			}
		}
	}
}

// TestPowerCutKeepsWhatIsOwned: once a sink has taken a file over, a cut does not give it back to nobody: its sidecar is durable,
// by content and by name, and so is a cut to the mark.
func TestPowerCutKeepsWhatIsOwned(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	cut, path := tidemilltest.NewPowerCut(dir), filepath.Join(dir, "out.jsonl")
	w := onDisk(path, cut)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 5}))
	must(w.Close())
	must(cut.Cut(nil))
	if err := onDisk(path, cut).Resume(ctx, tidemill.Resumption{Flow: "f", Term: 4, After: tidemill.Mark{Term: 4}}); !errors.Is(err, tidemill.ErrFenced) {
		t.Errorf("an older term after the cut: %v", err)
	}
	must(w.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 6}))
	must(w.Write(ctx, outputs(1, 10)))
	mark, err := w.Flush(ctx)
	must(err)
	must(w.Write(ctx, outputs(11, 5)))
	must(w.Close())
	must(cut.Cut(nil)) // of what was written only what was flushed is there
	must(w.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 6, After: mark}))
	if b, err := os.ReadFile(path); err != nil || strings.Count(string(b), "\n") != 10 || int64(len(b)) != w.size {
		t.Errorf("%d lines after the first cut, %v", strings.Count(string(b), "\n"), err)
	}
	must(w.Write(ctx, outputs(11, 10)))
	_, err = w.Flush(ctx)
	must(err)
	must(w.Close())
	must(w.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 7, After: mark})) // cuts the second ten off
	must(w.Close())
	must(cut.Cut(nil))
	if b, err := os.ReadFile(path); err != nil || strings.Count(string(b), "\n") != 10 {
		t.Errorf("%d lines after the cut, %v", strings.Count(string(b), "\n"), err)
	}
	// And the sink that the flow file makes has the true ones.
	f, err := os.Open(path)
	must(err)
	must(f.Close())
	if w := Sink(path, json.Plain()); w.syncFile(f) == nil || w.syncFolder(filepath.Join(dir, "none")) == nil {
		t.Error("it does not sync")
	}
}

// TestHalfAWrite: of a write that the disk takes in part nothing is left, so the next one begins a line of its own.
func TestHalfAWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	w := resumed(t, path, 1, tidemill.Mark{})
	must(t, w.Write(t.Context(), outputs(1, 2)))
	before, err := os.ReadFile(path)
	must(t, err)
	full := errors.New("the disk is full")
	w.writeAt = func(f *os.File, b []byte, at int64) (int, error) {
		n, err := f.WriteAt(b[:len(b)/2], at)
		return n, errors.Join(err, full)
	}
	if err := w.Write(t.Context(), outputs(3, 2)); !errors.Is(err, full) || tidemill.IsFatal(err) {
		t.Errorf("half a write: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != string(before) {
		t.Errorf("half a line is left: %d bytes of %d, %v", len(b), len(before), err)
	}
	w.writeAt = (*os.File).WriteAt
	must(t, w.Write(t.Context(), outputs(3, 2)))
	var want []byte
	for _, o := range outputs(1, 4) {
		want = lineOf(want, &o)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != string(want) {
		t.Errorf("%d bytes, want %d, %v", len(b), len(want), err)
	}
}
