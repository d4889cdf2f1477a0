package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/format/json"
)

func TestRecall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	w := resumed(t, path, 1, tidemill.Mark{})
	noon := time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
	p := func(seq uint64, id, label string) tidemill.Output {
		return tidemill.Output{Kind: tidemill.Predicted, Seq: seq, Task: "late", ID: id, Label: label, Score: 0.75, Labels: []string{"no", "yes"}, Prediction: []float64{0.25, 0.75}, Asked: noon}
	}
	known := p(6, "d", "no")
	known.Truth, known.Answered = "no", noon
	must(t, w.Write(t.Context(), []tidemill.Output{p(1, "a", "yes"), p(2, "b", "no"), p(3, "c", "no"), {Kind: tidemill.Retracted, Seq: 4, Task: "late", ID: "b", NewID: "z"},
		{Kind: tidemill.Truth, Seq: 5, Task: "late", ID: "z", Truth: "yes", Answered: noon.Add(time.Hour)}, known,
		{Kind: tidemill.Truth, Seq: 7, Task: "other", ID: "a", Truth: "yes", Answered: noon}}))
	got, err := Sink(path, json.Plain()).Recall(t.Context(), "late", 10)
	if err != nil || len(got) != 2 || got[0].ID != "d" || got[0].Truth != "no" || got[1].ID != "z" || got[1].Label != "no" || got[1].Truth != "yes" ||
		got[1].Answered.Sub(got[1].Asked) != time.Hour || got[1].Probabilities["yes"] != 0.75 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := Sink(path, json.Plain()).Recall(t.Context(), "late", 1); err != nil || len(got) != 1 || got[0].ID != "d" {
		t.Errorf("the newest: %+v, %v", got, err)
	}
}

func TestCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	must(t, os.WriteFile(path, []byte("a,b\n"+strings.Repeat("12345,678901\n", 400000)), 0o644))
	for _, r := range []*Reader{Source(path), Source(path).Snapshot(), Source(path).Follow()} {
		snapshot, stream, err := r.Count(t.Context())
		if n := snapshot + stream; err != nil || (n < 399990 || n > 400010) != r.c.Follow || (snapshot > 0) != r.c.Snapshot {
			t.Errorf("%d, %d, %v", snapshot, stream, err)
		}
	}
}
