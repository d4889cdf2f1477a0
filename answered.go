package tidemill

// answeredMax is how many answered ids a task remembers, the newest ones: enough to tell a second answer from one that
// was never asked. Older second answers count as unasked.
const answeredMax = 1 << 20

// answered remembers which ids have had their answer, and which: by 64-bit hashes, a ring in order of answer.
type answered struct {
	label map[uint64]uint64
	ring  []uint64
	from  int // the oldest entry, once the ring is full
}

func newAnswered() *answered { return &answered{label: map[uint64]uint64{}} }

func (a *answered) find(id string) (label uint64, ok bool) {
	label, ok = a.label[Hash(id)]
	return
}

func (a *answered) set(id string, label uint64) {
	h := Hash(id)
	if _, ok := a.label[h]; !ok {
		if len(a.ring) < answeredMax {
			a.ring = append(a.ring, h)
		} else {
			delete(a.label, a.ring[a.from])
			a.ring[a.from] = h
			a.from = (a.from + 1) % answeredMax
		}
	}
	a.label[h] = label
}

func (a *answered) appendTo(b []byte) []byte {
	b = putUvarint(b, uint64(len(a.ring)))
	for i := range a.ring {
		h := a.ring[(a.from+i)%len(a.ring)]
		b = putU64(b, h)
		b = putU64(b, a.label[h])
	}
	return b
}

func (a *answered) read(d *decoder) {
	n := d.count(16)
	if n > answeredMax {
		d.fail()
		return
	}
	a.label, a.ring, a.from = make(map[uint64]uint64, n), make([]uint64, n), 0
	for i := range a.ring {
		a.ring[i] = d.u64()
		a.label[a.ring[i]] = d.u64()
	}
}
