package engine_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest"
)

// TestPowerCutUnderTheEngine cuts the power at the end, and before and after every operation, of a flow that keeps its snapshot in a journal
// and its open questions in segments, and starts it again: states and rows are those of a run that was never cut.
func TestPowerCutUnderTheEngine(t *testing.T) {
	table := orders()
	snap, stream := history(table, 40, 120)
	stream = slices.DeleteFunc(stream, func(c tidemill.Change) bool { return c.Op == tidemill.Update && c.After[0].Int() >= 70 })
	run := func(st tidemill.Store, faults *tidemilltest.Faults, sink *tableSink) error {
		task := lateTask()
		task.Epochs, task.Memory = 3, 1 // questions leave for a segment as soon as a chunk is full
		f := tidemill.Flow{Name: "orders", Source: faults.Source(&script{table: table, snapshot: snap, stream: stream, cut: 30}), Tasks: []tidemill.Task{task},
			Sinks: []tidemill.Sink{faults.Sink(sink)}, Store: faults.Store(st), Every: 1, Once: true}
		m, err := engine.Start(t.Context(), f)
		if err == nil {
			err = m.Wait()
		}
		return errors.Join(err, faults.Bury())
	}
	none, wantSink, want := tidemilltest.NewFaults(0, tidemilltest.FailOnce), &tableSink{}, store.Memory()
	if err := run(want, none, wantSink); err != nil {
		t.Fatal(err)
	}
	segments := strings.Join(newest(t, want).Segments, " ")
	if !strings.Contains(segments, "journal-") || !strings.Contains(segments, "questions-") {
		t.Fatalf("the segments are %s", segments)
	}
	cuts := 0
	for at := 0; at <= none.Ops(); at++ {
		for _, how := range []tidemilltest.Failure{tidemilltest.CrashBefore, tidemilltest.CrashAfter} {
			cut, sink, st := tidemilltest.NewPowerCut(""), &tableSink{}, store.Memory()
			disk, faults := cut.Store(st), tidemilltest.NewFaults(at, how)
			err := run(disk, faults, sink)
			what := fmt.Sprintf("%s operation %d, %s", how, at, faults.What())
			if err != nil && !errors.Is(err, tidemilltest.ErrCrashed) {
				t.Fatalf("%s: %v", what, err)
			}
			if err != nil {
				cuts++
			}
			if err := cut.Cut(nil); err != nil { // also of a flow that had ended
				t.Fatal(err)
			}
			if err := run(disk, tidemilltest.NewFaults(0, how), sink); err != nil {
				t.Fatalf("cut %s: %v", what, err)
			}
			sameSections(t, withoutTerms(newest(t, want)), withoutTerms(newest(t, st)))
			if sink.String() != wantSink.String() {
				t.Errorf("cut %s: the sink differs", what)
			}
		}
	}
	if cuts < 20 {
		t.Errorf("%d cuts", cuts)
	}
}

// withoutTerms leaves the terms out of the names of segments with questions: those are of the run that wrote them.
func withoutTerms(c *tidemill.Checkpoint) *tidemill.Checkpoint {
	names := regexp.MustCompile(`(questions-late-[0-9]{8})-[0-9]`)
	for i := range c.Sections {
		c.Sections[i].Data = names.ReplaceAll(c.Sections[i].Data, []byte("$1-"))
	}
	return c
}
