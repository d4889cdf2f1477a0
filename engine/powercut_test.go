package engine_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest"
)

// TestPowerCutUnderTheEngine cuts the power before and after every operation of a flow that keeps its snapshot in a journal
// and its open questions in segments, and starts it again: states and rows are those of a run that was never cut.
func TestPowerCutUnderTheEngine(t *testing.T) {
	table := orders()
	snap, stream := history(table, 40, 120)
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
	segments := map[string]bool{}
	cuts := 0
	for at := 1; at <= none.Ops(); at++ {
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
			for _, s := range newestSegments(t, st) {
				segments[s[:7]] = true
			}
			if err := run(disk, tidemilltest.NewFaults(0, how), sink); err != nil {
				t.Fatalf("cut %s: %v", what, err)
			}
			sameSections(t, newest(t, want), newest(t, st))
			if sink.String() != wantSink.String() {
				t.Errorf("cut %s: the sink differs", what)
			}
		}
	}
	if cuts < 40 || !segments["journal"] || !segments["questio"] {
		t.Errorf("%d cuts, segments of %v", cuts, segments)
	}
}

// newestSegments are the segments of the newest checkpoint, if there is one.
func newestSegments(t *testing.T, s tidemill.Store) []string {
	t.Helper()
	ids, _, err := s.List(t.Context())
	if err != nil || len(ids) == 0 {
		return nil
	}
	c, err := s.Load(t.Context(), ids[0])
	if err != nil {
		t.Fatal(err)
	}
	return c.Segments
}
