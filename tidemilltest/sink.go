package tidemilltest

import (
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// SinkHarness says how to open a sink and how to look at what it wrote.
type SinkHarness struct {
	// New makes a target of its own (a database table, a file), empty.
	New func(t *testing.T) SinkTarget
	// NoTruth: the sink does not write truths.
	NoTruth bool
	// NoMoves: the sink does not follow a row to another key.
	NoMoves bool
	// AtLeastOnce: the sink keeps no mark and no term of its own, so the laws of marks, fences and retries do not apply.
	AtLeastOnce bool
}

// SinkTarget is one place that sinks write to.
type SinkTarget struct {
	// Open gives another sink on the target, as another process would have it.
	Open func(t *testing.T) tidemill.Sink
	// Rows reads all rows back; the key is task + "/" + id. For a log it folds the lines: the last prediction of a key
	// wins, a truth is added to it.
	Rows func(t *testing.T) map[string]SinkRow
}

// SinkRow is one row of predictions as it was read back.
type SinkRow struct {
	Prediction    string
	Score         float64 // NaN where there is none
	Probabilities map[string]float64
	Version       string
	Asked         time.Time
	Position      string
	Truth         string
	Answered      time.Time
}

// Sink holds a tidemill.Sink to the laws of that door.
//
//	tidemilltest.Sink(t, tidemilltest.SinkHarness{New: func(t *testing.T) tidemilltest.SinkTarget {
//		path := filepath.Join(t.TempDir(), "out.jsonl")
//		return tidemilltest.SinkTarget{
//			Open: func(t *testing.T) tidemill.Sink { return file.Sink(path, json.Plain()) },
//			Rows: func(t *testing.T) map[string]tidemilltest.SinkRow { return readBack(t, path) },
//		}
//	}})
func Sink(t *testing.T, h SinkHarness) {
	laws := []struct {
		name  string
		exact bool // needs marks
		test  func(*sinkTest)
	}{
		{"fields", false, (*sinkTest).fields},
		{"a later row of a key wins", false, (*sinkTest).laterWins},
		{"truth", false, (*sinkTest).truth},
		{"moves", false, (*sinkTest).moves},
		{"other kinds are skipped", false, (*sinkTest).others},
		{"many in one write", false, (*sinkTest).many},
		{"flush", false, (*sinkTest).flush},
		{"a snapshot that starts over", false, (*sinkTest).startsOver},
		{"write before resume", false, (*sinkTest).early},
		{"a write again changes nothing", true, (*sinkTest).again},
		{"replay after resume gives the same rows", true, (*sinkTest).replay},
		{"a crash before the first checkpoint", true, (*sinkTest).crashBeforeCheckpoint},
		{"a cancelled write is whole or nothing", true, (*sinkTest).cancelled},
		{"what it holds", false, (*sinkTest).holds},
		{"fence", true, (*sinkTest).fence},
		{"unknown marks", true, (*sinkTest).unknown},
		{"adopt", true, (*sinkTest).adopt},
	}
	for _, law := range laws {
		if law.exact && h.AtLeastOnce {
			continue
		}
		t.Run(law.name, func(t *testing.T) { law.test(&sinkTest{t, h, h.New(t)}) })
	}
}

type sinkTest struct {
	*testing.T
	h      SinkHarness
	target SinkTarget
}

const sinkFlow = "sink-laws"

// open resumes another sink with a term above 0 and a mark; it is closed when the test ends.
func (s *sinkTest) open(term uint64, after tidemill.Mark) tidemill.Sink {
	s.Helper()
	k, err := s.resume(tidemill.Resumption{Flow: sinkFlow, Term: term, After: after})
	if err != nil {
		s.Fatalf("Resume with term %d after %+v: %v", term, after, err)
	}
	return k
}

func (s *sinkTest) resume(r tidemill.Resumption) (tidemill.Sink, error) {
	s.Helper()
	k := s.target.Open(s.T)
	s.Cleanup(func() { _ = k.Close() })
	return k, engine.ResumeSink(s.Context(), k, r)
}

func (s *sinkTest) write(k tidemill.Sink, out ...tidemill.Output) {
	s.Helper()
	if err := k.Write(s.Context(), out); err != nil {
		s.Fatalf("Write: %v", err)
	}
}

func (s *sinkTest) mark(k tidemill.Sink) tidemill.Mark {
	s.Helper()
	m, err := k.Flush(s.Context())
	if err != nil {
		s.Fatalf("Flush: %v", err)
	}
	return m
}

// rows compares what is there with want.
func (s *sinkTest) rows(want map[string]SinkRow) {
	s.Helper()
	got := s.target.Rows(s.T)
	for key, w := range want {
		g, ok := got[key]
		if !ok {
			s.Errorf("row %q is missing", key)
		} else if !g.equal(w) {
			s.Errorf("row %q is\n%+v, not\n%+v", key, g, w)
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			s.Errorf("row %q should not be there", key)
		}
	}
	if s.Failed() {
		s.FailNow()
	}
}

func (r SinkRow) equal(w SinkRow) bool {
	same := r.Score == w.Score || math.IsNaN(r.Score) && math.IsNaN(w.Score)
	same = same && r.Asked.Equal(w.Asked) && r.Answered.Equal(w.Answered)
	same = same && (len(r.Probabilities) == 0 && len(w.Probabilities) == 0 ||
		reflect.DeepEqual(r.Probabilities, w.Probabilities))
	return same && r.Prediction == w.Prediction && r.Version == w.Version && r.Position == w.Position && r.Truth == w.Truth
}

var (
	sinkTable = tidemill.NewTable("", "things", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}}, []int{0})
	sinkStart = time.Date(2024, 2, 29, 12, 30, 15, 123456000, time.UTC)
)

// predicted is the prediction with ordinal seq for id; everything in it follows from both.
func predicted(seq uint64, id string) tidemill.Output {
	p := float64(seq%10)/16 + 0.3
	return tidemill.Output{
		Kind: tidemill.Predicted, Seq: seq, Task: "late", ID: id, Model: tidemill.Classify,
		Label: "true", Score: p, Prediction: []float64{1 - p, p}, Labels: []string{"false", "true"},
		Version: tidemill.Version{Start: 3, Learned: 1000 + seq}, Asked: sinkStart.Add(time.Duration(seq) * time.Second),
		Position: fmt.Sprintf("0/%d", seq), Change: sinkChange(seq),
	}
}

func sinkChange(seq uint64) *tidemill.Change {
	return &tidemill.Change{Op: tidemill.Insert, Table: sinkTable, After: []tidemill.Value{tidemill.Int(int64(seq))},
		Tx: &tidemill.Tx{Order: seq, Commit: sinkStart}, At: seq}
}

// truthOf is the truth about id's prediction.
func truthOf(seq uint64, id, label string) tidemill.Output {
	return tidemill.Output{Kind: tidemill.Truth, Seq: seq, Task: "late", ID: id, Model: tidemill.Classify, Truth: label,
		Answered: sinkStart.Add(time.Duration(seq) * time.Hour), Position: fmt.Sprintf("0/%d", seq), Change: sinkChange(seq)}
}

// row is what a prediction is read back as.
func row(o tidemill.Output) SinkRow {
	r := SinkRow{Prediction: o.Label, Score: o.Score, Version: o.Version.String(), Asked: o.Asked, Position: o.Position}
	if o.Labels != nil {
		r.Probabilities = map[string]float64{}
		for i, l := range o.Labels {
			r.Probabilities[l] = o.Prediction[i]
		}
	}
	return r
}

// with adds a truth to a row.
func (s *sinkTest) with(r SinkRow, o tidemill.Output) SinkRow {
	if !s.h.NoTruth {
		r.Truth, r.Answered = o.Truth, o.Answered
	}
	return r
}

func key(id string) string { return "late/" + id }
