package model

import "math"

// splitMix is the SplitMix64 generator. (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014.)
type splitMix uint64

func (s *splitMix) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// unit is a number in [0, 1).
func (s *splitMix) unit() float64 { return float64(s.next()>>11) / (1 << 53) }

// normal is a number of the standard normal distribution (Box and Muller, 1958).
func (s *splitMix) normal() float64 {
	u := 1 - s.unit()
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*s.unit())
}

// begin chooses the centres among the waiting rows by k-means++, each time the best of 2+ln k draws, and then learns
// the rows as one batch: so every centre has a weight from the start.
func (m *kmeans) begin() {
	m.room()
	rows := len(m.startW)
	row := func(i int) []float64 { return m.start[i*m.cols : (i+1)*m.cols] }
	rng := splitMix(m.set.Seed)
	trials := 2 + int(math.Log(float64(m.set.K)))
	near := make([]float64, rows) // squared distance to the nearest centre so far
	for i := range near {
		near[i] = math.Inf(1)
	}
	for c := range m.set.K {
		pick, least := int(rng.next()%uint64(rows)), math.Inf(1)
		if c > 0 {
			var total float64
			for _, d := range near {
				total += d
			}
			for range trials {
				at := draw(near, rng.unit()*total)
				var sum float64
				for i := range near {
					sum += min(near[i], squaredDistance(row(at), row(i)))
				}
				if sum < least {
					least, pick = sum, at
				}
			}
		}
		centre := m.centres[c*m.cols : (c+1)*m.cols]
		for j, v := range row(pick) {
			if !known(v) {
				v = 0
			}
			centre[j] = v
		}
		for i := range near {
			near[i] = min(near[i], squaredDistance(centre, row(i)))
		}
	}
	m.weigh()
	start, weights := m.start, m.startW
	m.start, m.startW = nil, nil
	for i, w := range weights {
		m.add(start[i*m.cols:(i+1)*m.cols], w)
	}
	m.step()
}

// draw is the index whose share of the sum covers r.
func draw(share []float64, r float64) int {
	for i, s := range share {
		if r -= s; r < 0 {
			return i
		}
	}
	return len(share) - 1
}
