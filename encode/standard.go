package encode

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// standard is the online z-score; see Standard.
type standard struct {
	unsupervised
	cols   []int // the columns that are scaled
	names  []string
	scaled []int // number columns that are scaled already: only NaN becomes 0
	stats  []moments
}

// moments are one column's: the count, the mean, the population variance and its root (kept, as Apply is the hot path),
// and the count of absurd values that were left out.
type moments struct{ n, mean, variance, std, refused float64 }

// absurd says that v is far from all that was learned.
func (m *moments) absurd(v float64) bool { return Absurd(v-m.mean, math.Abs(m.mean)+m.std) }

// near says what nearly every value can be recognised by, at the cost of one comparison: a number at this distance from
// the mean is known, neither absurd nor too large.
func near(distance float64) bool { return math.Abs(distance) <= FarBy }

// tiny is the deviation above which the quotient of a near value cannot be infinite.
const tiny = 1e-290

// tooLarge is where squares come near the end of float64: one such value would spoil a column's moments for good.
const tooLarge = 1e150

// StandardConfig scales each number column to mean 0 and deviation 1, learned online (Welford).
type StandardConfig struct{}

// NewStandardConfig is the config with its defaults.
func NewStandardConfig() *StandardConfig { return &StandardConfig{} }

// Build makes the encoder; it never fails.
func (c *StandardConfig) Build(string) (tidemill.Encoder, error) { return Standard(), nil }

// Standard scales each number column to (x-mean)/deviation with the running mean and the running population deviation
// of all values learned; 0 where the deviation is 0. NaN is not learned and becomes 0. Nominal and already scaled
// columns and terms pass; NaN in an already scaled column becomes 0 too. A value beyond ±1e150, whose square is near
// the end of float64, is not learned, nor is one that lies a billion times (1 + the size of all others) away from them,
// as long as such are no more than one in a hundred; both are counted, and 0 when applied. (Welford, "Note on a method
// for calculating corrected sums of squares and products", 1962; the recurrence is that of River's StandardScaler.)
func Standard() tidemill.Encoder { return &standard{} }

// Describe implements tidemill.Encoder.
func (s *standard) Describe() string { return "standard" }

// New implements tidemill.Encoder.
func (s *standard) New() tidemill.Encoder { return &standard{} }

// Bind implements tidemill.Encoder: the columns stay, and are scaled from now on.
func (s *standard) Bind(in tidemill.Input) (tidemill.Input, error) {
	s.cols, s.names, s.scaled = nil, nil, nil
	out := in
	out.Columns = slices.Clone(in.Columns)
	for i := range in.Columns {
		switch c := &out.Columns[i]; {
		case scales(c):
			s.cols, s.names = append(s.cols, i), append(s.names, c.Name)
			c.Scaled = true
		case !c.Nominal:
			s.scaled = append(s.scaled, i)
		}
	}
	s.stats = make([]moments, len(s.cols))
	return out, nil
}

// Learn implements tidemill.Encoder.
func (s *standard) Learn(x *tidemill.Vector, _ []float64) {
	for k, i := range s.cols {
		v := x.Dense[i]
		m := &s.stats[k]
		d := v - m.mean
		if !near(d) {
			if v != v {
				continue
			}
			if !(v > -tooLarge && v < tooLarge) || m.absurd(v) && Rare(m.refused, m.n) {
				m.refused++
				continue
			}
		}
		n := m.n + 1
		mean := m.mean + d/n
		variance := m.variance + (float64(d*(v-mean))-m.variance)/n
		m.n, m.mean, m.variance, m.std = n, mean, variance, math.Sqrt(variance)
	}
}

// Apply implements tidemill.Encoder.
func (s *standard) Apply(dst, x *tidemill.Vector) {
	pass(dst, x)
	d := dst.Dense
	for k, i := range s.cols {
		v := d[i]
		m := &s.stats[k]
		if distance := v - m.mean; near(distance) && m.std > tiny {
			d[i] = distance / m.std
			continue
		}
		if v != v || m.std == 0 {
			d[i] = 0
			continue
		}
		absurd := m.absurd(v)
		if v = (v - m.mean) / m.std; absurd || !isFinite(v) {
			v = 0
		}
		d[i] = v
	}
	for _, i := range s.scaled {
		if d[i] != d[i] {
			d[i] = 0
		}
	}
}

// Warnings implements tidemill.Warner: the absurd values that were left out.
func (s *standard) Warnings() []string {
	return leftOut("standard", s.names, func(k int) float64 { return s.stats[k].refused })
}

// AppendBinary implements tidemill.State.
func (s *standard) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 2)
	b = binary.AppendUvarint(b, uint64(len(s.stats)))
	for i := range s.stats {
		m := &s.stats[i]
		b = statebytes.AppendFloats(b, []float64{m.n, m.mean, m.variance, m.refused})
	}
	return b, nil
}

// UnmarshalBinary implements tidemill.State; Bind comes first.
func (s *standard) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(2)
	n := r.Count(32)
	if r.Err() == nil && n != len(s.cols) {
		r.Fail(fmt.Errorf("it is of %d columns, not of the %d bound", n, len(s.cols)))
	}
	stats := make([]moments, n)
	for i := range stats {
		m := moments{n: r.Finite(), mean: r.Finite(), variance: r.Finite(), refused: r.Finite()}
		if m.n < 0 || m.n != math.Trunc(m.n) || m.variance < 0 {
			r.Fail(fmt.Errorf("column %d has count %v and variance %v", i, m.n, m.variance))
		}
		if m.refused < 0 || m.refused != math.Trunc(m.refused) {
			r.Fail(fmt.Errorf("column %d has left out %v values", i, m.refused))
		}
		m.std = math.Sqrt(m.variance)
		stats[i] = m
	}
	if err := r.Done("encode: standard"); err != nil {
		return err
	}
	s.stats = stats
	return nil
}
