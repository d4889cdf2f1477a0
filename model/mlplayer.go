package model

import "github.com/tidemill/tidemill/matrix"

// mlpLayer is one dense layer: h = act(x*W + bias).
type mlpLayer struct {
	in, out int
	act     activation
	dropout float64
	blocks  []mlpBlock
	bias    []float32
	biasM   []float32 // the optimizer's numbers beside each
	biasV   []float32

	// Of the rows of a step, scratch.
	h    matrix.Dense // outputs, after dropout
	raw  matrix.Dense // outputs before dropout, where there is dropout; otherwise h
	grad matrix.Dense // of the loss, by the sums
}

// mlpBlock is some columns of a layer's weights, kept together so that one core reads and steps them out of its own
// cache.
type mlpBlock struct {
	from, to int
	w        matrix.Dense
	m, v     []float32 // the optimizer's numbers beside each weight
}

// blockCols is the width of a block.
const blockCols = 64

// newMLPLayer is a layer whose weights are 0; slots is how many numbers the optimizer keeps beside each.
func newMLPLayer(in, out int, act activation, dropout float64, slots int) mlpLayer {
	l := mlpLayer{in: in, out: out, act: act, dropout: dropout, bias: make([]float32, out)}
	side := func(n, slot int) []float32 {
		if slots <= slot {
			return nil
		}
		return make([]float32, n)
	}
	l.biasM, l.biasV = side(out, 0), side(out, 1)
	for from := 0; from < out; from += blockCols {
		to := min(from+blockCols, out)
		n := in * (to - from)
		l.blocks = append(l.blocks, mlpBlock{from: from, to: to, w: matrix.Of(in, to-from, make([]float32, n)),
			m: side(n, 0), v: side(n, 1)})
	}
	return l
}

// start draws the first weights, row by row, and clears everything else.
func (l *mlpLayer) start(r random) {
	bound := glorot(l.in, l.out)
	for i := range l.in {
		for k := range l.blocks {
			row := l.blocks[k].w.Row(i)
			for j := range row {
				row[j] = float32(float64(2*r.unit()-1) * bound)
			}
		}
	}
	for k := range l.blocks {
		clear(l.blocks[k].m)
		clear(l.blocks[k].v)
	}
	clear(l.bias)
	clear(l.biasM)
	clear(l.biasV)
}

// mlpInput is the inputs of some rows of a layer: x, and where few of them are not 0 also which, of the rows from row
// on. Both give the same bits, as the weights are always finite.
type mlpInput struct {
	x      matrix.Dense
	sparse *matrix.Sparse
	row    int
}

func (in mlpInput) rows(from, to int) mlpInput {
	return mlpInput{in.x.RowRange(from, to), in.sparse, in.row + from}
}

// sums are the columns of a block of x*W, activated; softmax, which needs the whole row, is left to finish.
func (l *mlpLayer) sums(h matrix.Dense, in mlpInput, block int) {
	b := &l.blocks[block]
	h = h.ColRange(b.from, b.to)
	if in.sparse != nil {
		matrix.MulSparse(h, in.sparse, in.row, b.w)
	} else {
		matrix.Mul(h, in.x, b.w, false)
	}
	if l.act != actSoftmax {
		for i := range h.Rows {
			l.act.apply(l.bias[b.from:b.to], h.Row(i))
		}
	}
}

// finish does what needs the whole row.
func (l *mlpLayer) finish(h matrix.Dense) {
	if l.act == actSoftmax {
		for i := range h.Rows {
			l.act.apply(l.bias, h.Row(i))
		}
	}
}

// forward is the outputs of rows, without dropout.
func (l *mlpLayer) forward(h matrix.Dense, in mlpInput) {
	for k := range l.blocks {
		l.sums(h, in, k)
	}
	l.finish(h)
}

// drop copies the outputs of a step's rows from raw to h, without those that the rows do without. row is the ordinal of
// the first.
func (l *mlpLayer) drop(h, raw matrix.Dense, seed, use, row uint64) {
	for i := range raw.Rows {
		r := streamOf(seed, use, row+uint64(i))
		copy(h.Row(i), raw.Row(i))
		r.drop(l.dropout, h.Row(i))
	}
}

// undrop is drop for the gradient by the outputs.
func (l *mlpLayer) undrop(d matrix.Dense, seed, use, row uint64) {
	for i := range d.Rows {
		r := streamOf(seed, use, row+uint64(i))
		r.drop(l.dropout, d.Row(i))
	}
}

// inputGrad is the gradient by the layer's inputs.
func (l *mlpLayer) inputGrad(dx, grad matrix.Dense, scratch []float32) []float32 {
	for k := range l.blocks {
		b := &l.blocks[k]
		scratch = matrix.MulT(dx, grad.ColRange(b.from, b.to), b.w, k > 0, scratch)
	}
	return scratch
}

// stepRows is how many rows of a block's weights step at once: their gradient stays in the nearest cache.
const stepRows = 24

// step moves a block's weights and biases. in is all rows of a step.
func (l *mlpLayer) step(o *mlpOptimizer, in mlpInput, block int, scratch []float32) {
	b := &l.blocks[block]
	width, grad := b.to-b.from, l.grad.RowRange(0, in.x.Rows).ColRange(b.from, b.to)
	for i := 0; i < l.in; i += stepRows {
		end := min(i+stepRows, l.in)
		g := matrix.Of(end-i, width, scratch)
		if in.sparse != nil {
			matrix.TMulSparse(g, in.sparse, i, grad)
		} else {
			matrix.TMul(g, in.x.ColRange(i, end), grad, false)
		}
		o.step(b.w.Data, b.m, b.v, g.Data, i*width)
	}
	g := scratch[:width]
	clear(g)
	for i := range grad.Rows {
		matrix.Add(grad.Row(i), g)
	}
	bias := func(s []float32) []float32 {
		if s == nil {
			return nil
		}
		return s[b.from:b.to]
	}
	o.step(bias(l.bias), bias(l.biasM), bias(l.biasV), g, 0)
}

// mlpOptimizer is the rule of one step.
type mlpOptimizer struct {
	kind           string
	rate, momentum float32
	nesterov       bool
	adam           matrix.Adam
}

// step moves the weights from at on by the gradient g.
func (o *mlpOptimizer) step(w, m, v, g []float32, at int) {
	end := at + len(g)
	switch o.kind {
	case "adam":
		o.adam.Step(w[at:end], m[at:end], v[at:end], g)
	case "momentum":
		matrix.Momentum(o.rate, o.momentum, o.nesterov, w[at:end], m[at:end], g)
	default:
		matrix.Axpy(-o.rate, g, w[at:end])
	}
}
