package model

import (
	"encoding/binary"
	"slices"

	"github.com/tidemill/tidemill/statebytes"
)

// order is the places of the terms by ascending hash.
func (g *glm) order() []int {
	out := make([]int, len(g.index.keys))
	for i := range out {
		out[i] = i
	}
	keys := g.index.keys
	slices.SortFunc(out, func(a, b int) int {
		if keys[a] < keys[b] {
			return -1
		}
		return 1
	})
	return out
}

// append writes the weights: what was learned, not the settings.
func (g *glm) append(b []byte) []byte {
	b = binary.AppendUvarint(b, g.steps)
	b = statebytes.AppendFloat(b, g.maxL1)
	b = binary.AppendUvarint(b, uint64(g.slots))
	b = binary.AppendUvarint(b, uint64(len(g.bias)))
	b = statebytes.AppendFloats(b, g.bias)
	b = binary.AppendUvarint(b, uint64(g.cols))
	for k := range g.bias {
		b = statebytes.AppendFloats(b, g.dense[k])
		b = statebytes.AppendFloats(b, g.side[k])
	}
	b = binary.AppendUvarint(b, uint64(len(g.index.keys)))
	stride := g.stride()
	for _, i := range g.order() {
		b = binary.LittleEndian.AppendUint64(b, g.index.keys[i])
		b = statebytes.AppendFloats(b, g.terms[i*stride:(i+1)*stride])
	}
	return b
}

// read is a glm of g's settings with the weights that append wrote.
func (g *glm) read(r *statebytes.Reader) glm {
	n := newGLM(g.glmSettings, 0)
	n.steps = r.Uvarint()
	n.maxL1 = r.Weight()
	if s := r.Uvarint(); r.Err() == nil && s != uint64(n.slots) {
		r.Failf("it has %d numbers beside a weight, the optimizer %s has %d", s, n.opt.Kind, n.slots)
	}
	outputs := r.Count(8)
	n.bias = r.Floats(outputs)
	cols := r.Uvarint()
	switch {
	case r.Err() != nil:
	case outputs == 0 && cols != uint64(g.cols), outputs > 0 && cols > uint64(r.Left()/8/outputs):
		r.Failf("it has %d columns of %d outputs", cols, outputs)
	}
	if r.Err() != nil {
		return n
	}
	n.cols = int(cols)
	n.bound = g.bound
	if g.bound && n.cols != g.cols {
		r.Failf("it has %d columns, not the %d bound", n.cols, g.cols)
		return n
	}
	for range outputs {
		n.dense = append(n.dense, r.Floats(n.cols))
		n.side = append(n.side, r.Floats(n.cols*n.slots))
	}
	stride := n.stride()
	terms := r.Count(8 + 8*stride)
	if r.Err() == nil && outputs == 0 && terms > 0 {
		r.Failf("it has terms and no outputs")
	}
	if r.Err() != nil {
		return n
	}
	n.index.keys = make([]uint64, 0, terms)
	n.terms = make([]float64, 0, terms*stride)
	for i := range terms {
		key := r.Uint()
		if i > 0 && key <= n.index.keys[i-1] {
			r.Failf("its terms are out of order")
			return n
		}
		n.index.add(key)
		n.terms = append(n.terms, r.Floats(stride)...)
		if r.Err() != nil {
			return n
		}
	}
	n.rowPos = make([]uint32, terms)
	n.raw = make([]float64, outputs)
	return n
}
