package feature

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"github.com/tidemill/tidemill/statebytes"
)

// entrySize is the bytes of an entry in a state: time, key, row, value.
const entrySize = 32

// What a stream's state begins with: whether there is a clock, and whether a count of what could not be used comes
// first.
const (
	markStarted = 1
	markUnfit   = 2
)

// appendState writes the entries in the order of time; everything else follows from them.
func (s *stream) appendState(b []byte) []byte {
	v := s.view()
	return v.appendTo(b)
}

// view is what a state is written from.
type view struct {
	started       bool
	clock         int64
	missed, unfit uint64
	live          int
	pages         []*page
	first, second []uint32 // the entries in the order of time
}

func (s *stream) view() view {
	v := view{started: s.started, clock: s.clock, missed: s.missed, unfit: s.unfit, live: s.live, pages: s.slab.pages}
	v.first, v.second = s.order.parts()
	return v
}

// capture fixes the state as it is now; the function appends it, from any goroutine. Only the order of the entries is
// copied, four bytes each: of a million entries that takes a millisecond, of which the entries themselves would take
// 20.
func (s *stream) capture() func(b []byte) []byte {
	v := s.view()
	v.pages = slices.Clone(v.pages)
	v.first, v.second = append(append(make([]uint32, 0, s.order.len()), v.first...), v.second...), nil
	s.slab.epoch++
	readers := s.slab.readers
	readers.Add(1)
	return func(b []byte) []byte {
		defer readers.Add(-1)
		return v.appendTo(b)
	}
}

func (v *view) appendTo(b []byte) []byte {
	mark := byte(0)
	if v.started {
		mark = markStarted
	}
	if v.unfit == 0 {
		b = append(b, mark)
	} else {
		b = binary.AppendUvarint(append(b, mark|markUnfit), v.unfit)
	}
	if !v.started {
		return b
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(v.clock))
	b = binary.AppendUvarint(b, v.missed)
	b = binary.AppendUvarint(b, uint64(v.live))
	from := len(b)
	b = slices.Grow(b, v.live*entrySize)[:from+v.live*entrySize]
	out := b[from:]
	for _, order := range [2][]uint32{v.first, v.second} {
		for _, at := range order {
			e := &v.pages[at>>pageBits].entries[at&(pageSize-1)]
			if e.dead {
				continue
			}
			binary.LittleEndian.PutUint64(out[0:8], uint64(e.time))
			binary.LittleEndian.PutUint64(out[8:16], e.hash)
			binary.LittleEndian.PutUint64(out[16:24], e.row)
			binary.LittleEndian.PutUint64(out[24:32], e.value)
			out = out[entrySize:]
		}
	}
	return b
}

// readState reads what appendState wrote into an empty stream. numbers says that the values are numbers.
func (s *stream) readState(r *statebytes.Reader, numbers bool) {
	s.clear()
	s.started, s.clock, s.missed, s.unfit = false, 0, 0, 0
	mark := r.Byte()
	if mark > markStarted|markUnfit {
		r.Fail(errors.New("a mark is not of 0 to 3"))
		return
	}
	if mark&markUnfit != 0 {
		if s.unfit = r.Uvarint(); s.unfit == 0 {
			r.Fail(errors.New("a count that is there is 0"))
		}
	}
	if mark&markStarted == 0 {
		return
	}
	s.started, s.clock = true, int64(r.Uint())
	s.missed = r.Uvarint()
	n := r.Count(entrySize)
	if r.Err() != nil {
		return
	}
	s.order.reserve(n)
	s.rows.reserve(n)
	last, forgotten := int64(math.MinInt64), s.forgotten()
	for range n {
		at, hash, row, value := int64(r.Uint()), r.Uint(), r.Uint(), r.Uint()
		switch v := math.Float64frombits(value); {
		case at < last || at > s.clock || at <= forgotten:
			r.Fail(errors.New("its entries are out of order, or of a time that no window holds"))
		case numbers && v-v != 0:
			r.Fail(errors.New("a value is not finite"))
		case s.find(row) != 0:
			r.Fail(errors.New("a row is in it twice"))
		}
		if r.Err() != nil {
			return
		}
		s.enter(hash, row, value, at)
		last = at
	}
}
