package matrix

import "math"

// fma32 is x*y + z rounded once to float32, as the fused instructions round it, on any machine.
//
// The product of two float32 is exact in float64. The sum is rounded twice, to float64 and to float32, which differs
// from rounding once only if the first rounding hits a float32 tie or the result is subnormal. There the float64 sum is
// rounded to odd instead, after which the second rounding is right (Boldo and Melquiond, "Emulation of a FMA and
// correctly-rounded sums: proved algorithms using rounding to odd", IEEE TC 2008).
func fma32(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z)
	s := p + c
	b := math.Float64bits(s)
	if b&0x1fffffff != 0x10000000 && b<<1 >= 0x381<<53 || s == 0 {
		return float32(s)
	}
	return fmaOdd(p, c, s)
}

// fmaOdd rounds p + c, whose nearest float64 is s, to float32.
func fmaOdd(p, c, s float64) float32 {
	t := s - p
	err := (p - (s - t)) + (c - t)
	b := math.Float64bits(s)
	if b&1 == 0 && err != 0 && err == err {
		if (err > 0) == (s > 0) {
			b++
		} else {
			b--
		}
	}
	return float32(math.Float64frombits(b))
}
