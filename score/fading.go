package score

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// Fading is an empty score of s's settings in which an answer's weight is multiplied by keep (0 < keep < 1) at each
// further answer, so that about the last 1/(1-keep) count (Gama, Sebastião, Rodrigues: "On evaluating stream learning
// algorithms", 2013). nil if s is not a score of this package, is no sum over answers (AUC), or keep is out of range.
func Fading(s tidemill.Score, keep float64) tidemill.Score {
	if w, ok := s.(*Total); ok && keep > 0 && keep < 1 {
		return w.Fading(keep)
	}
	return nil
}

// rescale is where the growing weight is brought back to the size of 1, by a power of two, which rounds nothing.
const rescale = 0x1p200

// fading lets the weight of new answers grow instead of multiplying every cell by keep: the figures are quotients, in
// which the common factor cancels.
type fading struct {
	f      figure
	keep   float64
	weight float64 // of the next answer
}

func newFading(f figure, keep float64) *fading { return &fading{f: f, keep: keep, weight: 1} }

// Name implements tidemill.Score.
func (s *fading) Name() string { return s.f.name() }

// Describe implements tidemill.Score.
func (s *fading) Describe() string { return fmt.Sprintf("%s fading=%v", s.f.describe(), s.keep) }

// New implements tidemill.Score.
func (s *fading) New() tidemill.Score { return newFading(s.f.empty(), s.keep) }

// Fading implements tidemill.Score: it fades already.
func (s *fading) Fading(float64) tidemill.Score { return nil }

// Suits implements tidemill.Score.
func (s *fading) Suits(kind tidemill.ModelKind) bool { return slices.Contains(s.f.kinds(), kind) }

// Update implements tidemill.Score.
func (s *fading) Update(a *tidemill.Answer) {
	it, ok := s.f.take(a)
	if !ok {
		return
	}
	s.f.fold(it, s.weight)
	s.weight /= s.keep
	if s.weight >= rescale {
		_, e := math.Frexp(s.weight)
		by := math.Ldexp(1, -e)
		s.f.(sums).scale(by)
		s.weight *= by
	}
}

// Value implements tidemill.Score.
func (s *fading) Value() float64 { return s.f.value() }

// Details implements tidemill.Detailed where the score has further figures; otherwise it is nil.
func (s *fading) Details(labels []string) []tidemill.NamedValue { return detailsOf(s.f, labels) }

// Confusion implements tidemill.Detailed: weights that fade are no counts.
func (s *fading) Confusion() [][]uint64 { return nil }

// AppendBinary implements tidemill.State.
func (s *fading) AppendBinary(b []byte) ([]byte, error) {
	return s.f.appendState(statebytes.AppendFloat(append(b, 1), s.weight)), nil
}

// UnmarshalBinary implements tidemill.State.
func (s *fading) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	weight := r.Finite()
	if !(weight > 0) || weight >= rescale {
		r.Fail(errors.New("its weight is out of range"))
	}
	f := s.f.empty()
	f.readState(r)
	if err := r.Done("score: " + s.Describe()); err != nil {
		return err
	}
	s.f, s.weight = f, weight
	return nil
}
