package encode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// minmax is the online range scaler; see MinMax.
type minmax struct {
	unsupervised
	cols, rest []int
	names      []string
	stats      []span
}

// span is one column's smallest and largest value, min > max before the first, the count of values, and of absurd ones
// that were left out.
type span struct{ min, max, n, refused float64 }

var noSpan = span{min: math.Inf(1), max: math.Inf(-1)}

// absurd says that v is far from all that was learned.
func (m *span) absurd(v float64) bool {
	return m.n > 0 && Absurd(max(v-m.max, m.min-v, 0), max(math.Abs(m.min), math.Abs(m.max)))
}

// MinMaxConfig scales each number column to its range so far: 0 is the smallest value seen, 1 the largest.
type MinMaxConfig struct{}

// NewMinMaxConfig is the config with its defaults.
func NewMinMaxConfig() *MinMaxConfig { return &MinMaxConfig{} }

// Build makes the encoder; it never fails.
func (c *MinMaxConfig) Build(string) (tidemill.Encoder, error) { return MinMax(), nil }

// MinMax scales each number column to (x-min)/(max-min) of all values learned, 0 where they are equal. A value outside
// of what was learned falls outside of 0..1. NaN is not learned and becomes 0. A value that lies a billion times (1 +
// the size of all others) away from them is 0, and not learned but counted, as long as such are no more than one in a
// hundred. Nominal and already scaled columns and terms pass; NaN in an already scaled column becomes 0 too.
func MinMax() tidemill.Encoder { return &minmax{} }

// Describe implements tidemill.Encoder.
func (s *minmax) Describe() string { return "minmax" }

// New implements tidemill.Encoder.
func (s *minmax) New() tidemill.Encoder { return &minmax{} }

// Bind implements tidemill.Encoder: the columns stay, and are scaled from now on.
func (s *minmax) Bind(in tidemill.Input) (tidemill.Input, error) {
	s.cols, s.names, s.rest, s.stats = nil, nil, nil, nil
	out := in
	out.Columns = slices.Clone(in.Columns)
	for i := range in.Columns {
		switch c := &out.Columns[i]; {
		case scales(c):
			s.cols, s.names = append(s.cols, i), append(s.names, c.Name)
			s.stats = append(s.stats, noSpan)
			c.Scaled = true
		case !c.Nominal:
			s.rest = append(s.rest, i)
		}
	}
	return out, nil
}

// Learn implements tidemill.Encoder.
func (s *minmax) Learn(x *tidemill.Vector, _ []float64) {
	for k, i := range s.cols {
		v := x.Dense[i]
		if !isFinite(v) {
			continue
		}
		m := &s.stats[k]
		if m.absurd(v) && Rare(m.refused, m.n) {
			m.refused++
			continue
		}
		m.n++
		if v < m.min {
			m.min = v
		}
		if v > m.max {
			m.max = v
		}
	}
}

// Apply implements tidemill.Encoder.
func (s *minmax) Apply(dst, x *tidemill.Vector) {
	pass(dst, x)
	d := dst.Dense
	for k, i := range s.cols {
		m := &s.stats[k]
		if d[i] != d[i] || !(m.max > m.min) || m.absurd(d[i]) {
			d[i] = 0
			continue
		}
		// Halves, so that a range over the whole of float64 is not infinite.
		if d[i] = (d[i]/2 - m.min/2) / (m.max/2 - m.min/2); !isFinite(d[i]) {
			d[i] = 0 // of a range that is near the smallest number
		}
	}
	for _, i := range s.rest {
		if d[i] != d[i] {
			d[i] = 0
		}
	}
}

// Warnings implements tidemill.Warner: the absurd values that were left out.
func (s *minmax) Warnings() []string {
	return leftOut("minmax", s.names, func(k int) float64 { return s.stats[k].refused })
}

// AppendBinary implements tidemill.State.
func (s *minmax) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 2)
	b = binary.AppendUvarint(b, uint64(len(s.stats)))
	for _, m := range s.stats {
		if m == noSpan {
			b = append(b, 0)
			continue
		}
		b = statebytes.AppendFloats(append(b, 1), []float64{m.min, m.max, m.n, m.refused})
	}
	return b, nil
}

// UnmarshalBinary implements tidemill.State; Bind comes first.
func (s *minmax) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(2)
	n := r.Count(1)
	if r.Err() == nil && n != len(s.cols) {
		r.Fail(fmt.Errorf("it is of %d columns, not of the %d bound", n, len(s.cols)))
	}
	var stats []span
	for range n {
		m := noSpan
		switch r.Byte() {
		case 0:
		case 1:
			m = span{r.Finite(), r.Finite(), r.Finite(), r.Finite()}
			if m.min > m.max {
				r.Fail(errors.New("a column's smallest value is above its largest"))
			}
			if !(m.n >= 1 && m.refused >= 0) || m.n != math.Trunc(m.n) || m.refused != math.Trunc(m.refused) {
				r.Fail(fmt.Errorf("a column has learned %v values and left out %v", m.n, m.refused))
			}
		default:
			r.Fail(errors.New("a column's mark is neither 0 nor 1"))
		}
		if r.Err() != nil {
			break
		}
		stats = append(stats, m)
	}
	if err := r.Done("encode: minmax"); err != nil {
		return err
	}
	s.stats = stats
	return nil
}
