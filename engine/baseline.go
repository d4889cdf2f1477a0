package engine

import (
	"math"

	"github.com/tidemill/tidemill"
)

// baseline is what any model must beat: the majority class or the mean so far, and no change (the last label learned).
type baseline struct {
	kind   tidemill.ModelKind
	counts []uint64 // per class
	n      uint64
	mean   float64
	last   float64
}

func newBaseline(kind tidemill.ModelKind) *baseline { return &baseline{kind: kind, last: math.NaN()} }

// learn takes one label: a class index, or a value.
func (b *baseline) learn(y float64) {
	b.n++
	b.last = y
	if b.kind == tidemill.Classify {
		for int(y) >= len(b.counts) {
			b.counts = append(b.counts, 0)
		}
		b.counts[int(y)]++
		return
	}
	b.mean += (y - b.mean) / float64(b.n)
}

// predict appends the majority's shares, or the mean; nothing before the first label.
func (b *baseline) predict(dst []float64) []float64 {
	if b.n == 0 {
		return dst
	}
	if b.kind != tidemill.Classify {
		return append(dst, b.mean)
	}
	for _, c := range b.counts {
		dst = append(dst, float64(c)/float64(b.n))
	}
	return dst
}

func (b *baseline) appendTo(out []byte) []byte {
	out = putUvarint(out, b.n)
	out = putF64(out, b.mean)
	out = putF64(out, b.last)
	out = putUvarint(out, uint64(len(b.counts)))
	for _, c := range b.counts {
		out = putUvarint(out, c)
	}
	return out
}

func (b *baseline) read(d *decoder) {
	b.n, b.mean, b.last = d.uvarint(), d.f64(), d.f64()
	b.counts = make([]uint64, d.count(1))
	for i := range b.counts {
		b.counts[i] = d.uvarint()
	}
}
