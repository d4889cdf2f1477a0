package model

import (
	"encoding/binary"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// MajorityConfig answers with the classes' shares so far: what a classifier has to beat.
type MajorityConfig struct{}

// NewMajorityConfig is the config with its defaults.
func NewMajorityConfig() *MajorityConfig { return &MajorityConfig{} }

// Build makes the model; it never fails.
func (c *MajorityConfig) Build(string) (tidemill.Model, error) { return Majority(), nil }

// majority is the classes' weights; see Majority.
type majority struct {
	fixed   int
	weights []float64
}

// Majority is the baseline that looks at no feature: the probability of a class is its share of the rows learned. Until
// a row is learned the prediction is NaN.
func Majority() tidemill.Model { return &majority{} }

// Kind implements tidemill.Model.
func (m *majority) Kind() tidemill.ModelKind { return tidemill.Classify }

// New implements tidemill.Model.
func (m *majority) New() tidemill.Model { return &majority{} }

// Describe implements tidemill.Model.
func (m *majority) Describe() string { return "majority" }

// Bind implements tidemill.Model; it never fails.
func (m *majority) Bind(in tidemill.Input) error {
	*m = majority{fixed: in.Classes, weights: make([]float64, in.Classes)}
	return nil
}

// Learn implements tidemill.Model. A weight that is no usable number teaches nothing.
func (m *majority) Learn(e *tidemill.Example) {
	c := class(e.Y)
	if c < 0 || !teaches(e.Weight) || m.fixed > 0 && c >= m.fixed {
		return
	}
	for len(m.weights) <= c {
		m.weights = append(m.weights, 0)
	}
	m.weights[c] += e.Weight
}

// Predict implements tidemill.Model.
func (m *majority) Predict(dst []float64, _ *tidemill.Vector) []float64 {
	total := sum(m.weights)
	if total == 0 {
		return appendUnknown(dst, len(m.weights))
	}
	for _, w := range m.weights {
		dst = append(dst, w/total)
	}
	return dst
}

// AppendBinary implements tidemill.State.
func (m *majority) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(append(b, 1), uint64(len(m.weights)))
	return statebytes.AppendFloats(b, m.weights), nil
}

// UnmarshalBinary implements tidemill.State.
func (m *majority) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	n := r.Count(8)
	if r.Err() == nil && m.fixed > 0 && n != m.fixed {
		r.Failf("it has %d classes, not the %d fixed", n, m.fixed)
	}
	var weights []float64
	for range n {
		weights = append(weights, r.Weight())
	}
	if err := r.Done("model: majority"); err != nil {
		return err
	}
	m.weights = weights
	return nil
}
