package encode

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// refusedWarning warns of the values that an encoder left out because its bound was reached.
func refusedWarning(e tidemill.Encoder, n uint64) []string {
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("encoder %s: %d values left out, its bound of categories is reached", e.Describe(), n)}
}

// index is a set of 64-bit hashes in the order in which they came; a hash's place is its number. The order is part of
// the state, so that the bytes are canonical without sorting and a checkpoint is little more than a copy.
type index struct {
	keys  []uint64
	slots []uint32 // open addressing: place+1 in keys, 0 is free; a power of two, at most three quarters full
}

// find is the place of key, or -1.
func (x *index) find(key uint64) int {
	if len(x.slots) == 0 {
		return -1
	}
	mask := uint64(len(x.slots) - 1)
	for i := key & mask; ; i = (i + 1) & mask {
		p := x.slots[i]
		if p == 0 {
			return -1
		}
		if x.keys[p-1] == key {
			return int(p - 1)
		}
	}
}

// add gives a key that is not there the next place.
func (x *index) add(key uint64) int {
	if 4*(len(x.keys)+1) > 3*len(x.slots) {
		size := max(16, 2*len(x.slots))
		x.slots = make([]uint32, size)
		for p, k := range x.keys {
			x.put(k, uint32(p+1))
		}
	}
	x.keys = append(x.keys, key)
	x.put(key, uint32(len(x.keys)))
	return len(x.keys) - 1
}

func (x *index) put(key uint64, place uint32) {
	mask := uint64(len(x.slots) - 1)
	i := key & mask
	for x.slots[i] != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = place
}

func (x *index) appendBinary(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(x.keys)))
	for _, k := range x.keys {
		b = binary.LittleEndian.AppendUint64(b, k)
	}
	return b
}

// read reads what appendBinary wrote; size is the bytes that at least belong to each key.
func (x *index) read(r *statebytes.Reader, size, most int) {
	n := r.Count(size)
	if n > most {
		r.Fail(errors.New("it has more categories than the bound allows"))
		return
	}
	*x = index{keys: make([]uint64, 0, n)}
	for range n {
		k := r.Uint()
		if r.Err() != nil {
			return
		}
		if x.find(k) >= 0 {
			r.Fail(errors.New("a category is in it twice"))
			return
		}
		x.add(k)
	}
}
