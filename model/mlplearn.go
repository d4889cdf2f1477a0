package model

import (
	"math"
	"runtime"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/matrix"
)

const (
	// shareWork is how many multiply-adds a step must take before its cores share it.
	shareWork = 1 << 20
	// wideWork is how many multiply-adds a layer must take before its columns are shared; below, it goes with the rows.
	wideWork = 1 << 18
	// chunkRows is how many rows go through the narrow layers at once.
	chunkRows = 16
)

// mlpRun is the scratch of learning and the loops that a crew shares.
type mlpRun struct {
	m       *mlp
	crew    *matrix.Crew
	rows    int // of the step
	chunk   int // rows per chunk
	first   uint64
	wide    int // layers before this one are shared by columns or by rows one by one
	layer   int
	chunks  []mlpChunk
	work    [][]float32 // per block of all layers: scratch of its step
	places  []mlpPlace
	opt     mlpOptimizer
	sparse  *matrix.Sparse // the waiting rows, unless blind
	filled  int            // how many of their values are not 0
	blind   int            // steps for which it is not worth looking
	thin    bool           // this step leaves zeros out
	columns func(block int)
	single  func(chunk int)
	tail    func(chunk int)
	update  func(place int)

	// Of one LearnBatch: where the prediction of each waiting row goes, -1 for one that is not asked.
	at  []int
	dst []float64
}

// mlpChunk is the scratch of some rows.
type mlpChunk struct {
	scratch []float32
	bound   float64 // no weight's gradient sums to more, from these rows
}

// mlpPlace is a block of a layer.
type mlpPlace struct{ layer, block int }

// prepare makes room to learn.
func (m *mlp) prepare() {
	size := max(m.c.Batch, m.c.StreamBatch)
	if m.run != nil {
		return
	}
	if m.x.Rows != size || m.x.Cols != m.cols {
		x := matrix.Of(size, m.cols, make([]float32, size*m.cols))
		for i := range m.n {
			copy(x.Row(i), m.x.Row(i))
		}
		m.x = x
		m.y, m.weight = append(make([]float64, 0, size), m.y[:m.n]...)[:size],
			append(make([]float64, 0, size), m.weight[:m.n]...)[:size]
	}
	r := &mlpRun{m: m, chunks: make([]mlpChunk, (size+chunkRows-1)/chunkRows), at: make([]int, size)}
	for i := range r.at {
		r.at[i] = -1
	}
	for i := range m.layers {
		l := &m.layers[i]
		of := func() matrix.Dense { return matrix.Of(size, l.out, make([]float32, size*l.out)) }
		l.raw, l.grad = of(), of()
		l.h = l.raw
		if l.dropout > 0 {
			l.h = of()
		}
		for k := range l.blocks {
			r.places = append(r.places, mlpPlace{i, k})
			r.work = append(r.work, make([]float32, stepRows*min(blockCols, l.out)))
		}
	}
	r.sparse = matrix.NewSparse(m.x)
	for i := range m.n {
		r.filled += r.sparse.Set(i)
	}
	r.columns, r.single, r.tail, r.update = r.doColumns, r.doSingle, r.doTail, r.doUpdate
	m.run = r
}

// input is what layer i reads in a step.
func (r *mlpRun) input(i int) mlpInput {
	if i > 0 {
		return mlpInput{x: r.m.layers[i-1].h.RowRange(0, r.rows)}
	}
	in := mlpInput{x: r.m.x.RowRange(0, r.rows)}
	if r.thin {
		in.sparse = r.sparse
	}
	return in
}

// see looks where the waiting row i is not 0.
func (r *mlpRun) see(i int) {
	if r.blind == 0 {
		r.filled += r.sparse.Set(i)
	}
}

// blindSteps is how many steps pass before rows are looked at again, after rows that had few zeros. It changes no
// result.
const blindSteps = 31

// thinOut decides whether this step leaves zeros out.
func (r *mlpRun) thinOut() {
	r.thin = r.blind == 0 && float64(r.filled) < matrix.SparseShare()*float64(r.rows*r.m.cols)
}

// forget makes the scratch ready for the next step's rows.
func (r *mlpRun) forget() {
	if r.blind > 0 {
		r.blind--
		return
	}
	if !r.thin {
		r.blind = blindSteps
	}
	r.sparse.Reset()
	r.filled = 0
}

// doColumns is a block of columns of a wide layer, for all rows.
func (r *mlpRun) doColumns(block int) {
	l := &r.m.layers[r.layer]
	l.sums(l.raw.RowRange(0, r.rows), r.input(r.layer), block)
}

func (r *mlpRun) cut(chunk int) (from, to int) {
	return chunk * r.chunk, min(chunk*r.chunk+r.chunk, r.rows)
}

// doSingle is what is left of a layer before the first narrow one, for a chunk of rows.
func (r *mlpRun) doSingle(chunk int) {
	from, to := r.cut(chunk)
	r.through(r.layer, from, to, true)
}

// through takes rows through a layer; summed says that doColumns did the sums.
func (r *mlpRun) through(layer, from, to int, summed bool) {
	l := &r.m.layers[layer]
	raw := l.raw.RowRange(from, to)
	if summed {
		l.finish(raw)
	} else {
		l.forward(raw, r.input(layer).rows(from, to))
	}
	if l.dropout > 0 {
		l.drop(l.h.RowRange(from, to), raw, r.m.c.Seed, uint64(2*layer+1), r.first+uint64(from))
	}
}

// doTail is everything that is left to do row by row, for a chunk of rows: the narrow layers, the predictions that
// LearnBatch is asked for, and the way back to the gradients by all layers' sums.
func (r *mlpRun) doTail(chunk int) {
	m, c := r.m, &r.chunks[chunk]
	from, to := r.cut(chunk)
	for i := r.wide; i < len(m.layers); i++ {
		r.through(i, from, to, false)
	}
	last := len(m.layers) - 1
	l := &m.layers[last]
	for i := from; i < to; i++ {
		h, d := l.h.Row(i), l.grad.Row(i)
		if at := r.at[i]; at >= 0 && !m.drops() && m.counts.Steps > 0 {
			m.fill(r.dst[at:at+m.outs], h)
		}
		scale := float32(m.weight[i] / float64(r.rows))
		copy(d, h)
		if m.c.Target == targetClassify {
			d[int(m.y[i])]--
			matrix.Scale(scale, d)
			continue
		}
		d[0] = float32(2*(float64(h[0])-m.y[i])) * scale
		l.act.back(h, d)
	}
	for i := last; i > 0; i-- {
		below := &m.layers[i-1]
		d := below.grad.RowRange(from, to)
		c.scratch = m.layers[i].inputGrad(d, m.layers[i].grad.RowRange(from, to), c.scratch)
		if below.dropout > 0 {
			below.undrop(d, m.c.Seed, uint64(2*i-1), r.first+uint64(from))
		}
		for j := from; j < to; j++ {
			below.act.back(below.raw.Row(j), below.grad.Row(j))
		}
	}
	c.bound = 0
	for i := range m.layers {
		x, d := r.input(i).x.RowRange(from, to), m.layers[i].grad.RowRange(from, to)
		top := float64(magnitude(d)) * max(float64(magnitude(x)), 1) * float64(r.rows)
		if !(top <= c.bound) { // NaN too
			c.bound = top
		}
		if top != top {
			return
		}
	}
}

// magnitude is the largest magnitude in d, whose rows follow each other.
func magnitude(d matrix.Dense) float32 { return matrix.MaxAbs(d.Data[:d.Rows*d.Cols]) }

// doUpdate steps a block.
func (r *mlpRun) doUpdate(place int) {
	p := r.places[place]
	r.m.layers[p.layer].step(&r.opt, r.input(p.layer), p.block, r.work[place])
}

// drops says that a learned row goes without some outputs.
func (m *mlp) drops() bool {
	for i := range m.layers {
		if m.layers[i].dropout > 0 {
			return true
		}
	}
	return false
}

// step learns the rows that wait, with crew's help.
func (m *mlp) step(crew *matrix.Crew) {
	m.prepare()
	r := m.run
	r.crew, r.rows, r.first = crew, m.n, m.counts.Rows-uint64(m.n)
	r.chunk, r.wide = r.rows, 0
	r.thinOut()
	if crew != nil || r.rows > 4*chunkRows {
		r.chunk = chunkRows
	}
	if crew != nil {
		for i := range m.layers {
			if l := &m.layers[i]; r.rows*l.in*l.out >= wideWork && len(l.blocks) > 1 {
				r.wide = i + 1
			}
		}
	}
	chunks := (r.rows + r.chunk - 1) / r.chunk
	for r.layer = 0; r.layer < r.wide; r.layer++ {
		l := &m.layers[r.layer]
		crew.Each(len(l.blocks), r.columns)
		if l.act == actSoftmax || l.dropout > 0 {
			crew.Each(chunks, r.single)
		}
	}
	crew.Each(chunks, r.tail)
	bound := 0.0
	for i := range chunks {
		if b := r.chunks[i].bound; !(b <= bound) {
			bound = b
		}
		if bound != bound {
			break
		}
	}
	if bound <= maxGradient {
		m.advance()
		crew.Each(len(r.places), r.update)
		m.counts.Streak = 0
	} else {
		m.counts.RefusedSteps++
		m.counts.Streak++
		if m.counts.Streak == maxStreak {
			m.counts.Streak = 0
			m.counts.Restarts++
			m.begin()
		}
	}
	for i := range m.n {
		r.at[i] = -1
	}
	r.forget()
	m.n = 0
}

// advance makes the optimizer's next step.
func (m *mlp) advance() {
	c := &m.c
	m.counts.Steps++
	m.pow1 *= c.Beta1
	m.pow2 *= c.Beta2
	m.run.opt = mlpOptimizer{kind: c.Optimizer, rate: float32(c.LearningRate),
		momentum: float32(c.Rho), nesterov: c.Nesterov, adam: matrix.NewAdam(c.LearningRate, c.Beta1,
			c.Beta2, c.Eps, m.pow1, m.pow2)}
}

// LearnBatch implements tidemill.Batcher. A block whose steps are large enough is shared among the cores.
func (m *mlp) LearnBatch(dst []float64, b *tidemill.Block, want bool) []float64 {
	m.lazily(b.Cols)
	m.prepare()
	from, r := len(dst), m.run
	if want {
		for range b.Rows {
			dst = m.unknown(dst)
		}
	}
	r.dst = dst
	var crew *matrix.Crew
	if b.Rows >= m.size() && m.size()*m.weights() >= shareWork {
		crew = matrix.NewCrew(runtime.GOMAXPROCS(0))
		defer crew.Close()
	}
	for i := range b.Rows {
		wide, narrow := m.row(b, i)
		top, ok := m.take(m.x.Row(m.n), wide, narrow)
		y, weight := math.NaN(), 1.0
		if b.Y != nil {
			y = b.Y[i]
		}
		if b.Weight != nil {
			weight = b.Weight[i]
		}
		at := from + i*m.outs
		switch in := m.n; {
		case b.Y != nil && m.accept(top, ok, y, weight):
			if want {
				r.at[in] = at
			}
			if m.n == m.size() {
				m.ask()
				m.step(crew)
			}
		case want && ok && top <= maxInput && m.counts.Steps > 0:
			m.askRow(m.x.Row(in), at)
		}
	}
	if want {
		m.askWaiting()
	}
	r.dst = nil
	return dst
}

// ask predicts the waiting rows that a step would not, because it goes without some outputs.
func (m *mlp) ask() {
	if m.drops() {
		m.askWaiting()
	}
}

// askWaiting predicts the waiting rows that are asked for.
func (m *mlp) askWaiting() {
	r := m.run
	from := 0
	for from < m.n && r.at[from] < 0 {
		from++
	}
	if from < m.n && m.counts.Steps > 0 {
		s := m.pool.Get().(*mlpReader)
		defer m.pool.Put(s)
		for i := from; i < m.n; i += readRows {
			n := min(readRows, m.n-i)
			s.room(m, n)
			out := s.outputs(m, mlpInput{x: m.x.RowRange(i, i+n)})
			for k := range n {
				m.fill(r.dst[r.at[i+k]:][:m.outs], out.Row(k))
			}
		}
	}
	for i := from; i < m.n; i++ {
		r.at[i] = -1
	}
}

// askRow predicts one row that is not learned.
func (m *mlp) askRow(x []float32, at int) {
	s := m.pool.Get().(*mlpReader)
	defer m.pool.Put(s)
	s.room(m, 1)
	m.fill(m.run.dst[at:at+m.outs], s.outputs(m, mlpInput{x: matrix.Of(1, m.cols, x)}).Row(0))
}

// weights is the number of weights.
func (m *mlp) weights() int {
	n := 0
	for i := range m.layers {
		n += m.layers[i].in * m.layers[i].out
	}
	return n
}
