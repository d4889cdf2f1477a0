package model

import (
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/matrix"
)

// readRows is how many rows are read at once.
const readRows = 64

// mlpReader is the scratch of one read.
type mlpReader struct {
	x      matrix.Dense
	sparse *matrix.Sparse // of x
	ok     []bool
	h      [2][]float32
}

func (r *mlpReader) room(m *mlp, rows int) {
	widest := 0
	for i := range m.layers {
		widest = max(widest, m.layers[i].out)
	}
	if r.x.Rows < rows || r.x.Cols != m.cols {
		r.x, r.ok = matrix.Of(rows, m.cols, make([]float32, rows*m.cols)), make([]bool, rows)
		r.sparse = matrix.NewSparse(r.x)
	}
	if n := r.x.Rows * widest; len(r.h[0]) < n {
		r.h = [2][]float32{make([]float32, n), make([]float32, n)}
	}
}

// inputs is the first n rows of x.
func (r *mlpReader) inputs(n int) mlpInput {
	in, filled := mlpInput{x: r.x.RowRange(0, n)}, 0
	most := int(matrix.SparseShare() * float64(n*r.x.Cols))
	r.sparse.Reset()
	for i := range n {
		if filled += r.sparse.Set(i); filled > most {
			return in
		}
	}
	in.sparse = r.sparse
	return in
}

// outputs is the last layer's outputs for some rows.
func (r *mlpReader) outputs(m *mlp, in mlpInput) matrix.Dense {
	for i := range m.layers {
		l := &m.layers[i]
		h := matrix.Of(in.x.Rows, l.out, r.h[i%2])
		l.forward(h, in)
		in = mlpInput{x: h}
	}
	return in.x
}

// Predict implements tidemill.Model: a probability per class, or the value; NaN before the first step.
func (m *mlp) Predict(dst []float64, x *tidemill.Vector) []float64 {
	if m.counts.Steps == 0 {
		return m.unknown(dst)
	}
	r := m.pool.Get().(*mlpReader)
	defer m.pool.Put(r)
	r.room(m, 1)
	if top, ok := m.take(r.x.Row(0), x.Dense, nil); !ok || !(top <= maxInput) {
		return m.unknown(dst)
	}
	return m.answer(dst, r.outputs(m, r.inputs(1)).Row(0))
}

// PredictBatch implements tidemill.Batcher.
func (m *mlp) PredictBatch(dst []float64, b *tidemill.Block) []float64 {
	if m.counts.Steps == 0 {
		for range b.Rows {
			dst = m.unknown(dst)
		}
		return dst
	}
	r := m.pool.Get().(*mlpReader)
	defer m.pool.Put(r)
	r.room(m, min(b.Rows, readRows))
	for from := 0; from < b.Rows; from += readRows {
		n := min(readRows, b.Rows-from)
		for i := range n {
			x := r.x.Row(i)
			wide, narrow := m.row(b, from+i)
			top, ok := m.take(x, wide, narrow)
			if r.ok[i] = ok && top <= maxInput; !r.ok[i] {
				clear(x)
			}
		}
		out := r.outputs(m, r.inputs(n))
		for i := range n {
			if r.ok[i] {
				dst = m.answer(dst, out.Row(i))
			} else {
				dst = m.unknown(dst)
			}
		}
	}
	return dst
}

// unknown appends the answer that is none.
func (m *mlp) unknown(dst []float64) []float64 {
	outs := m.outs
	if outs == 0 {
		outs, _ = m.outputs(0)
	}
	return appendUnknown(dst, outs)
}

// answer appends a row's outputs; all NaN where one is not finite.
func (m *mlp) answer(dst []float64, h []float32) []float64 {
	if !matrix.Finite(h) {
		return m.unknown(dst)
	}
	for _, v := range h {
		dst = append(dst, float64(v))
	}
	return dst
}

// fill writes the answer over dst.
func (m *mlp) fill(dst []float64, h []float32) {
	if !matrix.Finite(h) {
		for i := range dst {
			dst[i] = math.NaN()
		}
		return
	}
	for i, v := range h {
		dst[i] = float64(v)
	}
}
