package model

import (
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// linear is linear regression; see Linear.
type linear struct{ g glm }

// Linear is linear regression for the squared loss, one step per row: the prediction is w·x + b, the loss gradient
// 2(p - y). Dense columns and sparse terms each have a weight; what is unknown (NaN) adds nothing and learns nothing.
// Without options it steps by SGD(0.01). In a flow it asks for scaled columns and one-hot categories.
func Linear(opts ...Option) tidemill.Model { return newLinear(newGLMSettings(opts)) }

func newLinear(s glmSettings) *linear { return &linear{g: newGLM(s, 1)} }

// Kind implements tidemill.Model: the prediction is the value.
func (m *linear) Kind() tidemill.ModelKind { return tidemill.Regress }

// New implements tidemill.Model.
func (m *linear) New() tidemill.Model { return newLinear(m.g.glmSettings) }

// Warnings implements tidemill.Warner.
func (m *linear) Warnings() []string { return m.g.warnings() }

// Describe implements tidemill.Model.
func (m *linear) Describe() string { return m.g.describe("linear") }

// Bind implements tidemill.Model: columns must be numbers.
func (m *linear) Bind(in tidemill.Input) error { return m.g.bind("linear", in) }

// Encoders implements tidemill.Preparer: encode.Standard and encode.OneHot, where there is something to do for them.
func (m *linear) Encoders(in []tidemill.FeatureColumn) []tidemill.Encoder { return glmEncoders(in) }

// Learn implements tidemill.Model. A value or a weight that is no usable number teaches nothing.
func (m *linear) Learn(e *tidemill.Example) {
	if len(e.Y) == 0 || !known(e.Y[0]) || !teaches(e.Weight) {
		return
	}
	p := m.g.sum(e.X)
	m.g.begin(e.X)
	m.g.step(0, 2*(p-e.Y[0])*e.Weight, e.X)
}

// Predict implements tidemill.Model: one value.
func (m *linear) Predict(dst []float64, x *tidemill.Vector) []float64 {
	return append(dst, m.g.sum(x))
}

// Weights implements tidemill.Weighted.
func (m *linear) Weights(yield func(column int, hash uint64, output int, w float64) bool) {
	m.g.weights(0, yield)
}

// AppendBinary implements tidemill.State.
func (m *linear) AppendBinary(b []byte) ([]byte, error) { return m.g.append(append(b, 1)), nil }

// UnmarshalBinary implements tidemill.State.
func (m *linear) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	g := m.g.read(r)
	if r.Err() == nil && len(g.bias) != 1 {
		r.Failf("it has %d outputs, not 1", len(g.bias))
	}
	if err := r.Done("model: linear"); err != nil {
		return err
	}
	m.g = g
	return nil
}
