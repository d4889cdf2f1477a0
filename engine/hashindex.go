package engine

// hashIndex finds the number of an entry by the entry's 64-bit hash: an open-addressed table of numbers, four bytes
// each, and nothing else, as the hashes lie with the entries. It is a fifth of what a map of the same would take.
type hashIndex struct {
	table []uint32 // an entry's number + 1; 0 is empty
	n     int
	hash  func(entry uint32) uint64
}

const hashIndexMin = 64

// first is where a search for h begins; next goes on. entry is false at its end.
func (x *hashIndex) first(h uint64) (at int, entry uint32, ok bool) {
	if len(x.table) == 0 {
		return 0, 0, false
	}
	return x.at(int(h) & (len(x.table) - 1))
}

func (x *hashIndex) next(at int) (int, uint32, bool) { return x.at((at + 1) & (len(x.table) - 1)) }

func (x *hashIndex) at(i int) (int, uint32, bool) { return i, x.table[i] - 1, x.table[i] != 0 }

// add puts an entry in; the caller knows that it is not there.
func (x *hashIndex) add(h uint64, entry uint32) {
	if (x.n+1)*5 > len(x.table)*4 {
		x.resize(max(2*len(x.table), hashIndexMin))
	}
	x.put(h, entry)
	x.n++
}

func (x *hashIndex) put(h uint64, entry uint32) {
	mask := len(x.table) - 1
	i := int(h) & mask
	for x.table[i] != 0 {
		i = (i + 1) & mask
	}
	x.table[i] = entry + 1
}

func (x *hashIndex) resize(size int) {
	old := x.table
	x.table = make([]uint32, size)
	for _, e := range old {
		if e != 0 {
			x.put(x.hash(e-1), e-1)
		}
	}
}

// remove takes an entry of hash h out, while its hash can still be asked for.
func (x *hashIndex) remove(h uint64, entry uint32) {
	i, e, ok := x.first(h)
	for ok && e != entry {
		i, e, ok = x.next(i)
	}
	if !ok {
		return
	}
	x.n--
	mask := len(x.table) - 1
	// What follows moves up, unless it would leave the run that begins at its own place (Knuth, algorithm 6.4 R).
	for j := i; ; {
		j = (j + 1) & mask
		if x.table[j] == 0 {
			break
		}
		home := int(x.hash(x.table[j]-1)) & mask
		if (j-home)&mask >= (j-i)&mask {
			x.table[i] = x.table[j]
			i = j
		}
	}
	x.table[i] = 0
	if len(x.table) > hashIndexMin && x.n*8 < len(x.table) {
		x.resize(len(x.table) / 2)
	}
}
