package feature

import "slices"

// places finds a small number by a 64-bit hash: open addressing with half of the hash beside the number, so that a
// search seldom looks elsewhere. The caller says what a number's whole hash is. Number 0 is none.
type places struct {
	slots []place // a power of two, at most three quarters full
	n     int
}

type place struct{ tag, at uint32 }

// find is the number with that hash for which is says yes, or 0.
func (p *places) find(hash uint64, is func(at uint32) bool) uint32 {
	if p.n == 0 {
		return 0
	}
	tag, mask := uint32(hash), uint32(len(p.slots)-1)
	for i := tag & mask; ; i = (i + 1) & mask {
		s := p.slots[i]
		if s.at == 0 {
			return 0
		}
		if s.tag == tag && is(s.at) {
			return s.at
		}
	}
}

// add puts in a number that is not there.
func (p *places) add(hash uint64, at uint32) {
	if 4*(p.n+1) > 3*len(p.slots) {
		old := p.slots
		p.slots = make([]place, max(16, 2*len(old)))
		for _, s := range old {
			if s.at != 0 {
				p.put(s)
			}
		}
	}
	p.put(place{uint32(hash), at})
	p.n++
}

// reserve makes room for n numbers at once.
func (p *places) reserve(n int) {
	size := 16
	for 3*size < 4*n {
		size *= 2
	}
	if p.n == 0 {
		p.slots = make([]place, size)
	}
}

func (p *places) put(s place) {
	mask := uint32(len(p.slots) - 1)
	i := s.tag & mask
	for p.slots[i].at != 0 {
		i = (i + 1) & mask
	}
	p.slots[i] = s
}

// remove takes out a number that is there; those behind it move up, so that no holes are left to search through.
func (p *places) remove(hash uint64, at uint32) {
	mask := uint32(len(p.slots) - 1)
	i := uint32(hash) & mask
	for p.slots[i].at != at {
		i = (i + 1) & mask
	}
	for j := i; ; {
		j = (j + 1) & mask
		s := p.slots[j]
		if s.at == 0 {
			break
		}
		if home := s.tag & mask; (j-home)&mask >= (j-i)&mask { // it may stand at i
			p.slots[i] = s
			i = j
		}
	}
	p.slots[i] = place{}
	p.n--
}

// timeline is a queue of entries in the order of time; a late one is let in where it belongs.
type timeline struct {
	ring []uint32 // a power of two
	head int
	n    int
}

func (q *timeline) len() int { return q.n }

func (q *timeline) at(i int) uint32 { return q.ring[(q.head+i)&(len(q.ring)-1)] }

// after is the place behind all entries that are not later than t.
func (q *timeline) after(t int64, entries *slab) int {
	if q.n == 0 || entries.at(q.at(q.n-1)).time <= t {
		return q.n
	}
	lo, hi := 0, q.n
	for lo < hi {
		if m := (lo + hi) / 2; entries.at(q.at(m)).time <= t {
			lo = m + 1
		} else {
			hi = m
		}
	}
	return lo
}

// parts are the entries in order, in two pieces.
func (q *timeline) parts() (first, second []uint32) {
	if end := q.head + q.n; end > len(q.ring) {
		return q.ring[q.head:], q.ring[:end-len(q.ring)]
	}
	return q.ring[q.head : q.head+q.n], nil
}

func (q *timeline) insert(p int, e uint32) {
	if q.n == len(q.ring) {
		ring := make([]uint32, max(16, 2*q.n))
		copied := copy(ring, q.ring[q.head:])
		copy(ring[copied:], q.ring[:q.head])
		q.ring, q.head = ring, 0
	}
	mask := len(q.ring) - 1
	for i := q.n; i > p; i-- {
		q.ring[(q.head+i)&mask] = q.ring[(q.head+i-1)&mask]
	}
	q.ring[(q.head+p)&mask] = e
	q.n++
}

func (q *timeline) pop() {
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
}

// reserve makes room for n entries at once.
func (q *timeline) reserve(n int) {
	size := 16
	for size < n {
		size *= 2
	}
	if q.n == 0 && size > len(q.ring) {
		q.ring, q.head = slices.Grow([]uint32(nil), size)[:size], 0
	}
}
