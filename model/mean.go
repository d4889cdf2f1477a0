package model

import (
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// MeanConfig answers with the mean so far: what a regression has to beat.
type MeanConfig struct{}

// NewMeanConfig is the config with its defaults.
func NewMeanConfig() *MeanConfig { return &MeanConfig{} }

// Build makes the model; it never fails.
func (c *MeanConfig) Build(string) (tidemill.Model, error) { return Mean(), nil }

// mean is the running mean; see Mean.
type mean struct{ weight, mean float64 }

// Mean is the baseline that looks at no feature: the prediction is the weighted mean of the values learned, NaN until
// there is one.
func Mean() tidemill.Model { return &mean{} }

// Kind implements tidemill.Model.
func (m *mean) Kind() tidemill.ModelKind { return tidemill.Regress }

// New implements tidemill.Model.
func (m *mean) New() tidemill.Model { return &mean{} }

// Describe implements tidemill.Model.
func (m *mean) Describe() string { return "mean" }

// Bind implements tidemill.Model; it never fails.
func (m *mean) Bind(tidemill.Input) error { return nil }

// Learn implements tidemill.Model. A value or a weight that is no usable number teaches nothing.
func (m *mean) Learn(e *tidemill.Example) {
	if len(e.Y) == 0 || !known(e.Y[0]) || !teaches(e.Weight) {
		return
	}
	m.weight += e.Weight
	m.mean += float64(e.Weight / m.weight * (e.Y[0] - m.mean))
}

// Predict implements tidemill.Model.
func (m *mean) Predict(dst []float64, _ *tidemill.Vector) []float64 {
	if m.weight == 0 {
		return appendUnknown(dst, 1)
	}
	return append(dst, m.mean)
}

// AppendBinary implements tidemill.State.
func (m *mean) AppendBinary(b []byte) ([]byte, error) {
	return statebytes.AppendFloat(statebytes.AppendFloat(append(b, 1), m.weight), m.mean), nil
}

// UnmarshalBinary implements tidemill.State.
func (m *mean) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	n := mean{weight: r.Weight(), mean: r.Number()}
	if err := r.Done("model: mean"); err != nil {
		return err
	}
	*m = n
	return nil
}
