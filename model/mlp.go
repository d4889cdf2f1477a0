package model

import (
	"fmt"
	"math"
	"sync"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/matrix"
)

// mlp is a neural network of dense layers; see MLP.
type mlp struct {
	c     MLPConfig // completed
	err   error     // of the settings
	cols  int       // inputs
	outs  int       // outputs; 0 until the network has its shape
	bound bool

	layers     []mlpLayer
	phase      tidemill.Phase
	pow1, pow2 float64 // adam: beta_1 and beta_2 to the number of steps
	counts     mlpCounts

	// Rows that wait for their step: n of them.
	n      int
	x      matrix.Dense
	y      []float64
	weight []float64

	run  *mlpRun   // scratch of Learn
	pool sync.Pool // *mlpReader: scratch of Predict
}

// mlpCounts is what happened to a network.
type mlpCounts struct {
	Steps        uint64 // since the first weights
	Rows         uint64 // that were learned or wait for their step
	RefusedRows  uint64 // an input or answer that is infinite or out of range
	RefusedSteps uint64 // whose gradient was infinite or out of range
	Restarts     uint64 // from the first weights
	Streak       uint64 // refused steps in a row
}

const (
	// maxInput is the largest magnitude of an input, maxAnswer of an answer, that a row may have.
	maxInput  = 1e9
	maxAnswer = 1e15
	// maxGradient bounds the gradient of a step; its square is still a float32.
	maxGradient = 1e18
	// maxStreak is how many steps in a row may be refused before the network begins anew.
	maxStreak = 64
)

// MLP is a multilayer perceptron in float32: dense layers, the last of which gives a probability per class (target
// classify, cross entropy) or a number (target regress, squared error). Without settings it has 128 rectifiers in one
// hidden layer and steps by Adam at 0.001. The first weights are Keras's: Glorot's uniform ones, drawn from the seed.
//
// Gradients are averaged over the rows of a batch, weighted by the rows' weights: batch rows while the snapshot is
// learned, stream_batch rows while streaming. Rows that wait for their step are State; EndBatch steps with what is
// there. Results are the same bits on every machine, for every cut of rows into batches and on any number of cores.
//
// To classify it must know the number of classes: from Bind, or from Classes. Sparse terms are refused. What is unknown
// (NaN) is 0. A row with an input beyond 1e9 or an answer that is no class or beyond 1e15 is refused, and so is a step
// whose gradient could overflow; a network that refuses 64 steps in a row has diverged and begins anew. Predict is NaN
// before the first step and for a row that would be refused.
func MLP(set ...func(c *MLPConfig)) tidemill.Model {
	c := NewMLPConfig()
	for _, f := range set {
		f(c)
	}
	return newMLP(c)
}

func newMLP(c *MLPConfig) *mlp {
	m := &mlp{}
	m.c, m.err = c.complete()
	m.pool.New = func() any { return new(mlpReader) }
	return m
}

// Kind implements tidemill.Model.
func (m *mlp) Kind() tidemill.ModelKind {
	if m.c.Target == targetRegress {
		return tidemill.Regress
	}
	return tidemill.Classify
}

// New implements tidemill.Model.
func (m *mlp) New() tidemill.Model { return newMLP(&m.c) }

// Describe implements tidemill.Model.
func (m *mlp) Describe() string { return m.c.describe() }

// Float32 implements tidemill.Batcher.
func (m *mlp) Float32() bool { return true }

// Encoders implements tidemill.Preparer: encode.Standard where a number is not scaled yet, and encode.OneHotDense where
// there are categories.
func (m *mlp) Encoders(in []tidemill.FeatureColumn) []tidemill.Encoder {
	var scale, onehot bool
	for i := range in {
		scale = scale || !in[i].Nominal && !in[i].Scaled
		onehot = onehot || in[i].Nominal && in[i].OneHot
	}
	var out []tidemill.Encoder
	if scale {
		out = append(out, encode.Standard())
	}
	if onehot {
		out = append(out, encode.OneHotDense(64))
	}
	return out
}

// Bind implements tidemill.Model: columns must be numbers, and to classify takes a fixed number of classes.
func (m *mlp) Bind(in tidemill.Input) error {
	if m.err != nil {
		return m.err
	}
	if err := noTerms(&in, "mlp", "standard, onehotdense, "); err != nil {
		return err
	}
	for i := range in.Columns {
		if c := &in.Columns[i]; c.Nominal {
			return fmt.Errorf("mlp: feature column %q is a category, not a quantity; read it with onehot, or encode it", c.Name)
		}
	}
	if len(in.Columns) == 0 {
		return fmt.Errorf("mlp: there are no feature columns; it takes numbers, not sparse terms")
	}
	outs, err := m.outputs(in.Classes)
	if err != nil {
		return err
	}
	m.bound = true
	m.shape(len(in.Columns), outs)
	m.begin()
	return nil
}

// outputs is the width of the last layer, given the task's number of classes or 0.
func (m *mlp) outputs(classes int) (int, error) {
	switch {
	case m.c.Target == targetRegress:
		return 1, nil
	case classes == 0 && m.c.Classes == 0:
		return 0, fmt.Errorf("mlp: the classes are not known; list them in the task: classes: [...]")
	case classes > 0 && m.c.Classes > 0 && classes != m.c.Classes:
		return 0, fmt.Errorf("mlp: the task has %d classes and the model %d; leave the model's out", classes, m.c.Classes)
	}
	return max(classes, m.c.Classes), nil
}

// shape makes the layers, with weights of 0.
func (m *mlp) shape(cols, outs int) {
	slots := map[string]int{"sgd": 0, "momentum": 1, "adam": 2}[m.c.Optimizer]
	m.cols, m.outs = cols, outs
	m.layers = m.layers[:0]
	in := cols
	for _, l := range m.c.Layers {
		a, _ := activationOf(l.Activation)
		m.layers = append(m.layers, newMLPLayer(in, l.Units, a, l.Dropout, slots))
		in = l.Units
	}
	a, _ := activationOf(m.c.Output)
	m.layers = append(m.layers, newMLPLayer(in, outs, a, 0, slots))
	m.run = nil
}

// begin draws the first weights and forgets what was learned, but not that it was.
func (m *mlp) begin() {
	for i := range m.layers {
		m.layers[i].start(streamOf(m.c.Seed, uint64(2*i), m.counts.Restarts))
	}
	m.pow1, m.pow2, m.counts.Steps = 1, 1, 0
}

// lazily gives an unbound network its shape at the first row.
func (m *mlp) lazily(cols int) {
	if m.outs > 0 {
		return
	}
	if m.err != nil {
		panic(m.err.Error())
	}
	outs, err := m.outputs(0)
	if err != nil {
		panic("mlp: set Classes, or call Bind with the number of classes, before the first row")
	}
	m.shape(cols, outs)
	m.begin()
}

// size is how many rows make a step.
func (m *mlp) size() int {
	if m.phase == tidemill.Stream {
		return m.c.StreamBatch
	}
	return m.c.Batch
}

// Steady implements tidemill.Batcher: until the batch is full.
func (m *mlp) Steady() int { return max(m.size()-m.n, 1) }

// Learn implements tidemill.Model. A weight that is not above 0, or infinite, teaches nothing.
func (m *mlp) Learn(e *tidemill.Example) {
	m.lazily(len(e.X.Dense))
	if len(e.Y) == 0 {
		return
	}
	m.prepare()
	top, ok := m.take(m.x.Row(m.n), e.X.Dense, nil)
	if !m.accept(top, ok, e.Y[0], e.Weight) {
		return
	}
	if m.n == m.size() {
		m.step(nil)
	}
}

// accept counts the row whose inputs stand behind the waiting ones: in, or refused.
func (m *mlp) accept(top float32, ok bool, y, weight float64) bool {
	if !(weight > 0) || math.IsInf(weight, 1) {
		return false
	}
	if m.c.Target == targetClassify {
		ok = ok && y >= 0 && y < float64(m.outs)
	} else {
		ok = ok && math.Abs(y) <= maxAnswer
	}
	if !ok || !(top <= maxInput) {
		m.counts.RefusedRows++
		return false
	}
	m.y[m.n], m.weight[m.n] = y, weight
	if m.run != nil {
		m.run.see(m.n)
	}
	m.n++
	m.counts.Rows++
	return true
}

// take writes a row's inputs to dst, 0 for NaN, and returns the largest magnitude. A row of another width is not ok.
func (m *mlp) take(dst []float32, wide []float64, narrow []float32) (float32, bool) {
	if narrow != nil {
		if len(narrow) != len(dst) {
			return 0, false
		}
		return matrix.Clean(dst, narrow), true
	}
	if len(wide) != len(dst) {
		return 0, false
	}
	for i, v := range wide {
		dst[i] = float32(v)
	}
	return matrix.Clean(dst, dst), true
}

// row is row i of a block in the form that take reads.
func (m *mlp) row(b *tidemill.Block, i int) (wide []float64, narrow []float32) {
	if b.Dense32 != nil {
		return nil, b.Dense32[i*b.Cols : (i+1)*b.Cols]
	}
	return b.Dense[i*b.Cols : (i+1)*b.Cols], nil
}

// EndBatch implements tidemill.Batched.
func (m *mlp) EndBatch(next tidemill.Phase) {
	if m.n > 0 {
		m.step(nil)
	}
	m.phase = next
}

// Counts is what happened to the network since it was made: for whoever wants to know why it does not learn.
func (m *mlp) Counts() (steps, rows, refusedRows, refusedSteps, restarts uint64) {
	c := &m.counts
	return c.Steps, c.Rows, c.RefusedRows, c.RefusedSteps, c.Restarts
}

// Warnings implements tidemill.Warner: rows and steps that were refused, which a healthy network has none of.
func (m *mlp) Warnings() []string {
	c := &m.counts
	var out []string
	if c.RefusedRows > 0 {
		out = append(out, fmt.Sprintf("the network refused %d rows: an input or answer was infinite or beyond 1e9",
			c.RefusedRows))
	}
	if c.RefusedSteps > 0 {
		out = append(out, fmt.Sprintf("the network refused %d steps whose gradient could overflow: lower learning_rate",
			c.RefusedSteps))
	}
	if c.Restarts > 0 {
		out = append(out, fmt.Sprintf("the network began anew %d times after steps that it had to refuse", c.Restarts))
	}
	return out
}
