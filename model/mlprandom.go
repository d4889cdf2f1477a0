package model

// random is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): a stream
// of numbers that depends on its seed only.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit is uniform in [0, 1).
func (r *random) unit() float64 { return float64(r.next()>>11) / (1 << 53) }

// streamOf is the stream of one use of a seed: the first weights or the dropout of one layer, for one row.
func streamOf(seed, use, row uint64) random {
	r := random(seed)
	r = random(r.next() ^ use*0xd1342543de82ef95)
	return random(r.next() ^ row*0xaf251af3b0f025b5)
}

// drop sets a share of h to 0 and scales the rest so that the mean stays.
func (r *random) drop(share float64, h []float32) {
	limit, scale := uint32(share*(1<<32)), float32(1/(1-share))
	var bits uint64
	for i := range h {
		if i&1 == 0 {
			bits = r.next()
		} else {
			bits >>= 32
		}
		if uint32(bits) < limit {
			h[i] = 0
		} else {
			h[i] *= scale
		}
	}
}
