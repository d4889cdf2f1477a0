package score

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// maxRolling bounds a rolling score's memory: 24 bytes an answer.
const maxRolling = 1 << 24

// Rolling is an empty score of s's settings over the last n answers that count for it (24 bytes each). nil if s is not
// a score of this package, or n is not in 1..2^24.
func Rolling(s tidemill.Score, n int) tidemill.Score {
	if w, ok := s.(*Total); ok && n >= 1 && n <= maxRolling {
		return w.Rolling(n)
	}
	return nil
}

// rolling keeps what is left of the last answers and folds them when it is read: one addition per answer, and a
// figure without drift.
type rolling struct {
	f    figure // empty, always
	n    int
	ring []item
	next int // where the oldest is, once the ring is full
}

func newRolling(f figure, n int) *rolling { return &rolling{f: f, n: min(max(n, 1), maxRolling)} }

// Name implements tidemill.Score.
func (s *rolling) Name() string { return s.f.name() }

// Describe implements tidemill.Score.
func (s *rolling) Describe() string { return fmt.Sprintf("%s rolling=%d", s.f.describe(), s.n) }

// New implements tidemill.Score.
func (s *rolling) New() tidemill.Score { return newRolling(s.f, s.n) }

// Fading implements tidemill.Score: what counts the last answers alone does not fade.
func (s *rolling) Fading(float64) tidemill.Score { return nil }

// Suits implements tidemill.Score.
func (s *rolling) Suits(kind tidemill.ModelKind) bool { return slices.Contains(s.f.kinds(), kind) }

// Update implements tidemill.Score.
func (s *rolling) Update(a *tidemill.Answer) {
	it, ok := s.f.take(a)
	if !ok {
		return
	}
	if len(s.ring) < s.n {
		s.ring = append(s.ring, it)
		return
	}
	s.ring[s.next] = it
	if s.next++; s.next == s.n {
		s.next = 0
	}
}

func (s *rolling) folded() figure {
	f := s.f.empty()
	for _, it := range s.ring[s.next:] {
		f.fold(it, 1)
	}
	for _, it := range s.ring[:s.next] {
		f.fold(it, 1)
	}
	return f
}

// Value implements tidemill.Score.
func (s *rolling) Value() float64 {
	if len(s.ring) == 0 {
		return math.NaN()
	}
	return s.folded().value()
}

// Confusion implements tidemill.Detailed where the score counts classes; otherwise it is nil.
func (s *rolling) Confusion() [][]uint64 { return confusionOf(s.folded()) }

// Details implements tidemill.Detailed where the score has further figures; otherwise it is nil.
func (s *rolling) Details(labels []string) []tidemill.NamedValue {
	return detailsOf(s.folded(), labels)
}

// AppendBinary implements tidemill.State: the answers from the oldest on.
func (s *rolling) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1)
	b = binary.AppendUvarint(b, uint64(len(s.ring)))
	for _, it := range s.ring[s.next:] {
		b = appendItem(b, it)
	}
	for _, it := range s.ring[:s.next] {
		b = appendItem(b, it)
	}
	return b, nil
}

// UnmarshalBinary implements tidemill.State.
func (s *rolling) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	n := r.Count(itemSize)
	if n > s.n {
		r.Fail(errors.New("it has more answers than the window holds"))
		n = 0
	}
	ring := make([]item, 0, n)
	for range n {
		it := readItem(r)
		if it.i < 0 || it.j < 0 || it.i >= maxClasses || it.j >= maxClasses || !(it.a == it.a) || !(it.b == it.b) {
			r.Fail(errors.New("an answer in it is out of range"))
		}
		ring = append(ring, it)
	}
	if err := r.Done("score: " + s.Describe()); err != nil {
		return err
	}
	s.ring, s.next = ring, 0
	return nil
}
