package model

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/matrix"
	"github.com/tidemill/tidemill/statebytes"
)

// The state, version 1: inputs and outputs (0 where the network has no shape yet, and then nothing follows), the phase,
// six counts, the powers of adam's betas, per layer its units and, row by row, its weights, its biases, then the same
// of each number that the optimizer keeps; then the waiting rows: how many, and of each its answer, weight and inputs.

// AppendBinary implements tidemill.State.
func (m *mlp) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1)
	b = binary.AppendUvarint(b, uint64(m.cols))
	b = binary.AppendUvarint(b, uint64(m.outs))
	if m.outs == 0 {
		return append(b, byte(m.phase)), nil
	}
	b = append(b, byte(m.phase))
	for _, n := range m.counts.list() {
		b = binary.AppendUvarint(b, *n)
	}
	b = statebytes.AppendFloat(b, m.pow1)
	b = statebytes.AppendFloat(b, m.pow2)
	for i := range m.layers {
		l := &m.layers[i]
		b = binary.AppendUvarint(b, uint64(l.out))
		for s := range l.sides() {
			for row := range l.in {
				for k := range l.blocks {
					b = appendSingles(b, l.blocks[k].side(s, row))
				}
			}
			b = appendSingles(b, l.biasSide(s))
		}
	}
	b = binary.AppendUvarint(b, uint64(m.n))
	for i := range m.n {
		b = statebytes.AppendFloat(b, m.y[i])
		b = statebytes.AppendFloat(b, m.weight[i])
		b = appendSingles(b, m.x.Row(i))
	}
	return b, nil
}

func (c *mlpCounts) list() [6]*uint64 {
	return [6]*uint64{&c.Steps, &c.Rows, &c.RefusedRows, &c.RefusedSteps, &c.Restarts, &c.Streak}
}

// sides is 1 for the weights and one more for each number that the optimizer keeps.
func (l *mlpLayer) sides() int {
	n := 1
	if l.biasM != nil {
		n++
	}
	if l.biasV != nil {
		n++
	}
	return n
}

func (l *mlpLayer) biasSide(s int) []float32 { return [...][]float32{l.bias, l.biasM, l.biasV}[s] }

// side is a row of the weights or of what stands beside them.
func (b *mlpBlock) side(s, row int) []float32 {
	n := b.w.Cols
	return [...][]float32{b.w.Data, b.m, b.v}[s][row*n : (row+1)*n]
}

func appendSingles(b []byte, f []float32) []byte {
	for _, v := range f {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// readSingles reads as many finite numbers as dst holds.
func readSingles(r *statebytes.Reader, dst []float32) {
	b := r.Next(4 * len(dst))
	if b == nil {
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	if !matrix.Finite(dst) {
		r.Fail(errors.New("a number in it is not finite"))
	}
}

// UnmarshalBinary implements tidemill.State.
func (m *mlp) UnmarshalBinary(data []byte) error {
	next := newMLP(&m.c)
	next.err = nil
	r := statebytes.Read(data)
	r.Version(1)
	next.read(r, m)
	if err := r.Done("model: mlp"); err != nil {
		return err
	}
	m.cols, m.outs, m.layers, m.phase, m.pow1, m.pow2 = next.cols, next.outs, next.layers, next.phase, next.pow1, next.pow2
	m.counts, m.n, m.x, m.y, m.weight, m.run = next.counts, next.n, next.x, next.y, next.weight, nil
	return nil
}

// read reads a state into an untrained network; was is the one that it will replace.
func (m *mlp) read(r *statebytes.Reader, was *mlp) {
	cols, outs := r.Uvarint(), r.Uvarint()
	if p := r.Byte(); p <= byte(tidemill.Stream) {
		m.phase = tidemill.Phase(p)
	} else {
		r.Failf("its phase is %d", p)
	}
	switch {
	case r.Err() != nil:
		return
	case was.bound && (cols != uint64(was.cols) || outs != uint64(was.outs)):
		r.Failf("it has %d inputs and %d outputs, the task %d and %d", cols, outs, was.cols, was.outs)
		return
	case outs == 0:
		if cols != 0 {
			r.Failf("it has %d inputs and no outputs", cols)
		}
		return
	case !was.bound:
		if want, err := m.outputs(0); err == nil && uint64(want) != outs {
			r.Failf("it has %d outputs, the settings ask for %d", outs, want)
			return
		}
	}
	// Nothing is made that the bytes cannot fill.
	slots := uint64(map[string]int{"sgd": 1, "momentum": 2, "adam": 3}[m.c.Optimizer])
	need, in := uint64(0), cols
	for _, out := range append(m.units(), outs) {
		if in == 0 || in > maxUnits || out == 0 || out > maxUnits {
			r.Failf("a layer of %d by %d", in, out)
			return
		}
		need += 4 * slots * (in + 1) * out
		in = out
	}
	if need > uint64(r.Left()) {
		r.Fail(statebytes.ErrShort)
		return
	}
	m.shape(int(cols), int(outs))
	for _, n := range m.counts.list() {
		*n = r.Uvarint()
	}
	m.pow1, m.pow2 = r.Number(), r.Number()
	if !(m.pow1 >= 0 && m.pow1 <= 1 && m.pow2 >= 0 && m.pow2 <= 1) {
		r.Failf("the powers %v and %v are not from 0 to 1", m.pow1, m.pow2)
	}
	if m.counts.Streak >= maxStreak {
		r.Failf("%d steps in a row were refused", m.counts.Streak)
	}
	for i := range m.layers {
		l := &m.layers[i]
		if n := r.Uvarint(); r.Err() == nil && n != uint64(l.out) {
			r.Failf("layer %d has %d units, the settings ask for %d", i+1, n, l.out)
		}
		for s := range l.sides() {
			for row := range l.in {
				for k := range l.blocks {
					readSingles(r, l.blocks[k].side(s, row))
				}
			}
			readSingles(r, l.biasSide(s))
		}
		if r.Err() != nil {
			return
		}
	}
	m.readWaiting(r)
}

// readWaiting reads the rows that wait.
func (m *mlp) readWaiting(r *statebytes.Reader) {
	n := r.Count(16 + 4*m.cols)
	if r.Err() == nil && n >= max(m.size(), 1) {
		r.Failf("%d rows wait for a step of %d", n, m.size())
	}
	if r.Err() == nil && m.counts.Rows < uint64(n) {
		r.Failf("%d rows wait of %d", n, m.counts.Rows)
	}
	if r.Err() != nil {
		return
	}
	m.x = matrix.Of(n, m.cols, make([]float32, n*m.cols))
	m.y, m.weight = make([]float64, n), make([]float64, n)
	for i := range n {
		y, w := r.Float(), r.Float()
		readSingles(r, m.x.Row(i))
		if r.Err() != nil {
			return
		}
		m.n = i
		rows := m.counts.Rows
		if !(w > 0) || !m.accept(matrix.MaxAbs(m.x.Row(i)), true, y, w) {
			r.Failf("waiting row %d could not have been learned", i)
			return
		}
		m.counts.Rows = rows
	}
	m.n = n
}

// units are the outputs of the hidden layers.
func (m *mlp) units() []uint64 {
	var n []uint64
	for _, l := range m.c.Layers {
		n = append(n, uint64(l.Units))
	}
	return n
}
