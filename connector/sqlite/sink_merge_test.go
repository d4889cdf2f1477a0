package sqlite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// randomOutputs are predictions, truths and moves of few rows, so that all orders of them come.
func randomOutputs(r *rand.Rand, seq *uint64, n int) []tidemill.Output {
	out := make([]tidemill.Output, n)
	for i := range out {
		*seq++
		o := predicted(*seq, fmt.Sprint(r.IntN(6)), fmt.Sprint("l", *seq))
		if r.IntN(2) == 0 {
			o.Task = "other"
		}
		switch k := r.IntN(20); {
		case k < 9:
			o = tidemill.Output{Kind: tidemill.Truth, Seq: *seq, Task: o.Task, ID: o.ID, Truth: fmt.Sprint("t", *seq), Answered: asked.Add(time.Duration(*seq) * time.Second)}
			if k == 0 {
				o.Truth = ""
			}
		case k == 9:
			o = tidemill.Output{Kind: tidemill.Retracted, Seq: *seq, Task: o.Task, ID: o.ID, NewID: fmt.Sprint(r.IntN(6))}
		case k == 10:
			o = tidemill.Output{Kind: tidemill.EventRaised, Seq: *seq, Task: o.Task, ID: o.ID}
		case k == 11: // its row brought the answer
			o.Truth, o.Answered = fmt.Sprint("t", *seq), asked
		}
		out[i] = o
	}
	return out
}

// TestMergedRows: a row that is written once, with its truth, is the row that step by step comes to, which a table with a
// trigger is written; and the trigger sees each step.
func TestMergedRows(t *testing.T) {
	ctx := context.Background()
	for _, truth := range []bool{true, false} {
		dir := t.TempDir()
		plain, steps := filepath.Join(dir, "plain.db"), filepath.Join(dir, "steps.db")
		var sinks []*Predictions
		for _, path := range []string{plain, steps} {
			s := Sink(path, "predictions")
			if !truth {
				s.WithoutTruth()
			}
			defer s.Close()
			if err := s.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
				t.Fatal(err)
			}
			sinks = append(sinks, s)
		}
		watch := func(sql string) { // from another connection, while the sink is at work
			d, err := look(steps)
			if err != nil {
				t.Fatal(err)
			}
			defer d.close()
			if err := d.exec(sql); err != nil {
				t.Fatal(err)
			}
		}
		watch(`CREATE TABLE seen(what, task, id, prediction);
			CREATE TRIGGER i AFTER INSERT ON predictions BEGIN INSERT INTO seen VALUES('insert', new.task, new.id, new.prediction); END;
			CREATE TRIGGER u AFTER UPDATE ON predictions BEGIN INSERT INTO seen VALUES('update', new.task, new.id, new.prediction); END`)
		r, seq, n := rand.New(rand.NewPCG(7, 8)), uint64(0), 0
		for range 60 {
			out := randomOutputs(r, &seq, 1+r.IntN(120))
			for i := range out {
				if out[i].Kind == tidemill.Predicted {
					n++
				}
			}
			for _, s := range sinks {
				if err := s.Write(ctx, out); err != nil {
					t.Fatal(err)
				}
			}
			const all = "SELECT * FROM predictions ORDER BY task, id"
			if got, want := rowsOf(t, plain, all), rowsOf(t, steps, all); got != want {
				t.Fatalf("truth %t: after output %d the rows are\n%s, step by step\n%s", truth, seq, got, want)
			}
		}
		if got, want := rowsOf(t, steps, "SELECT count(DISTINCT prediction) FROM seen"), fmt.Sprintln(n); got != want {
			t.Errorf("the triggers saw %s predictions, want %s", got, want)
		}
		watch("DROP TRIGGER i; DROP TRIGGER u; DELETE FROM seen")
		if err := sinks[1].Write(ctx, []tidemill.Output{predicted(seq+1, "x", "no"), predicted(seq+2, "x", "yes")}); err != nil {
			t.Fatal(err)
		}
		if got := rowsOf(t, steps, "SELECT prediction FROM predictions WHERE id='x'"); got != "yes\n" || sinks[1].table.watched {
			t.Errorf("after the triggers are gone: %q, watched %t", got, sinks[1].table.watched)
		}
	}
}
