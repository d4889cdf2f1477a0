package main

import (
	"testing"
	"time"

	"github.com/tidemill/tidemill/engine"
)

func TestProgressText(t *testing.T) {
	rolling := 0.9314
	tasks := []engine.TaskStatus{{Name: "late", Scores: []engine.ScoreStatus{{Name: "auc", Phase: "snapshot", N: 100, Rolling: &rolling}}}}
	for _, c := range []struct {
		s     engine.Status
		rate  float64
		drawn bool
		want  string
	}{
		{engine.Status{State: "snapshot", Snapshot: engine.PhaseStatus{Rows: 2500000, Total: 10000000}}, 500000, false,
			"snapshot: 2,500,000 of about 10,000,000 rows, 25 %, 500,000/s, 15 s left"},
		{engine.Status{State: "snapshot", Snapshot: engine.PhaseStatus{Rows: 2500000, Total: 10000000}, Tasks: tasks}, 1000, true,
			"snapshot: [█████░░░░░░░░░░░░░░░] 2,500,000 of about 10,000,000 rows, 25 %, 1,000/s, 2.1 h left, late auc 0.9314"},
		{engine.Status{State: "snapshot", Snapshot: engine.PhaseStatus{Rows: 1000, Total: 1000, Epoch: 3, Epochs: 10, Pass: 500, PassTotal: 1000}}, 10, true,
			"snapshot: [█████░░░░░░░░░░░░░░░] epoch 3 of 10, 500 of 1,000 rows, 25 %, 10/s, 13 min left"},
		{engine.Status{State: "snapshot", Snapshot: engine.PhaseStatus{Rows: 1200, Total: 1000}}, 10, false, "snapshot: 1,200 of about 1,200 rows, 100 %, 10/s"},
		{engine.Status{State: "snapshot", Snapshot: engine.PhaseStatus{Rows: 7}}, 0, true, "snapshot: 7 rows, 0/s"},
		{engine.Status{State: "streaming", Snapshot: engine.PhaseStatus{Rows: 7, Done: true}, Stream: engine.PhaseStatus{Rows: 50}}, 5, true, "streaming: 50 rows, 5/s"},
		{engine.Status{State: "streaming", Snapshot: engine.PhaseStatus{Done: true}, Stream: engine.PhaseStatus{Rows: 50, Total: 100}}, 5, false,
			"streaming: 50 of about 100 rows, 50 %, 5/s, 10 s left"},
		{engine.Status{State: "reconnecting", Error: "no route", Snapshot: engine.PhaseStatus{Rows: 7}}, 0, false, "reconnecting: 7 rows, 0/s: no route"},
	} {
		if got := progressText(&c.s, c.rate, c.drawn); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestPace(t *testing.T) {
	var p pace
	at := time.Unix(1700000000, 0)
	for i := range 60 {
		if moved := p.see(&engine.Status{Snapshot: engine.PhaseStatus{Rows: uint64(i * 100)}}, at.Add(time.Duration(i)*250*time.Millisecond)); moved != (i > 0) {
			t.Errorf("step %d: moved %v", i, moved)
		}
	}
	if p.rate < 399 || p.rate > 401 {
		t.Errorf("400 rows a second are shown as %v", p.rate)
	}
	p.see(&engine.Status{Snapshot: engine.PhaseStatus{Rows: 5900, Epoch: 2, Epochs: 3, Pass: 1, PassTotal: 5900}}, at.Add(16*time.Second))
	if p.rate < 399 || p.rate > 401 { // the next epoch counts from its own start
		t.Errorf("at the second epoch: %v", p.rate)
	}
	if p.see(&engine.Status{Snapshot: engine.PhaseStatus{Rows: 10}}, at.Add(time.Minute)); p.rate != 0 { // the snapshot started over
		t.Errorf("after a start over: %v", p.rate)
	}
}

// TestPaceOfTheFirstRows: a look before the first row and one after it are enough for a rate.
func TestPaceOfTheFirstRows(t *testing.T) {
	var p pace
	at := time.Unix(1700000000, 0)
	p.see(&engine.Status{}, at)
	p.see(&engine.Status{Snapshot: engine.PhaseStatus{Rows: 100, Epoch: 1, Epochs: 3}}, at.Add(250*time.Millisecond))
	if p.rate != 400 {
		t.Errorf("100 rows in a quarter of a second are shown as %v/s", p.rate)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.123456: "0.1235", 6052.3: "6052", 9999.6: "10,000", 14026.38: "14,026", -135467.2: "-135,467", 3.2e17: "3.2e+17", -0.00001: "-1e-05"} {
		if got := number(v); got != want {
			t.Errorf("%v is shown as %s, not %s", v, got, want)
		}
	}
}
