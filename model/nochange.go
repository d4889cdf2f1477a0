package model

import (
	"encoding/binary"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// NoChangeConfig answers with the last class learned: what a classifier has to beat where answers come in runs.
type NoChangeConfig struct{}

// NewNoChangeConfig is the config with its defaults.
func NewNoChangeConfig() *NoChangeConfig { return &NoChangeConfig{} }

// Build makes the model; it never fails.
func (c *NoChangeConfig) Build(string) (tidemill.Model, error) { return NoChange(), nil }

// noChange is the last class; see NoChange.
type noChange struct{ fixed, classes, last int }

// NoChange is the baseline that answers with the last class that was learned, with probability 1. Until a row is
// learned the prediction is NaN. (Žliobaitė et al., "Evaluation methods and decision theory for classification of
// streaming data with temporal dependence", 2015.)
func NoChange() tidemill.Model { return &noChange{last: -1} }

// Kind implements tidemill.Model.
func (m *noChange) Kind() tidemill.ModelKind { return tidemill.Classify }

// New implements tidemill.Model.
func (m *noChange) New() tidemill.Model { return NoChange() }

// Describe implements tidemill.Model.
func (m *noChange) Describe() string { return "no_change" }

// Bind implements tidemill.Model; it never fails.
func (m *noChange) Bind(in tidemill.Input) error {
	*m = noChange{fixed: in.Classes, classes: in.Classes, last: -1}
	return nil
}

// Learn implements tidemill.Model. A weight that is no usable number teaches nothing.
func (m *noChange) Learn(e *tidemill.Example) {
	c := class(e.Y)
	if c < 0 || !teaches(e.Weight) || m.fixed > 0 && c >= m.fixed {
		return
	}
	m.last, m.classes = c, max(m.classes, c+1)
}

// Predict implements tidemill.Model.
func (m *noChange) Predict(dst []float64, _ *tidemill.Vector) []float64 {
	if m.last < 0 {
		return appendUnknown(dst, m.classes)
	}
	at := len(dst)
	for range m.classes {
		dst = append(dst, 0)
	}
	dst[at+m.last] = 1
	return dst
}

// AppendBinary implements tidemill.State.
func (m *noChange) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(append(b, 1), uint64(m.classes))
	return binary.AppendUvarint(b, uint64(m.last+1)), nil
}

// UnmarshalBinary implements tidemill.State.
func (m *noChange) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	classes := r.Below(maxClasses+1, "the number of classes")
	last := r.Below(classes+1, "the last class") - 1
	if r.Err() == nil && m.fixed > 0 && classes != m.fixed {
		r.Failf("it has %d classes, not the %d fixed", classes, m.fixed)
	}
	if err := r.Done("model: no_change"); err != nil {
		return err
	}
	m.classes, m.last = classes, last
	return nil
}
