package model

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
)

// bayes is Gaussian naive Bayes; see GaussianNB.
type bayes struct {
	cols    int
	bound   bool
	fixed   int
	counts  []float64 // per class: the weight of its rows
	total   float64
	moments []normal // per class, per column
}

// normal is the running mean and spread of one column within one class; inverse and height are kept for Predict.
type normal struct {
	n, mean, s float64 // weight, mean, sum of squared deviations
	inverse    float64 // -1/(2·variance)
	height     float64 // 1/(deviation·√2π); 0 while the variance is 0
}

const (
	sqrtTau  = 2.50662827463100050241576528481104525
	leastPDF = 1e-9 // added to each density, so that one far-off column cannot rule a class out
)

// GaussianNBConfig is naive Bayes with a normal distribution per class and column.
type GaussianNBConfig struct{}

// NewGaussianNBConfig is the config with its defaults.
func NewGaussianNBConfig() *GaussianNBConfig { return &GaussianNBConfig{} }

// Build makes the model; it never fails.
func (c *GaussianNBConfig) Build(string) (tidemill.Model, error) { return GaussianNB(), nil }

// GaussianNB is naive Bayes with a normal distribution per class and column, by running mean and population variance
// (Welford, 1962): P(class|x) is proportional to P(class)·Π(density + 1e-9). A column that is NaN is left out; sparse terms
// are not used. It needs no scaling. Until a class is known the prediction is NaN.
func GaussianNB() tidemill.Model { return &bayes{} }

// Kind implements tidemill.Model: the prediction is a probability per class.
func (m *bayes) Kind() tidemill.ModelKind { return tidemill.Classify }

// New implements tidemill.Model.
func (m *bayes) New() tidemill.Model { return &bayes{} }

// Describe implements tidemill.Describer.
func (m *bayes) Describe() string { return "gaussian_nb" }

// Bind implements tidemill.Binder: columns must be numbers.
func (m *bayes) Bind(in tidemill.Input) error {
	for i := range in.Columns {
		if c := &in.Columns[i]; c.Nominal {
			return fmt.Errorf("gaussian_nb: feature column %q is a category, not a quantity; encode it (onehotdense) or leave it out", c.Name)
		}
	}
	m.bound, m.cols, m.fixed = true, len(in.Columns), in.Classes
	m.know(in.Classes)
	return nil
}

// know makes room for n classes.
func (m *bayes) know(n int) {
	for len(m.counts) < n {
		m.counts = append(m.counts, 0)
		m.moments = append(m.moments, make([]normal, m.cols)...)
	}
}

// Learn implements tidemill.Model. A weight that is not above 0 teaches nothing.
func (m *bayes) Learn(e *tidemill.Example) {
	c := class(e.Y)
	if c < 0 || !teaches(e.Weight) || m.fixed > 0 && c >= m.fixed {
		return
	}
	if m.cols == 0 && !m.bound && len(m.counts) == 0 {
		m.cols = len(e.X.Dense)
	}
	m.know(c + 1)
	m.counts[c] += e.Weight
	m.total += e.Weight
	row := m.moments[c*m.cols : (c+1)*m.cols]
	for i, v := range e.X.Dense[:min(m.cols, len(e.X.Dense))] {
		if known(v) {
			row[i].add(v, e.Weight)
		}
	}
}

// add takes one value in. A value so large that its square is infinite is left out.
func (d *normal) add(v, w float64) {
	n := d.n + w
	mean := d.mean + float64(w/n*(v-d.mean))
	s := d.s + float64(w*float64((v-d.mean)*(v-mean)))
	if s-s != 0 {
		return
	}
	d.n, d.mean, d.s = n, mean, s
	d.derive()
}

// derive makes what Predict reads.
func (d *normal) derive() {
	d.inverse, d.height = 0, 0
	if v := d.s / d.n; v > 0 {
		d.inverse, d.height = -0.5/v, 1/(sqrtTau*math.Sqrt(v))
	}
}

// Predict implements tidemill.Model: a probability per class; 0 for a fixed class that has not come.
func (m *bayes) Predict(dst []float64, x *tidemill.Vector) []float64 {
	if m.total == 0 {
		return appendUnknown(dst, len(m.counts))
	}
	at := len(dst)
	dense := x.Dense[:min(m.cols, len(x.Dense))]
	for c, n := range m.counts {
		if n == 0 {
			dst = append(dst, math.Inf(-1))
			continue
		}
		// The logarithm of the product of a few densities saves most logarithms.
		sum, product := 0.0, n/m.total
		row := m.moments[c*m.cols:][:len(dense)]
		for i, v := range dense {
			d := &row[i]
			if !known(v) {
				continue
			}
			p := leastPDF
			if d.height > 0 {
				t := v - d.mean
				p += float64(d.height * math.Exp(float64(d.inverse*float64(t*t))))
			}
			product *= p
			if product < 1e-200 || product > 1e200 {
				sum += math.Log(product)
				product = 1
			}
		}
		dst = append(dst, sum+math.Log(product))
	}
	softmax(dst[at:])
	return dst
}

// AppendBinary implements tidemill.State.
func (m *bayes) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(append(b, 1), uint64(m.cols))
	b = binary.AppendUvarint(b, uint64(len(m.counts)))
	b = appendFloat(b, m.total)
	b = appendFloats(b, m.counts)
	for i := range m.moments {
		d := &m.moments[i]
		b = appendFloat(appendFloat(appendFloat(b, d.n), d.mean), d.s)
	}
	return b, nil
}

// UnmarshalBinary implements tidemill.State.
func (m *bayes) UnmarshalBinary(data []byte) error {
	r := &stateReader{b: data}
	r.version(1)
	cols, classes := r.uvarint(), r.uvarint()
	n := bayes{bound: m.bound, fixed: m.fixed, total: r.weight()}
	switch {
	case r.err != nil:
	case m.bound && cols != uint64(m.cols):
		r.failf("it has %d columns, not the %d bound", cols, m.cols)
	case m.fixed > 0 && classes != uint64(m.fixed):
		r.failf("it has %d classes, not the %d fixed", classes, m.fixed)
	case classes > maxClasses || cols > uint64(len(r.b)) && classes > 0 || classes*(8+24*cols) != uint64(len(r.b)):
		r.failf("it has %d bytes for %d classes of %d columns", len(r.b), classes, cols)
	case classes == 0 && !m.bound && cols > 0:
		r.failf("it has %d columns and no class", cols)
	}
	if r.err == nil {
		n.cols = int(cols)
		for range classes {
			n.counts = append(n.counts, r.weight())
		}
		n.moments = make([]normal, int(classes*cols))
		for i := range n.moments {
			n.moments[i] = normal{n: r.weight(), mean: r.number(), s: r.number()}
			n.moments[i].derive()
		}
	}
	if err := r.done("gaussian_nb"); err != nil {
		return err
	}
	*m = n
	return nil
}
