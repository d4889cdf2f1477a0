package model

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/statebytes"
)

// bayes is Gaussian naive Bayes; see GaussianNB.
type bayes struct {
	columns []treeColumn
	cols    int // number columns among them
	bound   bool
	fixed   int
	counts  []float64 // per class: the weight of its rows
	total   float64
	moments []normal        // per class, per number column
	names   []treeCategoric // per nominal column
	called  []string        // the nominal columns, where Bind told them
}

// normal is the running mean and spread of one column within one class; inverse and height are kept for Predict.
type normal struct {
	n, mean, s float64 // weight, mean, sum of squared deviations
	left       float64 // the weight of absurd values that were left out
	inverse    float64 // -1/(2·variance)
	height     float64 // 1/(deviation·√2π); 0 while the variance is 0
}

const (
	sqrtTau  = 2.50662827463100050241576528481104525
	leastPDF = 1e-9 // added to each density, so that one far-off column cannot rule a class out
)

// GaussianNBConfig is naive Bayes with a normal distribution per class and column. Of a category it counts instead.
type GaussianNBConfig struct{}

// NewGaussianNBConfig is the config with its defaults.
func NewGaussianNBConfig() *GaussianNBConfig { return &GaussianNBConfig{} }

// Build makes the model; it never fails.
func (c *GaussianNBConfig) Build(string) (tidemill.Model, error) { return GaussianNB(), nil }

// GaussianNB is naive Bayes with a normal distribution per class and number column, by running mean and population
// variance (Welford, 1962): P(class|x) is proportional to P(class)·Π(density + 1e-9). A nominal column counts instead:
// P(category|class) is (rows+1)/(the class's rows + categories), after Laplace; a category that was never learned is
// left out, and so are those beyond the first 16384 of a column. A column that is NaN is left out; sparse terms are
// refused. A number a billion times (1 + the size of all others) away from them is not learned but counted, as long as
// such are no more than one in a hundred. It needs no scaling. Until a class is known the prediction is NaN.
func GaussianNB() tidemill.Model { return &bayes{} }

// Kind implements tidemill.Model: the prediction is a probability per class.
func (m *bayes) Kind() tidemill.ModelKind { return tidemill.Classify }

// New implements tidemill.Model.
func (m *bayes) New() tidemill.Model { return &bayes{} }

// Describe implements tidemill.Model.
func (m *bayes) Describe() string { return "gaussian_nb" }

// Warnings implements tidemill.Warner: columns whose categories have reached their bound, and numbers that were left
// out.
func (m *bayes) Warnings() []string {
	out := fullColumns(m.called, func(i int) bool { return len(m.names[i].codes) >= maxCategories })
	left := 0.0
	for i := range m.moments {
		left += m.moments[i].left
	}
	if left > 0 {
		out = append(out, fmt.Sprintf("%.6g values left out, a billion times beyond all others of their column", left))
	}
	return out
}

// Bind implements tidemill.Model: there may be no sparse terms.
func (m *bayes) Bind(in tidemill.Input) error {
	if err := noTerms(&in, "gaussian_nb", ""); err != nil {
		return err
	}
	*m = bayes{bound: true, fixed: in.Classes}
	for i := range in.Columns {
		m.column(in.Columns[i].Nominal)
		if in.Columns[i].Nominal {
			m.called = append(m.called, in.Columns[i].Name)
		}
	}
	m.know(in.Classes)
	return nil
}

func (m *bayes) column(nominal bool) {
	if nominal {
		m.columns = append(m.columns, treeColumn{nominal: true, at: int32(len(m.names))})
		m.names = append(m.names, treeCategoric{})
		return
	}
	m.columns = append(m.columns, treeColumn{at: int32(m.cols)})
	m.cols++
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
	if !m.bound && len(m.counts) == 0 {
		for range e.X.Dense {
			m.column(false)
		}
	}
	m.know(c + 1)
	m.counts[c] += e.Weight
	m.total += e.Weight
	row := m.moments[c*m.cols : (c+1)*m.cols]
	for i, v := range e.X.Dense[:min(len(m.columns), len(e.X.Dense))] {
		switch k := m.columns[i]; {
		case !known(v):
		case k.nominal:
			m.names[k.at].add(v, c, e.Weight)
		default:
			row[k.at].add(v, e.Weight)
		}
	}
}

// add takes one value in. A value so large that its square is infinite is left out, and so is one that is absurd while
// such are rare.
func (d *normal) add(v, w float64) {
	if d.n > 0 && math.Abs(v-d.mean) > encode.FarBy && encode.Absurd(v-d.mean, math.Abs(d.mean)+math.Sqrt(d.s/d.n)) &&
		encode.Rare(d.left+w-1, d.n) {
		d.left += w
		return
	}
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
	dense := x.Dense[:min(len(m.columns), len(x.Dense))]
	for c, n := range m.counts {
		if n == 0 {
			dst = append(dst, math.Inf(-1))
			continue
		}
		// The logarithm of the product of a few densities saves most logarithms.
		sum, product := 0.0, n/m.total
		row := m.moments[c*m.cols : (c+1)*m.cols]
		for i, v := range dense {
			if !known(v) {
				continue
			}
			if k := m.columns[i]; k.nominal {
				product *= m.names[k.at].share(v, c)
			} else {
				d, p := &row[k.at], leastPDF
				if d.height > 0 {
					t := v - d.mean
					p += float64(d.height * math.Exp(float64(d.inverse*float64(t*t))))
				}
				product *= p
			}
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

// share is P(code|class) after Laplace, 1 for a category that was never learned.
func (d *treeCategoric) share(code float64, c int) float64 {
	p := d.index.find(codeKey(code))
	if p < 0 {
		return 1
	}
	var w, total float64
	if c < d.classes {
		w, total = d.weights[p*d.classes+c], d.totals[c]
	}
	return (w + 1) / (total + float64(len(d.codes)))
}

// AppendBinary implements tidemill.State.
func (m *bayes) AppendBinary(b []byte) ([]byte, error) {
	b = binary.AppendUvarint(append(b, 2), uint64(len(m.columns)))
	for _, c := range m.columns {
		b = append(b, flag(c.nominal))
	}
	b = binary.AppendUvarint(b, uint64(len(m.counts)))
	b = statebytes.AppendFloat(b, m.total)
	b = statebytes.AppendFloats(b, m.counts)
	for i := range m.moments {
		d := &m.moments[i]
		b = statebytes.AppendFloats(b, []float64{d.n, d.mean, d.s, d.left})
	}
	for i := range m.names {
		b = m.names[i].append(b)
	}
	return b, nil
}

// UnmarshalBinary implements tidemill.State.
func (m *bayes) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(2)
	n := &bayes{bound: m.bound, fixed: m.fixed, called: m.called}
	for range r.Count(1) {
		n.column(r.Below(2, "a column's sort") == 1)
	}
	classes := r.Uvarint()
	n.total = r.Weight()
	switch {
	case r.Err() != nil:
	case m.bound && !slices.Equal(n.columns, m.columns):
		r.Failf("its %d columns are not the %d bound", len(n.columns), len(m.columns))
	case m.fixed > 0 && classes != uint64(m.fixed):
		r.Failf("it has %d classes, not the %d fixed", classes, m.fixed)
	case classes > maxClasses || classes*uint64(8+32*n.cols) > uint64(r.Left()):
		r.Failf("it has %d bytes for %d classes of %d columns", r.Left(), classes, n.cols)
	}
	if r.Err() == nil {
		for range classes {
			n.counts = append(n.counts, r.Weight())
		}
		n.moments = make([]normal, int(classes)*n.cols)
		for i := range n.moments {
			n.moments[i] = normal{n: r.Weight(), mean: r.Number(), s: r.Number(), left: r.Weight()}
			n.moments[i].derive()
		}
		for i := range n.names {
			n.names[i].read(r, int(classes))
		}
	}
	if err := r.Done("model: gaussian_nb"); err != nil {
		return err
	}
	*m = *n
	return nil
}
