package engine

import (
	"fmt"
	"testing"

	"github.com/tidemill/tidemill"
)

// twins are two ids of one hash: a collision of 64-bit FNV-1a that is known for long.
var twins = [2]string{"8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ"}

// TestQuestionsOfOneHash: an id finds its own question, not one whose id has the same hash; after a restart too, and from a
// segment.
func TestQuestionsOfOneHash(t *testing.T) {
	if tidemill.Hash(twins[0]) != tidemill.Hash(twins[1]) {
		t.Fatal("the twins have different hashes")
	}
	for first := range 2 {
		one, other := twins[first], twins[1-first]
		s := newQuestions("t", 0, nil, 1)
		s.put(&question{id: one, asked: 1, weight: 1, class: -1})
		if ok, err := s.has(other); ok || err != nil {
			t.Errorf("%s is found by %s: %v, %v", one, other, ok, err)
		}
		var q question
		if ok, err := s.take(other, &q); ok || err != nil {
			t.Errorf("%s is taken by %s: %v, %v", one, other, ok, err)
		}
		s.put(&question{id: other, asked: 2, weight: 2, class: -1})
		state := s.appendTo(nil)
		for _, restored := range []bool{false, true} {
			if restored {
				s = newQuestions("t", 0, nil, 1)
				if err := s.read(state); err != nil {
					t.Fatal(err)
				}
			}
			for i, id := range []string{one, other} {
				if ok, err := s.take(id, &q); !ok || err != nil || q.id != id || q.asked != int64(i+1) {
					t.Errorf("restored %v: %s is %v %q of %d, %v", restored, id, ok, q.id, q.asked, err)
				}
				if ok, _ := s.has(id); ok || s.len() != 1-i {
					t.Errorf("restored %v: %s is still there, %d are open", restored, id, s.len())
				}
			}
		}
	}
}

// TestQuestionStateIsChecked: a state of open questions that does not hold together is refused, wherever it is cut and
// whichever count of it is wrong.
func TestQuestionStateIsChecked(t *testing.T) {
	s := newQuestions("t", 0, nil, 1)
	for i := range 5 {
		s.put(&question{id: fmt.Sprint(i), asked: int64(10 - i), weight: 1, pred: []float64{0.5}})
	}
	var q question
	if ok, err := s.take("2", &q); !ok || err != nil {
		t.Fatal(ok, err)
	}
	state := s.appendTo(nil)
	back := newQuestions("t", 0, nil, 1)
	if err := back.read(state); err != nil {
		t.Fatal(err)
	}
	c := back.chunks[0]
	if back.len() != 4 || back.first != 6 || c.first != 6 || c.n != 4 || c.bytes != s.chunks[0].bytes || back.memUsed != s.memUsed || back.next != s.next {
		t.Errorf("restored: %d open, the first of %d and %d, %d live of %d bytes, %d used, next %d", back.len(), back.first, c.first, c.n, c.bytes, back.memUsed, back.next)
	}
	if ok, _ := back.has("2"); ok {
		t.Error("what was taken is open again")
	}
	if due, err := back.due(9); err != nil || len(due) != 2 || due[0].id != "4" || due[1].id != "3" {
		t.Errorf("due: %v, %v", due, err)
	}
	for n := range state {
		if newQuestions("t", 0, nil, 1).read(state[:n]) == nil {
			t.Errorf("the first %d of %d bytes are taken for a state", n, len(state))
		}
	}
	// version, next chunk, chunks, then of a chunk: its number, its records, the bits of those that live.
	for at, b := range map[int]byte{0: 2, 1: 0, 2: 2, 3: 1, 4: 4, 5: 0x3f} {
		wrong := append([]byte(nil), state...)
		wrong[at] = b
		if newQuestions("t", 0, nil, 1).read(wrong) == nil {
			t.Errorf("byte %d was %d, is %d, and is taken for a state", at, state[at], b)
		}
	}
}
