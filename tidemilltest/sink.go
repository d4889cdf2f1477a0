package tidemilltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// SinkHarness says how to open a sink and how to look at what it told.
type SinkHarness struct {
	// New makes a target of its own (a database table, a file), empty.
	New func(t *testing.T) SinkTarget
	// NoTruth: the sink does not tell truths.
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
	// Rows reads all rows back; the key is task + "/" + id. For a log it folds the lines: the last prediction of a key wins,
	// a truth is added to it.
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
//			Open: func(t *testing.T) tidemill.Sink { return file.Sink(path) },
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
		{"write before resume", false, (*sinkTest).early},
		{"a write again changes nothing", true, (*sinkTest).again},
		{"replay after resume gives the same rows", true, (*sinkTest).replay},
		{"a crash before the first checkpoint", true, (*sinkTest).begun},
		{"a cancelled write is whole or nothing", true, (*sinkTest).cancelled},
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
	return k, k.Resume(s.Context(), r)
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
	same = same && (len(r.Probabilities) == 0 && len(w.Probabilities) == 0 || reflect.DeepEqual(r.Probabilities, w.Probabilities))
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

func (s *sinkTest) fields() {
	k := s.open(1, tidemill.Mark{})
	plain := predicted(1, "1")
	odd := predicted(2, "it's \"odd\", 雪\t\\ {}")
	odd.Label, odd.Labels = "näh, \"that\" 'one'", []string{"näh, \"that\" 'one'", "b\\c\n"}
	number := predicted(3, "3")
	number.Model, number.Label, number.Score, number.Prediction, number.Labels = tidemill.Regress, "12.5", 12.5, []float64{12.5}, nil
	unready := predicted(4, "4")
	unready.Label, unready.Score, unready.Prediction = "", math.NaN(), nil
	unready.Labels = nil
	small := predicted(5, "5")
	small.Score, small.Prediction = 1e-300, []float64{1, 1e-300}
	outs := []tidemill.Output{plain, odd, number, unready, small}
	want := map[string]SinkRow{}
	for _, o := range outs {
		want[key(o.ID)] = row(o)
	}
	s.write(k, outs...)
	s.rows(want) // at once, before Flush
	s.mark(k)
	if err := k.Close(); err != nil {
		s.Errorf("Close: %v", err)
	}
	s.rows(want)
}

func (s *sinkTest) laterWins() {
	k := s.open(1, tidemill.Mark{})
	a, b, c := predicted(1, "x"), predicted(2, "x"), predicted(3, "x")
	s.write(k, a, b)
	s.rows(map[string]SinkRow{key("x"): row(b)})
	s.write(k, c, predicted(4, "y"))
	s.rows(map[string]SinkRow{key("x"): row(c), key("y"): row(predicted(4, "y"))})
	if s.h.NoTruth {
		return
	}
	d := predicted(6, "x")
	s.write(k, truthOf(5, "x", "true"), d)
	s.rows(map[string]SinkRow{key("x"): row(d), key("y"): row(predicted(4, "y"))}) // a new question, not yet answered
}

func (s *sinkTest) truth() {
	if s.h.NoTruth {
		return
	}
	k := s.open(1, tidemill.Mark{})
	a, b := predicted(1, "a"), predicted(2, "b")
	ta, tb := truthOf(3, "a", "true"), truthOf(4, "b", "false")
	s.write(k, a, b, ta) // in the same Write
	s.rows(map[string]SinkRow{key("a"): s.with(row(a), ta), key("b"): row(b)})
	s.write(k, tb) // in a later one
	s.rows(map[string]SinkRow{key("a"): s.with(row(a), ta), key("b"): s.with(row(b), tb)})
	again := truthOf(5, "a", "false")
	again.Corrected = true
	first, last := truthOf(6, "b", "x"), truthOf(7, "b", "true")
	s.write(k, again, first, last, truthOf(8, "nobody", "true"))
	s.rows(map[string]SinkRow{key("a"): s.with(row(a), again), key("b"): s.with(row(b), last)})
}

func (s *sinkTest) moves() {
	if s.h.NoMoves {
		return
	}
	move := func(seq uint64, from, to string) tidemill.Output {
		return tidemill.Output{Kind: tidemill.Retracted, Seq: seq, Task: "late", ID: from, NewID: to, Position: "0/9", Change: sinkChange(seq)}
	}
	k := s.open(1, tidemill.Mark{})
	a, b := predicted(1, "a"), predicted(2, "b")
	s.write(k, a, b)
	outs := []tidemill.Output{move(3, "a", "c"), move(4, "b", "a"), move(5, "nobody", "z")}
	want := map[string]SinkRow{key("c"): row(a), key("a"): row(b)}
	if !s.h.NoTruth {
		t := truthOf(6, "c", "true")
		outs, want[key("c")] = append(outs, t), s.with(row(a), t)
	}
	s.write(k, outs...)
	s.rows(want)
	if s.h.AtLeastOnce {
		return
	}
	// A move that is told again finds its row where it went.
	s.target = s.h.New(s.T)
	k = s.open(1, tidemill.Mark{})
	s.write(k, a)
	mark := s.mark(k)
	s.write(k, move(2, "a", "c"))
	_ = k.Close()
	k = s.open(2, mark)
	s.write(k, move(2, "a", "c"))
	s.rows(map[string]SinkRow{key("c"): row(a)})
}

func (s *sinkTest) others() {
	k := s.open(1, tidemill.Mark{})
	a := predicted(3, "a")
	s.write(k)
	s.write(k,
		tidemill.Output{Kind: tidemill.RowPassed, Seq: 1, Change: sinkChange(1), Position: "0/1"},
		tidemill.Output{Kind: tidemill.RowRejected, Seq: 2, Change: sinkChange(2), Task: "late", ID: "2", Position: "0/2", Reason: "no number"},
		a,
		tidemill.Output{Kind: tidemill.EventRaised, Seq: 4, Task: "late", Reason: "drift", Position: "0/3"})
	s.rows(map[string]SinkRow{key("a"): row(a)})
}

func (s *sinkTest) many() {
	k := s.open(1, tidemill.Mark{})
	want := map[string]SinkRow{}
	var outs []tidemill.Output
	for i := range uint64(3000) {
		o := predicted(i+1, fmt.Sprint(i%2500))
		outs = append(outs, o)
		want[key(o.ID)] = row(o)
	}
	s.write(k, outs...)
	s.rows(want)
	if m := s.mark(k); m.Seq != 3000 {
		s.Errorf("the mark is %+v after output 3000", m)
	}
}

func (s *sinkTest) flush() {
	k := s.open(7, tidemill.Mark{})
	if m := s.mark(k); m.Seq != 0 {
		s.Errorf("the mark of a sink to which nothing was written is %+v", m)
	}
	s.write(k, predicted(1, "a"), predicted(2, "b"))
	m := s.mark(k)
	if m.Seq != 2 || m.Term != 7 {
		s.Errorf("the mark is %+v, not term 7, seq 2", m)
	}
	if again := s.mark(k); again != m {
		s.Errorf("Flush again gives %+v, before it was %+v", again, m)
	}
	_ = k.Close()
	k = s.open(8, m)
	if again := s.mark(k); again.Seq != 2 {
		s.Errorf("Flush right after Resume gives %+v, not seq 2", again)
	}
	_ = k.Close()
	s.open(9, m)
}

func (s *sinkTest) early() {
	k := s.target.Open(s.T)
	if err := k.Write(s.Context(), []tidemill.Output{predicted(1, "a")}); err == nil {
		s.Error("Write before Resume gives no error")
	}
	if err := k.Close(); err != nil {
		s.Errorf("Close of a sink that was never resumed: %v", err)
	}
	s.rows(nil)
}

func (s *sinkTest) again() {
	k := s.open(1, tidemill.Mark{})
	a, b, t := predicted(1, "a"), predicted(2, "b"), truthOf(3, "a", "true")
	for range 3 {
		s.write(k, a, b, t)
	}
	want := map[string]SinkRow{key("a"): s.with(row(a), t), key("b"): row(b)}
	s.rows(want)
	mark := s.mark(k)
	if mark.Seq != 3 {
		s.Errorf("the mark is %+v, not seq 3", mark)
	}
	_ = k.Close()
	s.open(2, mark)
	s.rows(want)
}

// script is outputs 1 to n over a few ids, with truths and new questions among them.
func (s *sinkTest) script(n uint64) []tidemill.Output {
	var outs []tidemill.Output
	for seq := uint64(1); seq <= n; seq++ {
		id := fmt.Sprint(seq * 7 % 11)
		if seq%3 == 0 && !s.h.NoTruth {
			outs = append(outs, truthOf(seq, id, fmt.Sprint(seq%2 == 0)))
		} else {
			outs = append(outs, predicted(seq, id))
		}
	}
	return outs
}

// fold is what is to be read after outs.
func (s *sinkTest) fold(outs []tidemill.Output) map[string]SinkRow {
	rows := map[string]SinkRow{}
	for _, o := range outs {
		if o.Kind == tidemill.Predicted {
			rows[key(o.ID)] = row(o)
		} else if r, ok := rows[key(o.ID)]; ok {
			rows[key(o.ID)] = s.with(r, o)
		}
	}
	return rows
}

func (s *sinkTest) replay() {
	outs := s.script(60)
	var marks []tidemill.Mark
	k := s.open(1, tidemill.Mark{})
	for at := 0; at < 40; at += 10 {
		s.write(k, outs[at:at+10]...)
		marks = append(marks, s.mark(k))
	}
	s.write(k, outs[40:45]...) // beyond the last mark
	_ = k.Close()
	// The newest mark, and the one before it, which a flow resumes from when the newest checkpoint is damaged.
	for i, mark := range []tidemill.Mark{marks[3], marks[2]} {
		k := s.open(uint64(2+i), mark)
		from := int(mark.Seq)
		for at := from; at < 50; at += 7 {
			s.write(k, outs[at:min(at+7, 50)]...) // cut otherwise than before
		}
		s.rows(s.fold(outs[:50]))
		if m := s.mark(k); m.Seq != 50 || m.Term != uint64(2+i) {
			s.Errorf("the mark is %+v, not term %d, seq 50", m, 2+i)
		}
		_ = k.Close()
	}
	k = s.open(9, marks[3])
	s.write(k, outs[40:60]...)
	s.rows(s.fold(outs))
}

func (s *sinkTest) begun() {
	outs := s.script(10)
	k := s.open(1, tidemill.Mark{})
	s.write(k, outs...)
	s.mark(k)
	_ = k.Close()
	// The checkpoint that says that a history has begun knows the sink's term and no output.
	k = s.open(2, tidemill.Mark{Term: 1})
	s.write(k, outs[:4]...)
	s.write(k, outs[4:]...)
	s.rows(s.fold(outs))
}

func (s *sinkTest) cancelled() {
	k := s.open(1, tidemill.Mark{})
	outs := s.script(2000)
	s.write(k, outs[:50]...)
	mark := s.mark(k)
	done := 50
	for i := 0; done < len(outs); i++ {
		next := min(done+100, len(outs))
		ctx, cancel := context.WithTimeout(s.Context(), time.Duration(i%20)*100*time.Microsecond)
		err := k.Write(ctx, outs[done:next])
		cancel()
		if err != nil {
			if tidemill.IsFatal(err) {
				s.Fatalf("a cancelled Write gives a fatal error: %v", err)
			}
			if i%2 == 0 {
				// Stopped here for good: a new process resumes from the last mark.
				_ = k.Close()
				k = s.open(uint64(i+2), mark)
				done = int(mark.Seq)
				continue
			}
			s.write(k, outs[done:next]...) // tried again
		}
		done = next
		if i%3 == 0 {
			mark = s.mark(k)
		}
	}
	s.rows(s.fold(outs))
}

func (s *sinkTest) fence() {
	a, b, c := predicted(1, "a"), predicted(2, "b"), predicted(2, "c")
	old := s.open(1, tidemill.Mark{})
	s.write(old, a)
	mark := s.mark(old)
	now := s.open(2, mark)
	if err := old.Write(s.Context(), []tidemill.Output{b}); !errors.Is(err, tidemill.ErrFenced) {
		s.Errorf("Write of term 1 after term 2 has resumed gives %v, not ErrFenced", err)
	}
	s.rows(map[string]SinkRow{key("a"): row(a)})
	s.write(now, c)
	if err := old.Write(s.Context(), []tidemill.Output{b}); !errors.Is(err, tidemill.ErrFenced) {
		s.Errorf("Write of term 1 after term 2 has written gives %v, not ErrFenced", err)
	}
	if _, err := s.resume(tidemill.Resumption{Flow: sinkFlow, Term: 1, After: mark}); !errors.Is(err, tidemill.ErrFenced) {
		s.Errorf("Resume with term 1 after term 2 gives %v, not ErrFenced", err)
	}
	s.write(now, predicted(3, "d"))
	s.rows(map[string]SinkRow{key("a"): row(a), key("c"): row(c), key("d"): row(predicted(3, "d"))})
}

func (s *sinkTest) unknown() {
	outs := s.script(10)
	k := s.open(3, tidemill.Mark{})
	s.write(k, outs...)
	mark := s.mark(k)
	_ = k.Close()
	for _, r := range []tidemill.Resumption{
		{Flow: sinkFlow, Term: 4}, // the state folder is new
		{Flow: sinkFlow, Term: 4, After: tidemill.Mark{Term: 3, Seq: 11, Place: "999999"}}, // the sink has lost rows
	} {
		if _, err := s.resume(r); !errors.Is(err, tidemill.ErrUnknownMark) {
			s.Errorf("Resume after %+v of a sink that holds %+v gives %v, not ErrUnknownMark", r.After, mark, err)
		}
	}
	if _, err := s.resume(tidemill.Resumption{Flow: sinkFlow, Term: 1}); !errors.Is(err, tidemill.ErrUnknownMark) && !errors.Is(err, tidemill.ErrFenced) {
		s.Errorf("Resume of a new state folder gives %v, neither ErrUnknownMark nor ErrFenced", err)
	}
	s.rows(s.fold(outs)) // a refusal touches nothing
	s.open(5, mark)
	empty := &sinkTest{s.T, s.h, s.h.New(s.T)}
	if _, err := empty.resume(tidemill.Resumption{Flow: sinkFlow, Term: 4, After: mark}); !errors.Is(err, tidemill.ErrUnknownMark) {
		s.Errorf("Resume after %+v of an empty sink gives %v, not ErrUnknownMark", mark, err)
	}
}

func (s *sinkTest) adopt() {
	outs := s.script(10)
	k := s.open(30, tidemill.Mark{})
	s.write(k, outs...)
	s.mark(k)
	_ = k.Close()
	// A fresh start: a new state folder, whose terms begin at 1, and outputs that are counted anew.
	k, err := s.resume(tidemill.Resumption{Flow: sinkFlow, Term: 1, Adopt: true})
	if err != nil {
		s.Fatalf("Resume with Adopt: %v", err)
	}
	s.rows(s.fold(outs)) // rows stay
	a, b := predicted(1, "0"), predicted(2, "new")
	s.write(k, a)
	s.write(k, b)
	want := s.fold(outs)
	want[key("0")], want[key("new")] = row(a), row(b)
	s.rows(want)
	mark := s.mark(k)
	if mark.Seq != 2 || mark.Term != 1 {
		s.Errorf("the mark is %+v, not term 1, seq 2", mark)
	}
	_ = k.Close()
	k = s.open(2, mark)
	s.write(k, predicted(3, "more"))
	want[key("more")] = row(predicted(3, "more"))
	s.rows(want)
	_ = k.Close()
	// Killed right after it had adopted: the checkpoint of the fresh start knows no output yet.
	k, err = s.resume(tidemill.Resumption{Flow: sinkFlow, Term: 3, Adopt: true})
	if err != nil {
		s.Fatalf("Resume with Adopt: %v", err)
	}
	s.write(k, a)
	_ = k.Close()
	k = s.open(4, tidemill.Mark{Term: 3})
	s.write(k, a, b)
	s.rows(want)
}
