package engine

import (
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
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

// rarity weighs a class: rows learned / (classes × rows of the class).
func (b *baseline) rarity(y float64) float64 {
	if int(y) >= len(b.counts) || b.counts[int(y)] == 0 {
		return 1
	}
	return float64(b.n) / (float64(len(b.counts)) * float64(b.counts[int(y)]))
}

func (b *baseline) appendTo(out []byte) []byte {
	out = statebytes.AppendUvarint(out, b.n)
	out = statebytes.AppendFloat(out, b.mean)
	out = statebytes.AppendFloat(out, b.last)
	out = statebytes.AppendUvarint(out, uint64(len(b.counts)))
	for _, c := range b.counts {
		out = statebytes.AppendUvarint(out, c)
	}
	return out
}

func (b *baseline) read(d *statebytes.Reader) {
	b.n, b.mean, b.last = d.Uvarint(), d.Float(), d.Float()
	b.counts = make([]uint64, d.Count(1))
	for i := range b.counts {
		b.counts[i] = d.Uvarint()
	}
}
