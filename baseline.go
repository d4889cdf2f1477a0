package tidemill

import "math"

// baseline is what any model must beat: the majority class or the mean so far, and no change (the last label learned).
type baseline struct {
	kind   ModelKind
	counts []uint64 // per class
	n      uint64
	mean   float64
	last   float64
}

func newBaseline(kind ModelKind) *baseline { return &baseline{kind: kind, last: math.NaN()} }

// learn takes one label: a class index, or a value.
func (b *baseline) learn(y float64) {
	b.n++
	b.last = y
	if b.kind == Classify {
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
	if b.kind != Classify {
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

// delays is a histogram of label delays on the flow's clock, eight buckets to the factor two: its median is right
// to one part in twelve.
type delays struct {
	buckets [8 * 64]uint64
	n       uint64
}

func (h *delays) add(micros int64) {
	i := 0
	if micros > 0 {
		i = min(int(math.Log2(float64(micros)+1)*8), len(h.buckets)-1)
	}
	h.buckets[i]++
	h.n++
}

// median is in seconds; false while there is none.
func (h *delays) median() (float64, bool) {
	if h.n == 0 {
		return 0, false
	}
	var sum uint64
	for i, c := range h.buckets {
		if sum += c; sum*2 >= h.n {
			if i == 0 {
				return 0, true
			}
			return math.Exp2((float64(i)+0.5)/8) / 1e6, true
		}
	}
	return 0, false
}

func (h *delays) appendTo(b []byte) []byte {
	used := 0
	for _, c := range h.buckets {
		if c > 0 {
			used++
		}
	}
	b = putUvarint(b, uint64(used))
	for i, c := range h.buckets {
		if c > 0 {
			b = putUvarint(b, uint64(i))
			b = putUvarint(b, c)
		}
	}
	return b
}

func (h *delays) read(d *decoder) {
	*h = delays{}
	for n := d.count(2); n > 0; n-- {
		i, c := d.uvarint(), d.uvarint()
		if i >= uint64(len(h.buckets)) {
			d.fail()
			return
		}
		h.buckets[i] = c
		h.n += c
	}
}
