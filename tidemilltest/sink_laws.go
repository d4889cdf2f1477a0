package tidemilltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

func (s *sinkTest) fields() {
	k := s.open(1, tidemill.Mark{})
	plain := predicted(1, "1")
	odd := predicted(2, "it's \"odd\", 雪\t\\ {}")
	odd.Label, odd.Labels = "näh, \"that\" 'one'", []string{"näh, \"that\" 'one'", "b\\c\n"}
	number := predicted(3, "3")
	number.Model, number.Label, number.Score, number.Prediction, number.Labels = tidemill.Regress, "12.5",
		12.5, []float64{12.5}, nil
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
	both := predicted(9, "a") // its row brought the truth
	both.Truth, both.Answered = "true", both.Asked
	anew := predicted(10, "b")
	s.write(k, both, anew)
	s.rows(map[string]SinkRow{key("a"): s.with(row(both), both), key("b"): row(anew)})
}

func (s *sinkTest) moves() {
	if s.h.NoMoves {
		return
	}
	move := func(seq uint64, from, to string) tidemill.Output {
		return tidemill.Output{Kind: tidemill.Retracted, Seq: seq, Task: "late", ID: from, NewID: to, Position: "0/9",
			Change: sinkChange(seq)}
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
	// A move that is written again finds its row where it went.
	s.target = s.h.New(s.T)
	k = s.open(1, tidemill.Mark{})
	s.write(k, a)
	mark := s.mark(k)
	s.write(k, move(2, "a", "c"))
	_ = k.Close()
	k = s.open(2, mark)
	s.write(k, move(2, "a", "c"))
	s.rows(map[string]SinkRow{key("c"): row(a)})
	_ = k.Close()
	// Two rows that have changed places are not moved twice, by a run that is killed meanwhile and by the next one.
	s.target = s.h.New(s.T)
	k = s.open(1, tidemill.Mark{})
	s.write(k, a, b)
	mark = s.mark(k)
	swap := []tidemill.Output{move(3, "a", "x"), move(4, "b", "a"), move(5, "x", "b"), predicted(6, "d")}
	s.write(k, swap...)
	_ = k.Close()
	want = map[string]SinkRow{key("b"): row(a), key("a"): row(b), key("d"): row(swap[3])}
	for term, n := range []int{1, 2, 4} {
		k, err := s.resume(tidemill.Resumption{Flow: sinkFlow, Term: uint64(term) + 2, After: mark, Replay: true})
		if err != nil {
			s.Fatal(err)
		}
		s.write(k, swap[:n]...)
		if n < 4 {
			_ = k.Close()
			continue
		}
		s.rows(want)
		if m := s.mark(k); m.Seq != 6 {
			s.Errorf("the mark is %+v after output 6", m)
		}
		more := predicted(7, "a")
		s.write(k, more)
		want[key("a")] = row(more)
		s.rows(want)
	}
}

func (s *sinkTest) others() {
	k := s.open(1, tidemill.Mark{})
	a := predicted(3, "a")
	s.write(k)
	s.write(k,
		tidemill.Output{Kind: tidemill.RowPassed, Seq: 1, Change: sinkChange(1), Position: "0/1"},
		tidemill.Output{Kind: tidemill.RowRejected, Seq: 2, Change: sinkChange(2), Task: "late", ID: "2",
			Position: "0/2", Reason: "no number"},
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

// startsOver: a snapshot broke off, and the next one tells other rows under the same ordinals.
func (s *sinkTest) startsOver() {
	k := s.open(2, tidemill.Mark{})
	s.write(k, predicted(1, "a"), predicted(2, "b"), predicted(3, "c"))
	s.mark(k)
	if err := engine.ResumeSink(s.Context(), k, tidemill.Resumption{Flow: sinkFlow, Term: 2,
		After: tidemill.Mark{Term: 2}}); err != nil {
		s.Fatalf("Resume again: %v", err)
	}
	o := predicted(1, "d")
	s.write(k, o)
	if got := s.target.Rows(s.T)[key("d")]; !got.equal(row(o)) {
		s.Errorf("the row is %+v, not %+v", got, row(o))
	}
	if m := s.mark(k); m.Term != 2 || m.Seq != 1 {
		s.Errorf("mark %+v", m)
	}
}

func (s *sinkTest) crashBeforeCheckpoint() {
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
	late := s.target.Open(s.T) // the higher term came after the look
	s.Cleanup(func() { _ = late.Close() })
	if err := late.Resume(s.Context(), tidemill.Resumption{Flow: sinkFlow, Term: 1,
		After: mark}); !errors.Is(err, tidemill.ErrFenced) {
		s.Errorf("Resume of term 1 itself gives %v, not ErrFenced", err)
	}
	s.write(now, predicted(3, "d"))
	s.rows(map[string]SinkRow{key("a"): row(a), key("c"): row(c), key("d"): row(predicted(3, "d"))})
}

// holds: a sink says what it holds before it is resumed, and to say so changes nothing.
func (s *sinkTest) holds() {
	held := func(k tidemill.Sink, something bool, term uint64) {
		s.Helper()
		m, err := k.Mark(s.Context(), sinkFlow)
		if s.h.AtLeastOnce {
			if !errors.Is(err, errors.ErrUnsupported) {
				s.Errorf("Mark of a sink that keeps none: %+v, %v", m, err)
			}
			return
		}
		if err != nil || m.Term != term || something != (m.Seq > 0 || m.Place != "") {
			s.Errorf("Mark: %+v, %v; want term %d, and that it holds something is %t", m, err, term, something)
		}
	}
	look := s.target.Open(s.T)
	s.Cleanup(func() { _ = look.Close() })
	held(look, false, 0)
	s.rows(nil)
	k := s.open(3, tidemill.Mark{})
	held(look, false, 3)
	outs := s.script(10)
	s.write(k, outs...)
	held(k, true, 3) // asked while it writes: a snapshot that starts over does
	mark := s.mark(k)
	held(look, true, 3)
	s.write(k, predicted(11, "more"))
	_ = k.Close()
	held(look, true, 3)
	want := s.fold(outs)
	want[key("more")] = row(predicted(11, "more"))
	s.rows(want)
	k = s.open(4, mark)
	s.write(k, predicted(11, "more"))
	held(look, true, 4)
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
	if _, err := s.resume(tidemill.Resumption{Flow: sinkFlow, Term: 1}); !errors.Is(err, tidemill.ErrUnknownMark) &&
		!errors.Is(err, tidemill.ErrFenced) {
		s.Errorf("Resume of a new state folder gives %v, neither ErrUnknownMark nor ErrFenced", err)
	}
	s.rows(s.fold(outs)) // a refusal touches nothing
	s.open(5, mark)
	empty := &sinkTest{s.T, s.h, s.h.New(s.T)}
	if _, err := empty.resume(tidemill.Resumption{Flow: sinkFlow, Term: 4, After: mark}); !errors.Is(err,
		tidemill.ErrUnknownMark) {
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
	_ = k.Close()
	// Reset removes what is there of the flow's tasks.
	task, _, _ := strings.Cut(key("0"), "/")
	if k, err = s.resume(tidemill.Resumption{Flow: sinkFlow, Term: 1, Adopt: true, Reset: true,
		Tasks: []string{task}}); err != nil {
		s.Fatalf("Resume with Reset: %v", err)
	}
	s.rows(map[string]SinkRow{})
	s.write(k, a)
	s.rows(map[string]SinkRow{key("0"): row(a)})
}
