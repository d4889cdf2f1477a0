package engine

import (
	"math"
	"math/bits"

	"github.com/tidemill/tidemill/statebytes"
)

// delayBits is how many of a delay's leading bits choose its bucket: 128 buckets to the factor two.
const delayBits = 8

// delays is a histogram of label delays on the flow's clock. A bucket has the mean of its delays, so that the median,
// which is the mean of the bucket that holds it, is right to one part in 128, and exact where delays are few or alike.
type delays struct {
	buckets []delayBucket // as far as there are delays
	n       uint64
}

type delayBucket struct {
	n    uint64
	mean float64 // microseconds
}

// delayIndex is the bucket of a delay: its leading bits, then its length.
func delayIndex(micros int64) int {
	v := uint64(max(micros, 0))
	e := max(bits.Len64(v)-delayBits, 0)
	return e<<(delayBits-1) + int(v>>e)
}

func (h *delays) add(micros int64) {
	i := delayIndex(micros)
	for i >= len(h.buckets) {
		h.buckets = append(h.buckets, delayBucket{})
	}
	b := &h.buckets[i]
	b.n++
	b.mean += (float64(max(micros, 0)) - b.mean) / float64(b.n)
	h.n++
}

// median is in seconds; false while there is none.
func (h *delays) median() (float64, bool) {
	if h.n == 0 {
		return 0, false
	}
	var sum uint64
	for i := range h.buckets {
		if sum += h.buckets[i].n; sum >= (h.n+1)/2 {
			return h.buckets[i].mean / 1e6, true
		}
	}
	return 0, false
}

func (h *delays) appendTo(b []byte) []byte {
	used := 0
	for i := range h.buckets {
		if h.buckets[i].n > 0 {
			used++
		}
	}
	b = statebytes.AppendUvarint(b, uint64(used))
	for i, c := range h.buckets {
		if c.n > 0 {
			b = statebytes.AppendUvarint(b, uint64(i))
			b = statebytes.AppendUvarint(b, c.n)
			b = statebytes.AppendFloat(b, c.mean)
		}
	}
	return b
}

func (h *delays) read(d *statebytes.Reader) {
	*h = delays{}
	most := uint64(delayIndex(math.MaxInt64))
	for n := d.Count(10); n > 0; n-- {
		i, c, mean := d.Uvarint(), d.Uvarint(), d.Float()
		if i < uint64(len(h.buckets)) || i > most || c == 0 || !(mean >= 0) || math.IsInf(mean, 1) {
			d.Fail(statebytes.ErrShort)
			return
		}
		h.buckets = append(h.buckets, make([]delayBucket, int(i)+1-len(h.buckets))...)
		h.buckets[i] = delayBucket{c, mean}
		h.n += c
	}
}
