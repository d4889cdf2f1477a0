package postgres

import "github.com/tidemill/tidemill"

// A batch ends with the first transaction beyond batchChanges or batchBytes; inside a transaction
// only at tornBatches times that.
const (
	batchChanges = 1024
	batchBytes   = 1 << 20
	tornBatches  = 4
)

// slab is the memory of the batch that is being filled: its changes, their values, the bytes that the values point to.
// Each of the three is one allocation per batch, sized by the batch before. The batch's receiver owns them.
type slab struct {
	changes []tidemill.Change
	values  []tidemill.Value
	bytes   []byte
	size    int // bytes and values, in bytes

	nChanges, nValues, nBytes int // what the last batch used
	usedValues, usedBytes     int // what this one used in pieces that are full
}

const valueSize = 24

// row is room for a row of n values, all Unknown.
func (s *slab) row(n int) []tidemill.Value {
	if cap(s.values)-len(s.values) < n {
		s.usedValues += len(s.values)
		s.values = make([]tidemill.Value, 0, max(n, min(max(s.nValues, 2*s.usedValues, 16), 1<<16)))
	}
	at := len(s.values)
	s.values = s.values[:at+n]
	s.size += n * valueSize
	return s.values[at : at+n : at+n]
}

// room is n bytes to fill.
func (s *slab) room(n int) []byte {
	if cap(s.bytes)-len(s.bytes) < n {
		s.usedBytes += len(s.bytes)
		s.bytes = make([]byte, 0, max(n, min(max(s.nBytes, 2*s.usedBytes, 256), batchBytes)))
	}
	at := len(s.bytes)
	s.bytes = s.bytes[:at+n]
	s.size += n
	return s.bytes[at : at+n : at+n]
}

// keep copies b.
func (s *slab) keep(b []byte) []byte {
	k := s.room(len(b))
	copy(k, b)
	return k
}

// add is a new change at the end, to be filled.
func (s *slab) add() *tidemill.Change {
	if s.changes == nil {
		s.changes = make([]tidemill.Change, 0, max(s.nChanges, 4))
	}
	s.changes = append(s.changes, tidemill.Change{})
	return &s.changes[len(s.changes)-1]
}

// full reports whether the batch should go, when no transaction is cut by that.
func (s *slab) full() bool { return len(s.changes) >= batchChanges || s.size >= batchBytes }

// over reports whether the batch should go at once.
func (s *slab) over() bool {
	return len(s.changes) >= tornBatches*batchChanges || s.size >= tornBatches*batchBytes
}

// take hands the changes over and starts anew.
func (s *slab) take() []tidemill.Change {
	c := s.changes
	*s = slab{
		nChanges: len(c),
		nValues:  s.usedValues + len(s.values),
		nBytes:   s.usedBytes + len(s.bytes),
	}
	return c
}
