package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// TestHashIndex compares the index with a map, through hashes that fall together.
func TestHashIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var hashes []uint64
	x := hashIndex{hash: func(e uint32) uint64 { return hashes[e] }}
	want := map[uint32]bool{}
	for step := range 20000 {
		if len(want) == 0 || r.IntN(100) < 55-step/500 {
			e := uint32(len(hashes))
			hashes = append(hashes, uint64(r.IntN(300))*0x10001)
			x.add(hashes[e], e)
			want[e] = true
		} else {
			for e := range want {
				x.remove(hashes[e], e)
				delete(want, e)
				break
			}
		}
		if x.n != len(want) || len(x.table) > hashIndexMin && x.n*8 < len(x.table) {
			t.Fatalf("step %d: %d entries in a table of %d, want %d", step, x.n, len(x.table), len(want))
		}
		if step%500 != 0 {
			continue
		}
		got := map[uint32]bool{}
		for h := range uint64(300) {
			for at, e, ok := x.first(h * 0x10001); ok; at, e, ok = x.next(at) {
				if hashes[e] == h*0x10001 {
					got[e] = true
				}
			}
		}
		if len(got) != len(want) {
			t.Fatalf("step %d: %d of %d entries are found", step, len(got), len(want))
		}
		for e := range want {
			if !got[e] {
				t.Fatalf("step %d: entry %d is lost", step, e)
			}
		}
	}
}

// TestAnsweredForgetsTheOldest fills the ring beyond its bound; what is remembered survives a restart in its order.
func TestAnsweredForgetsTheOldest(t *testing.T) {
	a := newAnswered()
	id := func(i int) string { return fmt.Sprint("row ", i) }
	const more = 1000
	for i := range answeredMax + more {
		a.set(id(i), noteOf(7, "true"))
	}
	a.forget(id(answeredMax))
	state := a.appendTo(nil)
	b := newAnswered()
	d := statebytes.Read(state)
	if b.read(d); d.End() != nil {
		t.Fatal(d.Err())
	}
	if !bytes.Equal(b.appendTo(nil), state) {
		t.Error("the restored state has other bytes")
	}
	for _, x := range []*answered{a, b} {
		for i, want := range map[int]bool{0: false, more - 1: false, more: true, answeredMax: false, answeredMax + more - 1: true} {
			if _, ok := x.find(id(i)); ok != want {
				t.Errorf("row %d is remembered: %v, want %v", i, ok, want)
			}
		}
	}
	a.set(id(answeredMax), noteOf(7, "false"))
	if n, ok := a.find(id(answeredMax)); !ok || n.sameLabel(noteOf(0, "true")) || !n.sameLabel(noteOf(0, "false")) {
		t.Error("an answer after one that was forgotten")
	}
	if n := a.forgetTable(7); n != answeredMax {
		t.Errorf("%d forgotten with their table", n)
	}
}

// FuzzQuestions lets hostile bytes at the state of open questions, and holds that what is read is written the same.
func FuzzQuestions(f *testing.F) {
	s := newQuestions("t", 0, nil, 1)
	for i := range 20 {
		s.put(&question{id: fmt.Sprint(i), asked: int64(i), weight: 1, pred: []float64{0.5, 0.5}, x: tidemill.Vector{Dense: []float64{1}, Terms: []tidemill.Term{{Hash: 1, Value: 2}}}})
	}
	var q question
	if ok, err := s.take("3", &q); !ok || err != nil {
		f.Fatal(ok, err)
	}
	f.Add(s.appendTo(nil))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newQuestions("t", 0, nil, 1)
		if s.read(b) != nil {
			return
		}
		again := s.appendTo(nil)
		r := newQuestions("t", 0, nil, 1)
		if err := r.read(again); err != nil {
			t.Fatalf("what it wrote it cannot read: %v", err)
		}
		if !bytes.Equal(r.appendTo(nil), again) {
			t.Error("written, read and written again it differs")
		}
	})
}
