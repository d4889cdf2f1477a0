package model

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// kmeans is online k-means; see KMeans.
type kmeans struct {
	set   KMeansConfig // complete: no setting is left to a default
	decay float64      // per batch, or per row where the unit is points
	err   error        // what is wrong with the settings, for Bind
	cols  int
	bound bool

	phase   tidemill.Phase
	ready   bool
	start   []float64 // the rows that wait for k-means++, one after the other
	startW  []float64 // and their weights
	centres []float64 // k rows of cols
	weights []float64
	pending int       // rows in the batch that has not stepped
	sums    []float64 // of the batch, by centre
	counts  []float64
}

// KMeans clusters rows around k centres that move with every batch of rows, by one of two published rules.
//
// Rule "spark" is that of Spark's StreamingKMeans: when a batch is full every centre's weight is multiplied by the
// decay (by decay^rows where the unit is points); then a centre that got n rows with mean m moves to (1-λ)·c + λ·m,
// where its weight w grows by n and λ = n/w. Decay 1 never forgets, 0 knows only the newest batch. A centre whose
// weight is below 1e-8 of the heaviest is dying: the heaviest is split and both halves get half of the weight.
//
// Rule "flink" is that of Flink ML's OnlineKMeans at parallelism 1: the same with decay 0 and batches of 32 rows unless
// set, and no splitting.
//
// The prediction is the Euclidean distance to each centre. Rows are assigned as they come, by the centres of the last
// step, so a batch needs no memory for its rows. Without centres the first rows are kept until there are enough to
// choose from by k-means++ (Arthur and Vassilvitskii, 2007); until then the prediction is NaN. A column that is NaN is
// left out of the distance and moves no centre. Sparse terms are refused.
//
// set changes the settings of NewKMeansConfig: KMeans(3, func(c *model.KMeansConfig) { c.Decay = 0.9 }).
func KMeans(k int, set ...func(c *KMeansConfig)) tidemill.Model {
	c := NewKMeansConfig()
	c.K = k
	for _, f := range set {
		f(c)
	}
	return newKMeans(c)
}

func newKMeans(c *KMeansConfig) *kmeans {
	s, err := c.complete()
	m := &kmeans{set: s, err: err, decay: s.Decay}
	if s.HalfLife > 0 {
		m.decay = math.Exp(math.Log(0.5) / s.HalfLife)
	}
	if err == nil && len(s.Centers) > 0 {
		m.shape(len(s.Centers[0]))
	}
	return m
}

// shape takes the number of columns, and starts where nothing must be waited for.
func (m *kmeans) shape(cols int) {
	m.cols = cols
	switch {
	case len(m.set.Centers) > 0:
		m.room()
		for i, c := range m.set.Centers {
			copy(m.centres[i*cols:(i+1)*cols], c)
		}
		m.weigh()
	case m.set.Start == startRandom:
		m.room()
		rng := splitMix(m.set.Seed)
		for i := range m.centres {
			m.centres[i] = rng.normal()
		}
		m.weigh()
	}
}

// room makes room for the centres.
func (m *kmeans) room() {
	k := m.set.K
	m.centres = make([]float64, k*m.cols)
	m.weights = make([]float64, k)
	m.sums = make([]float64, k*m.cols)
	m.counts = make([]float64, k)
}

// weigh gives the centres their first weights and makes the model ready.
func (m *kmeans) weigh() {
	m.ready = true
	for i := range m.weights {
		switch len(m.set.Weights) {
		case 0:
		case 1:
			m.weights[i] = m.set.Weights[0]
		default:
			m.weights[i] = m.set.Weights[i]
		}
	}
}

// Kind implements tidemill.Model: the prediction is a distance per centre.
func (m *kmeans) Kind() tidemill.ModelKind { return tidemill.Cluster }

// New implements tidemill.Model.
func (m *kmeans) New() tidemill.Model { return newKMeans(&m.set) }

// Describe implements tidemill.Model.
func (m *kmeans) Describe() string { return m.set.describe() }

// Bind implements tidemill.Model: columns must be numbers, as many as the given centres have, and there may be no
// sparse terms.
func (m *kmeans) Bind(in tidemill.Input) error {
	if m.err != nil {
		return m.err
	}
	if err := noTerms(&in, "kmeans", ""); err != nil {
		return err
	}
	for i := range in.Columns {
		if c := &in.Columns[i]; c.Nominal {
			return fmt.Errorf("kmeans: feature column %q is a category, not a quantity; encode it (onehotdense) or leave it out",
				c.Name)
		}
	}
	if n := len(m.set.Centers); n > 0 && len(m.set.Centers[0]) != len(in.Columns) {
		return fmt.Errorf("kmeans: the centers have %d numbers, the features are %d columns",
			len(m.set.Centers[0]), len(in.Columns))
	}
	m.shape(len(in.Columns))
	m.bound = true
	return nil
}

// nearest is the centre closest to x, the first of equals.
func (m *kmeans) nearest(x []float64) int {
	best, at := math.Inf(1), 0
	if m.cols == 4 && len(x) == 4 {
		x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
		for c, i := m.centres, 0; len(c) >= 4; c, i = c[4:], i+1 {
			a, b, d, e := x0-c[0], x1-c[1], x2-c[2], x3-c[3]
			if s := (float64(a*a) + float64(d*d)) + (float64(b*b) + float64(e*e)); s < best {
				best, at = s, i
			}
		}
		if best < hugeSquare {
			return at
		}
	}
	for i := range m.weights {
		if d := distanceWithin(m.centres[i*m.cols:(i+1)*m.cols], x, best); d < best {
			best, at = d, i
		}
	}
	return at
}

// squared is the squared distance from x to centre i.
func (m *kmeans) squared(i int, x []float64) float64 {
	return squaredDistance(m.centres[i*m.cols:(i+1)*m.cols], x)
}

// hugeSquare is a squared distance above which a value in it may be one that is not known.
const hugeSquare = 1e180

// squaredDistance is the sum over the columns that are known.
func squaredDistance(c, x []float64) float64 { return distanceWithin(c, x, math.Inf(1)) }

// distanceWithin is squaredDistance, or some number not below most once it is known not to be.
func distanceWithin(c, x []float64, most float64) float64 {
	n := min(len(c), len(x))
	c, x = c[:n], x[:n]
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+16 <= n; i += 16 {
		c, x := c[i:i+16], x[i:i+16]
		for j := 0; j < 16; j += 4 {
			a, b, d, e := x[j]-c[j], x[j+1]-c[j+1], x[j+2]-c[j+2], x[j+3]-c[j+3]
			s0 += float64(a * a)
			s1 += float64(b * b)
			s2 += float64(d * d)
			s3 += float64(e * e)
		}
		if s := (s0 + s2) + (s1 + s3); s >= most && s < hugeSquare {
			return s
		}
	}
	for ; i+4 <= n; i += 4 {
		a, b, d, e := x[i]-c[i], x[i+1]-c[i+1], x[i+2]-c[i+2], x[i+3]-c[i+3]
		s0 += float64(a * a)
		s1 += float64(b * b)
		s2 += float64(d * d)
		s3 += float64(e * e)
	}
	for ; i < n; i++ {
		a := x[i] - c[i]
		s0 += float64(a * a)
	}
	s := (s0 + s2) + (s1 + s3)
	if s < hugeSquare {
		return s
	}
	s = 0
	for i, v := range x {
		if known(v) {
			a := v - c[i]
			s += float64(a * a)
		}
	}
	return s
}

// Learn implements tidemill.Model; Y is not used. A weight that is not above 0 teaches nothing.
func (m *kmeans) Learn(e *tidemill.Example) { m.learn(e.X.Dense, e.Weight) }

func (m *kmeans) learn(x []float64, weight float64) {
	if !teaches(weight) || m.err != nil {
		return
	}
	if m.cols == 0 && !m.bound {
		m.shape(len(x))
	}
	if len(x) != m.cols {
		return
	}
	if !m.ready {
		m.start, m.startW = append(m.start, x...), append(m.startW, weight)
		if len(m.startW) >= m.set.StartRows {
			m.begin()
		}
		return
	}
	m.add(x, weight)
	if m.pending >= m.size() {
		m.step()
	}
}

// add puts a row into the batch.
func (m *kmeans) add(x []float64, weight float64) {
	at := m.nearest(x)
	sum := m.sums[at*m.cols : (at+1)*m.cols]
	for j, v := range x {
		if !known(v) {
			v = m.centres[at*m.cols+j]
		}
		sum[j] += float64(weight * v)
	}
	m.counts[at] += weight
	m.pending++
}

// size is the rows of a batch in this phase.
func (m *kmeans) size() int {
	if m.phase == tidemill.Stream {
		return m.set.StreamBatch
	}
	return m.set.Batch
}

// step moves the centres by the batch.
func (m *kmeans) step() {
	discount := m.decay
	if m.set.Unit == unitPoints && m.decay != 1 {
		var n float64
		for _, c := range m.counts {
			n += c
		}
		discount = math.Pow(m.decay, n)
	}
	for i, n := range m.counts {
		w := float64(m.weights[i] * discount)
		if n > 0 {
			w += n
			lambda := n / max(w, 1e-16)
			c, sum := m.centres[i*m.cols:(i+1)*m.cols], m.sums[i*m.cols:(i+1)*m.cols]
			keep, share := 1-lambda, lambda/n
			for j := range c {
				c[j] = float64(keep*c[j]) + float64(share*sum[j])
				sum[j] = 0
			}
			m.counts[i] = 0
		}
		m.weights[i] = w
	}
	m.pending = 0
	if m.set.Rule == ruleSpark {
		m.split()
	}
}

// split revives a dying centre with half of the heaviest.
func (m *kmeans) split() {
	heavy, light := 0, 0
	for i, w := range m.weights {
		if w > m.weights[heavy] {
			heavy = i
		}
		if w < m.weights[light] {
			light = i
		}
	}
	if !(m.weights[light] < float64(1e-8*m.weights[heavy])) {
		return
	}
	w := (m.weights[heavy] + m.weights[light]) / 2
	m.weights[heavy], m.weights[light] = w, w
	h, l := m.centres[heavy*m.cols:(heavy+1)*m.cols], m.centres[light*m.cols:(light+1)*m.cols]
	for j, v := range h {
		p := 1e-14 * max(math.Abs(v), 1)
		h[j], l[j] = v+p, v-p
	}
}

// EndBatch implements tidemill.Batched: the batch steps with the rows that it has, and k-means++ chooses from the rows
// that it has if they are at least k.
func (m *kmeans) EndBatch(next tidemill.Phase) {
	if !m.ready && len(m.startW) >= m.set.K {
		m.begin()
	}
	if m.pending > 0 {
		m.step()
	}
	m.phase = next
}

// Predict implements tidemill.Model: the distance to each centre; NaN until there are centres.
func (m *kmeans) Predict(dst []float64, x *tidemill.Vector) []float64 {
	if !m.ready || len(x.Dense) != m.cols {
		return appendUnknown(dst, m.set.K)
	}
	for i := range m.weights {
		dst = append(dst, math.Sqrt(m.squared(i, x.Dense)))
	}
	return dst
}

// PredictBatch implements tidemill.Batcher.
func (m *kmeans) PredictBatch(dst []float64, b *tidemill.Block) []float64 {
	for i := range b.Rows {
		dst = m.Predict(dst, &tidemill.Vector{Dense: b.Dense[i*b.Cols : (i+1)*b.Cols]})
	}
	return dst
}

// Steady implements tidemill.Batcher: until the batch is full, or there are rows enough to choose the centres from.
func (m *kmeans) Steady() int {
	switch {
	case m.cols == 0:
		return 1
	case !m.ready:
		return max(m.set.StartRows-len(m.startW), 1)
	}
	return max(m.size()-m.pending, 1)
}

// Float32 implements tidemill.Batcher.
func (m *kmeans) Float32() bool { return false }

// LearnBatch implements tidemill.Batcher.
func (m *kmeans) LearnBatch(dst []float64, b *tidemill.Block, want bool) []float64 {
	for i := range b.Rows {
		x := b.Dense[i*b.Cols : (i+1)*b.Cols]
		if want {
			dst = m.Predict(dst, &tidemill.Vector{Dense: x})
		}
		w := 1.0
		if b.Weight != nil {
			w = b.Weight[i]
		}
		m.learn(x, w)
	}
	return dst
}

// Weights implements tidemill.Weighted: the centres' places; none until there are centres.
func (m *kmeans) Weights(yield func(column int, hash uint64, output int, w float64) bool) {
	for i, v := range m.centres {
		if !m.ready || !yield(i%m.cols, 0, i/m.cols, v) {
			return
		}
	}
}

// AppendBinary implements tidemill.State.
func (m *kmeans) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1, byte(m.phase), 0)
	if m.ready {
		b[len(b)-1] = 1
	}
	b = binary.AppendUvarint(b, uint64(m.cols))
	if m.cols == 0 {
		return b, nil
	}
	if !m.ready {
		b = binary.AppendUvarint(b, uint64(len(m.startW)))
		return statebytes.AppendFloats(statebytes.AppendFloats(b, m.start), m.startW), nil
	}
	b = binary.AppendUvarint(b, uint64(m.pending))
	b = statebytes.AppendFloats(b, m.centres)
	b = statebytes.AppendFloats(b, m.weights)
	if m.pending > 0 {
		b = statebytes.AppendFloats(b, m.sums)
		b = statebytes.AppendFloats(b, m.counts)
	}
	return b, nil
}

// UnmarshalBinary implements tidemill.State.
func (m *kmeans) UnmarshalBinary(data []byte) error {
	if m.err != nil {
		return m.err
	}
	r := statebytes.Read(data)
	r.Version(1)
	n := newKMeans(&m.set)
	n.bound = m.bound
	n.phase = tidemill.Phase(r.Below(2, "the phase"))
	ready := r.Below(2, "the ready mark") == 1
	cols := r.Uvarint()
	if m.bound {
		n.shape(m.cols)
	}
	if n.cols > 0 && r.Err() == nil && cols != uint64(n.cols) {
		r.Failf("it has %d columns, not the %d bound", cols, n.cols)
	}
	if r.Err() == nil && cols > 0 {
		n.read(r, ready, cols)
	}
	if err := r.Done("model: kmeans"); err != nil {
		return err
	}
	*m = *n
	return nil
}

// read reads what follows the head.
func (m *kmeans) read(r *statebytes.Reader, ready bool, cols uint64) {
	k := m.set.K
	if !ready {
		rows := r.Uvarint()
		switch {
		case m.ready:
			r.Failf("it waits for rows, though its start is given")
		case rows >= uint64(m.set.StartRows), rows == 0 && m.cols == 0, rows > 0 && cols > uint64(r.Left()/8)/rows:
			r.Failf("it has %d rows of %d columns to start from", rows, cols)
		}
		if r.Err() != nil {
			return
		}
		m.cols = int(cols)
		m.start = r.Floats(int(rows) * m.cols)
		m.startW = r.Floats(int(rows))
		return
	}
	pending := r.Below(max(m.set.Batch, m.set.StreamBatch), "the rows of the batch")
	if r.Err() != nil || cols > uint64(r.Left()/8/k) {
		r.Fail(statebytes.ErrShort)
		return
	}
	m.cols = int(cols)
	m.room()
	m.ready, m.pending = true, pending
	m.centres = r.Floats(k * m.cols)
	m.weights = r.Floats(k)
	if pending > 0 {
		m.sums = r.Floats(k * m.cols)
		m.counts = r.Floats(k)
	}
}
