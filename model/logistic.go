package model

import (
	"encoding/binary"
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// logistic is logistic and softmax regression; see Logistic and Softmax.
type logistic struct {
	g       glm
	softmax bool // one output per class from the start
	fixed   int  // the fixed number of classes, or 0
	classes int  // how many are known
}

// Logistic is logistic regression for the log loss, one step per row. With one or two classes there is one set of
// weights, for class 1: P(1) = 1/(1+e^-(w·x+b)). When a third class comes it grows to softmax regression by one rule:
// class 1 keeps its weights, its intercept and its optimizer's memory, every other class starts at zero, which changes
// nothing in how class 1 compares with class 0; from then on it steps as Softmax does. With more than two fixed classes
// it is Softmax from the start. Without options it steps by SGD(0.01). In a flow it asks for scaled columns and one-hot
// categories. What is unknown (NaN) adds nothing and learns nothing.
func Logistic(opts ...Option) tidemill.Model { return newLogistic(newGLMSettings(opts), false) }

// Softmax is softmax regression for the cross entropy: a set of weights and an intercept per class, all of which step
// on each row by P(class) - [class is true]; with two classes too. A new class starts at zero. Options and encoders are
// Logistic's.
func Softmax(opts ...Option) tidemill.Model { return newLogistic(newGLMSettings(opts), true) }

func newLogistic(s glmSettings, softmax bool) *logistic {
	m := &logistic{softmax: softmax}
	m.g = newGLM(s, m.outputs(0))
	return m
}

func (m *logistic) name() string {
	if m.softmax {
		return "softmax"
	}
	return "logistic"
}

// outputs is the sets of weights for n known classes.
func (m *logistic) outputs(n int) int {
	if !m.softmax && n <= 2 {
		return 1
	}
	return n
}

// Kind implements tidemill.Model: the prediction is a probability per class.
func (m *logistic) Kind() tidemill.ModelKind { return tidemill.Classify }

// New implements tidemill.Model.
func (m *logistic) New() tidemill.Model { return newLogistic(m.g.glmSettings, m.softmax) }

// Warnings implements tidemill.Warner.
func (m *logistic) Warnings() []string { return m.g.warnings() }

// Describe implements tidemill.Model.
func (m *logistic) Describe() string { return m.g.describe(m.name()) }

// Bind implements tidemill.Model: columns must be numbers.
func (m *logistic) Bind(in tidemill.Input) error {
	if err := m.g.bind(m.name(), in); err != nil {
		return err
	}
	m.fixed = in.Classes
	m.know(in.Classes)
	return nil
}

// Encoders implements tidemill.Preparer: encode.Standard and encode.OneHot, where there is something to do for them.
func (m *logistic) Encoders(in []tidemill.FeatureColumn) []tidemill.Encoder { return glmEncoders(in) }

// know makes room for n classes.
func (m *logistic) know(n int) {
	if n <= m.classes {
		return
	}
	binary := !m.softmax && m.classes <= 2
	m.classes = n
	m.g.grow(m.outputs(n))
	if binary && n > 2 {
		m.g.swap(0, 1)
	}
}

// swap exchanges two outputs.
func (g *glm) swap(a, b int) {
	g.bias[a], g.bias[b] = g.bias[b], g.bias[a]
	g.dense[a], g.dense[b] = g.dense[b], g.dense[a]
	g.side[a], g.side[b] = g.side[b], g.side[a]
	stride, size := g.stride(), 1+g.slots
	for i := range g.index.keys {
		t := g.terms[i*stride : (i+1)*stride]
		for j := range size {
			t[a*size+j], t[b*size+j] = t[b*size+j], t[a*size+j]
		}
	}
}

// Learn implements tidemill.Model. A weight that is not above 0 teaches nothing.
func (m *logistic) Learn(e *tidemill.Example) {
	c := class(e.Y)
	if c < 0 || !teaches(e.Weight) || m.fixed > 0 && c >= m.fixed {
		return
	}
	m.know(c + 1)
	if len(m.g.bias) == 1 && !m.softmax {
		m.g.begin(e.X)
		m.g.step(0, logisticGradient(m.g.sum(e.X), c == 1)*e.Weight, e.X)
		return
	}
	raw := m.g.raw
	m.g.sums(raw, e.X)
	softmax(raw)
	m.g.begin(e.X)
	for k, p := range raw {
		if k == c {
			p--
		}
		m.g.step(k, p*e.Weight, e.X)
	}
}

// logisticGradient is the derivative of the log loss ln(1+e^(-y·s)), y being 1 or -1, by s.
func logisticGradient(s float64, positive bool) float64 {
	y := -1.0
	if positive {
		y = 1
	}
	switch z := float64(y * s); {
	case z > 18:
		return -y * math.Exp(-z)
	case z < -18:
		return -y
	default:
		return -y / (1 + math.Exp(z))
	}
}

// sigmoid is 1/(1+e^-s), and exactly 0 or 1 where s is beyond 30, as River has it: a log loss then costs the same there
// as in the figures that are compared with.
func sigmoid(s float64) float64 {
	switch {
	case s < -30:
		return 0
	case s > 30:
		return 1
	}
	return 1 / (1 + math.Exp(-s))
}

// softmax turns sums into probabilities.
func softmax(p []float64) {
	top := math.Inf(-1)
	for _, v := range p {
		top = max(top, v)
	}
	var total float64
	for i, v := range p {
		p[i] = math.Exp(v - top)
		total += p[i]
	}
	for i := range p {
		p[i] /= total
	}
}

// Predict implements tidemill.Model: a probability per known class. While only class 0 is known its probability may be
// below 1: the rest belongs to the class that has not come.
func (m *logistic) Predict(dst []float64, x *tidemill.Vector) []float64 {
	if m.classes == 0 {
		return dst
	}
	if len(m.g.bias) == 1 && !m.softmax {
		p := sigmoid(m.g.sum(x))
		if m.classes == 1 {
			return append(dst, 1-p)
		}
		return append(dst, 1-p, p)
	}
	n := len(dst)
	dst = append(dst, m.g.bias...)
	m.g.sums(dst[n:], x)
	softmax(dst[n:])
	return dst
}

// Weights implements tidemill.Weighted: of two classes only class 1 has weights.
func (m *logistic) Weights(yield func(column int, hash uint64, output int, w float64) bool) {
	if len(m.g.bias) == 1 && !m.softmax {
		m.g.weights(1, yield)
		return
	}
	m.g.weights(0, yield)
}

// AppendBinary implements tidemill.State.
func (m *logistic) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(append(b, 1), uint64(m.classes))
	return m.g.append(b), nil
}

// UnmarshalBinary implements tidemill.State.
func (m *logistic) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	classes := r.Uvarint()
	g := m.g.read(r)
	switch {
	case r.Err() != nil:
	case classes > maxClasses || m.outputs(int(classes)) != len(g.bias):
		r.Failf("it has %d classes and %d sets of weights", classes, len(g.bias))
	case m.fixed > 0 && classes != uint64(m.fixed):
		r.Failf("it has %d classes, not the %d fixed", classes, m.fixed)
	}
	if err := r.Done("model: " + m.name()); err != nil {
		return err
	}
	m.g, m.classes = g, int(classes)
	return nil
}
