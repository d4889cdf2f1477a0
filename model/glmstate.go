package model

import (
	"encoding/binary"
	"slices"
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
	b = appendFloat(b, g.maxL1)
	b = binary.AppendUvarint(b, uint64(g.slots))
	b = binary.AppendUvarint(b, uint64(len(g.bias)))
	b = appendFloats(b, g.bias)
	b = binary.AppendUvarint(b, uint64(g.cols))
	for k := range g.bias {
		b = appendFloats(b, g.dense[k])
		b = appendFloats(b, g.side[k])
	}
	b = binary.AppendUvarint(b, uint64(len(g.index.keys)))
	stride := g.stride()
	for _, i := range g.order() {
		b = binary.LittleEndian.AppendUint64(b, g.index.keys[i])
		b = appendFloats(b, g.terms[i*stride:(i+1)*stride])
	}
	return b
}

// read is a glm of g's settings with the weights that append wrote.
func (g *glm) read(r *stateReader) glm {
	n := newGLM(g.glmSettings, 0)
	n.steps = r.uvarint()
	n.maxL1 = r.weight()
	if s := r.uvarint(); r.err == nil && s != uint64(n.slots) {
		r.failf("it has %d numbers beside a weight, the optimizer %s has %d", s, n.opt.Kind, n.slots)
	}
	outputs := r.count(8)
	n.bias = r.floats(outputs)
	cols := r.uvarint()
	switch {
	case r.err != nil:
	case outputs == 0 && cols != uint64(g.cols), outputs > 0 && cols > uint64(len(r.b)/8/outputs):
		r.failf("it has %d columns of %d outputs", cols, outputs)
	}
	if r.err != nil {
		return n
	}
	n.cols = int(cols)
	n.bound = g.bound
	if g.bound && n.cols != g.cols {
		r.failf("it has %d columns, not the %d bound", n.cols, g.cols)
		return n
	}
	for range outputs {
		n.dense = append(n.dense, r.floats(n.cols))
		n.side = append(n.side, r.floats(n.cols*n.slots))
	}
	stride := n.stride()
	terms := r.count(8 + 8*stride)
	if r.err == nil && outputs == 0 && terms > 0 {
		r.failf("it has terms and no outputs")
	}
	if r.err != nil {
		return n
	}
	n.index.keys = make([]uint64, 0, terms)
	n.terms = make([]float64, 0, terms*stride)
	for i := range terms {
		key := r.u64()
		if i > 0 && key <= n.index.keys[i-1] {
			r.failf("its terms are out of order")
			return n
		}
		n.index.add(key)
		n.terms = append(n.terms, r.floats(stride)...)
		if r.err != nil {
			return n
		}
	}
	n.rowPos = make([]uint32, terms)
	n.raw = make([]float64, outputs)
	return n
}
