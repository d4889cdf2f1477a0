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

// appendState writes the entries in the order of time; everything else follows from them. A copy, in effect: a million
// entries take some 20 ms.
func (s *stream) appendState(b []byte) []byte {
	if !s.started {
		return append(b, 0)
	}
	b = binary.LittleEndian.AppendUint64(append(b, 1), uint64(s.clock))
	b = binary.AppendUvarint(b, s.missed)
	b = binary.AppendUvarint(b, uint64(s.live))
	from := len(b)
	b = slices.Grow(b, s.live*entrySize)[:from+s.live*entrySize]
	out := b[from:]
	for i := range s.order.len() {
		e := &s.entries[s.order.at(i)]
		if e.dead {
			continue
		}
		binary.LittleEndian.PutUint64(out[0:8], uint64(e.time))
		binary.LittleEndian.PutUint64(out[8:16], s.keys[e.key].hash)
		binary.LittleEndian.PutUint64(out[16:24], e.row)
		binary.LittleEndian.PutUint64(out[24:32], e.value)
		out = out[entrySize:]
	}
	return b
}

// readState reads what appendState wrote into an empty stream. numbers says that the values are numbers.
func (s *stream) readState(r *statebytes.Reader, numbers bool) {
	s.clear()
	s.started, s.clock, s.missed = false, 0, 0
	switch r.Byte() {
	case 0:
		return
	case 1:
	default:
		r.Fail(errors.New("a mark is neither 0 nor 1"))
		return
	}
	s.started, s.clock = true, int64(r.Uint())
	s.missed = r.Uvarint()
	n := r.Count(entrySize)
	if r.Err() != nil {
		return
	}
	s.entries = make([]entry, 1, n+1)
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
