package encode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// minmax is the online range scaler; see MinMax.
type minmax struct {
	cols, rest []int
	stats      []span
}

// span is one column's smallest and largest value; min > max before the first.
type span struct{ min, max float64 }

var noSpan = span{math.Inf(1), math.Inf(-1)}

// MinMaxConfig scales each number column to its range so far: 0 is the smallest value seen, 1 the largest.
type MinMaxConfig struct{}

// NewMinMaxConfig is the config with its defaults.
func NewMinMaxConfig() *MinMaxConfig { return &MinMaxConfig{} }

// Build makes the encoder; it never fails.
func (c *MinMaxConfig) Build(string) (tidemill.Encoder, error) { return MinMax(), nil }

// MinMax scales each number column to (x-min)/(max-min) of all values learned, 0 where they are equal. A value outside of
// what was learned falls outside of 0..1. NaN is not learned and becomes 0. Nominal and already scaled columns and terms
// pass; NaN in an already scaled column becomes 0 too.
func MinMax() tidemill.Encoder { return &minmax{} }

// Describe implements tidemill.Describer.
func (s *minmax) Describe() string { return "minmax" }

// New implements tidemill.Encoder.
func (s *minmax) New() tidemill.Encoder { return &minmax{} }

// Bind implements tidemill.Encoder: the columns stay, and are scaled from now on.
func (s *minmax) Bind(in []tidemill.FeatureColumn) ([]tidemill.FeatureColumn, error) {
	s.cols, s.rest, s.stats = nil, nil, nil
	out := append([]tidemill.FeatureColumn(nil), in...)
	for i := range in {
		switch {
		case scales(&in[i]):
			s.cols = append(s.cols, i)
			s.stats = append(s.stats, noSpan)
			out[i].Scaled = true
		case !in[i].Nominal:
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
		if d[i] != d[i] || !(m.max > m.min) {
			d[i] = 0
			continue
		}
		// Halves, so that a range over the whole of float64 is not infinite.
		d[i] = (d[i]/2 - m.min/2) / (m.max/2 - m.min/2)
	}
	for _, i := range s.rest {
		if d[i] != d[i] {
			d[i] = 0
		}
	}
}

// AppendBinary implements tidemill.State.
func (s *minmax) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1)
	b = binary.AppendUvarint(b, uint64(len(s.stats)))
	for _, m := range s.stats {
		if m == noSpan {
			b = append(b, 0)
			continue
		}
		b = statebytes.AppendFloat(statebytes.AppendFloat(append(b, 1), m.min), m.max)
	}
	return b, nil
}

// UnmarshalBinary implements tidemill.State; Bind comes first.
func (s *minmax) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
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
			m = span{r.Finite(), r.Finite()}
			if m.min > m.max {
				r.Fail(errors.New("a column's smallest value is above its largest"))
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
