package feature

import "sync/atomic"

// entry is one value in a stream's slab: 48 bytes. Entries of a key are a list in the order of time.
type entry struct {
	time       int64  // microseconds
	row        uint64 // the row's id
	value      uint64 // the number's bits, or the hash of a category
	hash       uint64 // of the key
	key        uint32 // place in keys
	prev, next uint32 // in the key's list; 0 is none
	dead       bool   // taken out, and still in the order of time
}

const (
	pageBits = 8
	pageSize = 1 << pageBits
)

// page is some entries; epoch is the slab's when the page was made or copied.
type page struct {
	epoch   uint64
	entries [pageSize]entry
}

// slab is a stream's entries by number, in pages: 0 is no entry. A capture shares the pages and reads them from another
// goroutine; a page that it may still read is copied before it is written to.
type slab struct {
	pages   []*page
	n       uint32 // numbers given, 0 among them
	unused  uint32 // a list through next
	epoch   uint64 // captures so far
	readers *atomic.Int32
}

func newSlab() slab { return slab{readers: new(atomic.Int32)} }

// clear forgets all entries; captures keep theirs.
func (s *slab) clear() { s.pages, s.n, s.unused = []*page{{epoch: s.epoch}}, 1, 0 }

// at is an entry to be read.
func (s *slab) at(e uint32) *entry { return &s.pages[e>>pageBits].entries[e&(pageSize-1)] }

// own is an entry to be written.
func (s *slab) own(e uint32) *entry {
	p := s.pages[e>>pageBits]
	if p.epoch != s.epoch && s.readers.Load() > 0 {
		q := &page{s.epoch, p.entries}
		s.pages[e>>pageBits], p = q, q
	}
	return &p.entries[e&(pageSize-1)]
}

// add gives x a number.
func (s *slab) add(x entry) uint32 {
	e := s.unused
	if e != 0 {
		s.unused = s.at(e).next
	} else {
		e = s.n
		if e>>pageBits == uint32(len(s.pages)) {
			s.pages = append(s.pages, &page{epoch: s.epoch})
		}
		s.n++
	}
	*s.own(e) = x
	return e
}

// remove lets the number of an entry be given again.
func (s *slab) remove(e uint32) {
	*s.own(e) = entry{next: s.unused}
	s.unused = e
}
