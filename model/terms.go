package model

// termIndex numbers the hashes of sparse terms in the order in which they came: open addressing, at most three quarters
// full.
type termIndex struct {
	keys  []uint64
	slots []uint32 // place+1 in keys; 0 is free
}

// find is the place of key, or -1.
func (x *termIndex) find(key uint64) int {
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

// add is the place of key, which is made if need be.
func (x *termIndex) add(key uint64) int {
	if p := x.find(key); p >= 0 {
		return p
	}
	if 4*(len(x.keys)+1) > 3*len(x.slots) {
		x.slots = make([]uint32, max(16, 2*len(x.slots)))
		for p, k := range x.keys {
			x.put(k, uint32(p+1))
		}
	}
	x.keys = append(x.keys, key)
	x.put(key, uint32(len(x.keys)))
	return len(x.keys) - 1
}

func (x *termIndex) put(key uint64, place uint32) {
	mask := uint64(len(x.slots) - 1)
	i := key & mask
	for x.slots[i] != 0 {
		i = (i + 1) & mask
	}
	x.slots[i] = place
}
