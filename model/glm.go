package model

import (
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/matrix"
)

// Option is a setting of Linear, Logistic and Softmax: an Optimizer, L1, L2, InterceptRate or Clip.
type Option interface{ set(s *glmSettings) }

type optionFunc func(s *glmSettings)

func (f optionFunc) set(s *glmSettings) { f(s) }

func (o Optimizer) set(s *glmSettings) { s.opt = o }

// L1 pulls the weights of a row's features towards 0 by a constant, and stops there. The penalty is cumulative: a
// feature pays at its next row for the rows that it missed. (Tsuruoka, Tsujii, Ananiadou, "Stochastic gradient descent
// training for L1-regularized log-linear models with cumulative penalty", ACL 2009.) It cannot be combined with L2 nor
// with FTRL, which has a penalty of its own.
func L1(penalty float64) Option { return optionFunc(func(s *glmSettings) { s.l1 = penalty }) }

// L2 adds penalty·w to the gradient of each of a row's features.
func L2(penalty float64) Option { return optionFunc(func(s *glmSettings) { s.l2 = penalty }) }

// InterceptRate is the constant learning rate of the intercept, 0.01 unless set; 0 means no intercept.
func InterceptRate(rate float64) Option {
	return optionFunc(func(s *glmSettings) { s.interceptRate = rate })
}

// Clip bounds the loss gradient of a row, 1e12 unless set.
func Clip(bound float64) Option { return optionFunc(func(s *glmSettings) { s.clip = bound }) }

// glmSettings is what a linear model is told.
type glmSettings struct {
	opt           Optimizer
	l1, l2        float64
	interceptRate float64
	clip          float64
}

func newGLMSettings(opts []Option) glmSettings {
	s := glmSettings{opt: SGD(0.01), interceptRate: 0.01, clip: 1e12}
	for _, o := range opts {
		o.set(&s)
	}
	return s
}

// Bounds of the settings within which no weight can overflow.
const (
	largestRate = 1e6
	largestClip = 1e30
)

func (s *glmSettings) check() error {
	if err := s.opt.check(); err != nil {
		return err
	}
	for _, p := range []struct {
		name string
		v    float64
	}{{"l1", s.l1}, {"l2", s.l2}, {"intercept_rate", s.interceptRate}} {
		if !(p.v >= 0 && p.v <= largestRate) {
			return fmt.Errorf("%s is %v; it must be from 0 to %v", p.name, p.v, float64(largestRate))
		}
	}
	switch {
	case !(s.clip > 0 && s.clip <= largestClip):
		return fmt.Errorf("clip is %v; it must be above 0 and at most %v", s.clip, float64(largestClip))
	case s.l1 > 0 && s.l2 > 0:
		return fmt.Errorf("l1 and l2 are both set; choose one")
	case s.l1 > 0 && s.opt.Kind == "ftrl":
		return fmt.Errorf("l1 is set beside ftrl; set ftrl's own l1 instead")
	}
	return nil
}

func (s *glmSettings) describe(kind string) string {
	return fmt.Sprintf("%s optimizer=%s l1=%v l2=%v intercept_rate=%v clip=%v",
		kind, s.opt.Describe(), s.l1, s.l2, s.interceptRate, s.clip)
}

// glm is the weights of a linear model with one or more outputs, and how they are read and stepped.
type glm struct {
	glmSettings
	kind  optimizerKind
	slots int // numbers beside each weight: the optimizer's, then the cumulative L1 penalty
	cols  int // dense columns
	bound bool

	steps uint64
	maxL1 float64     // the L1 penalty that a weight could have paid by now
	bias  []float64   // per output
	dense [][]float64 // per output: a weight per column
	side  [][]float64 // per output: slots numbers per column
	index termIndex
	terms []float64 // per term, per output: the weight, then its slots

	// Scratch of Learn, not state.
	rowAt  []int32   // the row's terms by place in index, without duplicates
	rowVal []float64 // and their numbers
	rowPos []uint32  // per term: where in rowAt it is, if it is
	raw    []float64 // per output
	clean  bool      // the row is wide and all of it is known
}

// maxTerms bounds the sparse terms that have a weight: words and categories may come new for ever.
const maxTerms = 1 << 21

// warnings are those of a model: that the bound is reached.
func (g *glm) warnings() []string {
	if len(g.index.keys) < maxTerms {
		return nil
	}
	return []string{fmt.Sprintf("%d words and categories have a weight, which is the bound: new ones add nothing; give "+
		"text and hashed a number of buckets", maxTerms)}
}

func newGLM(s glmSettings, outputs int) glm {
	g := glm{glmSettings: s}
	g.kind, _ = s.opt.kind()
	g.slots = optimizerSlots[g.kind]
	if s.l1 > 0 {
		g.slots++
	}
	g.grow(outputs)
	return g
}

// bind takes the columns; it refuses categories, which have no size.
func (g *glm) bind(kind string, in tidemill.Input) error {
	if err := g.check(); err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	for i := range in.Columns {
		if c := &in.Columns[i]; c.Nominal {
			return fmt.Errorf("%s: feature column %q is a category, not a quantity; read it with onehot, or encode it",
				kind, c.Name)
		}
	}
	g.widen(len(in.Columns))
	g.bound = true
	return nil
}

// encoders are what a linear model wants before it: what is not needed is left out.
func glmEncoders(in []tidemill.FeatureColumn) []tidemill.Encoder {
	var scale, onehot bool
	for i := range in {
		scale = scale || !in[i].Nominal
		onehot = onehot || in[i].Nominal && in[i].OneHot
	}
	var out []tidemill.Encoder
	if scale {
		out = append(out, encode.Standard())
	}
	if onehot {
		out = append(out, encode.OneHot())
	}
	return out
}

// widen makes room for n dense columns.
func (g *glm) widen(n int) {
	if n <= g.cols {
		return
	}
	for k := range g.dense {
		g.dense[k] = append(g.dense[k], make([]float64, n-g.cols)...)
		g.side[k] = append(g.side[k], make([]float64, (n-g.cols)*g.slots)...)
	}
	g.cols = n
}

// grow makes room for n outputs; new ones start at zero.
func (g *glm) grow(n int) {
	old := len(g.bias)
	if n <= old {
		return
	}
	for range n - old {
		g.bias = append(g.bias, 0)
		g.dense = append(g.dense, make([]float64, g.cols))
		g.side = append(g.side, make([]float64, g.cols*g.slots))
	}
	if len(g.terms) > 0 {
		from, to := old*(1+g.slots), n*(1+g.slots)
		terms := make([]float64, len(g.index.keys)*to)
		for i := range g.index.keys {
			copy(terms[i*to:], g.terms[i*from:(i+1)*from])
		}
		g.terms = terms
	}
	g.raw = make([]float64, n)
}

// stride is the numbers of one term.
func (g *glm) stride() int { return len(g.bias) * (1 + g.slots) }

// sums overwrites raw, one number per output, with w·x + intercept.
func (g *glm) sums(raw []float64, x *tidemill.Vector) {
	for k := range raw {
		raw[k] = dot(g.dense[k], x.Dense)
	}
	if len(x.Terms) > 0 && len(g.terms) > 0 {
		stride, size := g.stride(), 1+g.slots
		for _, t := range x.Terms {
			if p := g.index.find(t.Hash); p >= 0 {
				w := g.terms[p*stride : p*stride+stride]
				for k := range raw {
					if known(t.Value) {
						raw[k] += float64(w[k*size] * t.Value)
					}
				}
			}
		}
	}
	for k := range raw {
		raw[k] += g.bias[k]
	}
}

// sum is sums of a model with one output.
func (g *glm) sum(x *tidemill.Vector) float64 {
	s := dot(g.dense[0], x.Dense)
	if len(x.Terms) > 0 && len(g.terms) > 0 {
		for _, t := range x.Terms {
			if p := g.index.find(t.Hash); p >= 0 {
				if known(t.Value) {
					s += float64(g.terms[p*(1+g.slots)] * t.Value)
				}
			}
		}
	}
	return s + g.bias[0]
}

// wide is the columns from which the vector unit pays.
const wide = 32

// hugeSum is a sum above which a value in it may be one that is not known.
const hugeSum = 1e120

// dot is w·x over the columns that both have, what is unknown left out.
func dot(w, x []float64) float64 {
	n := min(len(w), len(x))
	w, x = w[:n], x[:n]
	var s float64
	if n >= wide {
		s = matrix.Dot64(w, x)
	} else {
		var a, b, c, d float64
		i := 0
		for ; i+4 <= n; i += 4 {
			a += float64(w[i] * x[i])
			b += float64(w[i+1] * x[i+1])
			c += float64(w[i+2] * x[i+2])
			d += float64(w[i+3] * x[i+3])
		}
		for ; i < n; i++ {
			a += float64(w[i] * x[i])
		}
		s = (a + c) + (b + d)
	}
	if s < hugeSum && s > -hugeSum {
		return s
	}
	s = 0
	for i, v := range x {
		if known(v) {
			s += float64(w[i] * v)
		}
	}
	return s
}

func allKnown(x []float64) bool {
	for _, v := range x {
		if !known(v) {
			return false
		}
	}
	return true
}

// begin readies the row's terms and counts the step.
func (g *glm) begin(x *tidemill.Vector) {
	g.widen(len(x.Dense))
	g.steps++
	g.clean = len(x.Dense) >= wide && allKnown(x.Dense)
	g.rowAt, g.rowVal = g.rowAt[:0], g.rowVal[:0]
	for _, t := range x.Terms {
		if !known(t.Value) {
			continue
		}
		p := g.index.find(t.Hash)
		if p < 0 {
			if len(g.index.keys) >= maxTerms {
				continue
			}
			p = g.index.add(t.Hash)
		}
		if p >= len(g.rowPos) {
			g.rowPos = append(g.rowPos, 0)
		}
		if (p+1)*g.stride() > len(g.terms) {
			g.terms = append(g.terms, make([]float64, g.stride())...)
		}
		if at := g.rowPos[p]; int(at) < len(g.rowAt) && int(g.rowAt[at]) == p {
			g.rowVal[at] += t.Value
			continue
		}
		g.rowPos[p] = uint32(len(g.rowAt))
		g.rowAt, g.rowVal = append(g.rowAt, int32(p)), append(g.rowVal, t.Value)
	}
	if g.l1 > 0 {
		g.maxL1 += float64(g.l1 * g.opt.Rate)
	}
}

// step moves output k's weights; grad is the loss gradient, weighted already. begin comes before.
func (g *glm) step(k int, grad float64, x *tidemill.Vector) {
	grad = max(-g.clip, min(g.clip, grad))
	if grad != grad {
		return
	}
	g.bias[k] -= float64(g.interceptRate * grad)
	if g.kind == useSGD && g.l1 == 0 && g.l2 == 0 {
		g.stepSGD(k, grad, x.Dense)
		return
	}
	rate := g.opt.rate(g.kind, g.steps)
	dense, side := g.dense[k], g.side[k]
	for i, v := range x.Dense {
		if !known(v) {
			continue
		}
		g.stepOne(&dense[i], side[i*g.slots:(i+1)*g.slots], float64(v*grad), rate)
	}
	stride, size := g.stride(), 1+g.slots
	for i, p := range g.rowAt {
		r := g.terms[int(p)*stride+k*size:][:size]
		g.stepOne(&r[0], r[1:], float64(g.rowVal[i]*grad), rate)
	}
}

// stepSGD is step for the plain rule.
func (g *glm) stepSGD(k int, grad float64, x []float64) {
	rate := g.opt.Rate
	w := g.dense[k][:len(x)]
	if g.clean {
		matrix.Axpy64(-float64(rate*grad), x, w)
	} else {
		for i, v := range x {
			if known(v) {
				w[i] -= float64(rate * float64(v*grad))
			}
		}
	}
	stride := g.stride()
	for i, p := range g.rowAt {
		g.terms[int(p)*stride+k] -= float64(rate * float64(g.rowVal[i]*grad))
	}
}

// stepOne moves one weight with its penalties. One that leaves what a model can use begins anew: a penalty that is
// larger than the rule can bear makes weights grow without end.
func (g *glm) stepOne(w *float64, s []float64, grad, rate float64) {
	if g.l2 > 0 {
		grad += float64(g.l2 * *w)
	}
	g.opt.step(g.kind, w, s, grad, rate)
	if !known(*w) {
		*w = 0
		clear(s)
	}
	if g.l1 > 0 {
		paid := &s[len(s)-1]
		before := *w
		switch {
		case before > 0:
			*w = max(0, before-(g.maxL1+*paid))
		case before < 0:
			*w = min(0, before+(g.maxL1-*paid))
		}
		*paid += *w - before
	}
}

// weights implements tidemill.Weighted for the outputs; first is the number of output 0.
func (g *glm) weights(first int, yield func(column int, hash uint64, output int, w float64) bool) {
	for k := range g.bias {
		for i, w := range g.dense[k] {
			if !yield(i, 0, first+k, w) {
				return
			}
		}
	}
	stride, size := g.stride(), 1+g.slots
	for _, i := range g.order() {
		for k := range g.bias {
			if !yield(-1, g.index.keys[i], first+k, g.terms[i*stride+k*size]) {
				return
			}
		}
	}
}
