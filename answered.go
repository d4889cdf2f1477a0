package tidemill

// answeredMax is how many answered ids a task remembers, the newest ones: enough to tell a second answer from one that
// was never asked. Older second answers count as unasked.
const answeredMax = 1 << 20

// answered remembers which ids have had their answer, and which: by 64-bit hashes, a ring in order of answer.
type answered struct {
	notes map[uint64]note
	ring  []uint64
	from  int // the oldest entry, once the ring is full
}

// note is an answer: half a hash of the table that was asked, half a hash of the label. 0 is an answer that was
// forgotten since: its row is gone, or goes by another id.
type note uint64

func noteOf(table uint64, label string) note {
	return note(table>>32<<32|Hash(label)>>32) | 1
}

// sameLabel reports whether both answers were the same.
func (n note) sameLabel(m note) bool { return uint32(n) == uint32(m) }

// corrected is n with the label of m.
func (n note) corrected(m note) note { return n>>32<<32 | m&(1<<32-1) }

func (n note) of(table uint64) bool { return uint64(n)>>32 == table>>32 }

func newAnswered() *answered { return &answered{notes: map[uint64]note{}} }

func (a *answered) find(id string) (note, bool) {
	n := a.notes[Hash(id)]
	return n, n != 0
}

func (a *answered) set(id string, n note) {
	h := Hash(id)
	if _, ok := a.notes[h]; !ok {
		if len(a.ring) < answeredMax {
			a.ring = append(a.ring, h)
		} else {
			delete(a.notes, a.ring[a.from])
			a.ring[a.from] = h
			a.from = (a.from + 1) % answeredMax
		}
	}
	a.notes[h] = n
}

// forget lets the next answer of id be its first.
func (a *answered) forget(id string) {
	if h := Hash(id); a.notes[h] != 0 {
		a.notes[h] = 0
	}
}

// forgetTable forgets the ids that were asked of a table, and says how many they were.
func (a *answered) forgetTable(table uint64) (n int) {
	for h, x := range a.notes {
		if x != 0 && x.of(table) {
			a.notes[h] = 0
			n++
		}
	}
	return n
}

func (a *answered) appendTo(b []byte) []byte {
	b = putUvarint(b, uint64(len(a.ring)))
	for i := range a.ring {
		h := a.ring[(a.from+i)%len(a.ring)]
		b = putU64(b, h)
		b = putU64(b, uint64(a.notes[h]))
	}
	return b
}

func (a *answered) read(d *decoder) {
	n := d.count(16)
	if n > answeredMax {
		d.fail()
		return
	}
	a.notes, a.ring, a.from = make(map[uint64]note, n), make([]uint64, n), 0
	for i := range a.ring {
		a.ring[i] = d.u64()
		a.notes[a.ring[i]] = note(d.u64())
	}
}
