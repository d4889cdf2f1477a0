package engine

import (
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// answeredMax is how many answered ids a task remembers, the newest ones: enough to tell a second answer from one that
// was never asked. Older second answers count as unasked.
const answeredMax = 1 << 20

// answered remembers which ids have had their answer, and which: by 64-bit hashes, a ring in order of answer.
type answered struct {
	blocks []*[answeredBlock]entry
	n      int
	from   int // the oldest entry, once the ring is full
	index  hashIndex
}

// entry is an answered id.
type entry struct {
	hash uint64
	note note
}

const answeredBlock = 4096

// note is an answer: half a hash of the table that was asked, half a hash of the label. 0 is an answer that was
// forgotten since: its row is gone, or goes by another id.
type note uint64

func noteOf(table uint64, label string) note {
	return note(table>>32<<32|tidemill.Hash(label)>>32) | 1
}

// sameLabel reports whether both answers were the same.
func (n note) sameLabel(m note) bool { return uint32(n) == uint32(m) }

// corrected is n with the label of m.
func (n note) corrected(m note) note { return n>>32<<32 | m&(1<<32-1) }

func (n note) of(table uint64) bool { return uint64(n)>>32 == table>>32 }

func newAnswered() *answered {
	a := &answered{}
	a.reset()
	return a
}

func (a *answered) reset() {
	*a = answered{}
	a.index.hash = func(e uint32) uint64 { return a.at(int(e)).hash }
}

func (a *answered) at(i int) *entry { return &a.blocks[i/answeredBlock][i%answeredBlock] }

// look is the entry of a hash, or nil.
func (a *answered) look(h uint64) *entry {
	for at, i, ok := a.index.first(h); ok; at, i, ok = a.index.next(at) {
		if e := a.at(int(i)); e.hash == h {
			return e
		}
	}
	return nil
}

func (a *answered) find(id string) (note, bool) {
	if e := a.look(tidemill.Hash(id)); e != nil {
		return e.note, e.note != 0
	}
	return 0, false
}

func (a *answered) set(id string, n note) { a.put(entry{tidemill.Hash(id), n}) }

func (a *answered) put(e entry) {
	if old := a.look(e.hash); old != nil {
		old.note = e.note
		return
	}
	i := a.n
	if i < answeredMax {
		if i%answeredBlock == 0 {
			a.blocks = append(a.blocks, new([answeredBlock]entry))
		}
		a.n++
	} else {
		i = a.from
		a.from = (a.from + 1) % answeredMax
		a.index.remove(a.at(i).hash, uint32(i))
	}
	*a.at(i) = e
	a.index.add(e.hash, uint32(i))
}

// forget lets the next answer of id be its first.
func (a *answered) forget(id string) {
	if e := a.look(tidemill.Hash(id)); e != nil {
		e.note = 0
	}
}

// forgetTable forgets the ids that were asked of a table, and says how many they were.
func (a *answered) forgetTable(table uint64) (n int) {
	for i := range a.n {
		if e := a.at(i); e.note != 0 && e.note.of(table) {
			e.note = 0
			n++
		}
	}
	return n
}

func (a *answered) appendTo(b []byte) []byte {
	b = slices.Grow(b, 16*a.n+1024)
	b = statebytes.AppendUvarint(b, uint64(a.n))
	for i := range a.n {
		e := a.at((a.from + i) % a.n)
		b = statebytes.AppendUint(b, e.hash)
		b = statebytes.AppendUint(b, uint64(e.note))
	}
	return b
}

func (a *answered) read(d *statebytes.Reader) {
	n := d.Count(16)
	if n > answeredMax {
		d.Fail(statebytes.ErrShort)
		return
	}
	a.reset()
	for range n {
		e := entry{d.Uint(), note(d.Uint())}
		if a.look(e.hash) != nil {
			d.Fail(statebytes.ErrShort)
			return
		}
		a.put(e)
	}
}
