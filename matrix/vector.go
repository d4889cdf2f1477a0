package matrix

import (
	"fmt"
	"math"
)

func sameLen(a, b int) {
	if a != b {
		panic(fmt.Sprintf("matrix: vectors of %d and %d elements", a, b))
	}
}

// Dot is the sum of x[i]*y[i]. Lane l of 32 adds, fused, the products l, l+32, l+64, ... of the whole blocks of 32; of
// what is left, blocks of 8 go to lanes 0 to 7; lanes are added as (0:8 + 8:16) + (16:24 + 24:32), then by halves; at
// most seven last products follow one by one. It panics if the lengths differ.
func Dot(x, y []float32) float32 {
	sameLen(len(x), len(y))
	s, i := dotBlocks(x, y)
	for ; i < len(x); i++ {
		s = fma32(x[i], y[i], s)
	}
	return s
}

// plainDot is Dot of the whole blocks of 8, and where they end.
func plainDot(x, y []float32) (float32, int) {
	var a [32]float32
	i := 0
	for ; i+32 <= len(x); i += 32 {
		x, y := x[i:][:32], y[i:][:32]
		for l := range a {
			a[l] = fma32(x[l], y[l], a[l])
		}
	}
	for ; i+8 <= len(x); i += 8 {
		x, y := x[i:][:8], y[i:][:8]
		for l := range 8 {
			a[l] = fma32(x[l], y[l], a[l])
		}
	}
	for l := range 8 {
		a[l] = (a[l] + a[8+l]) + (a[16+l] + a[24+l])
	}
	for h := 4; h > 0; h /= 2 {
		for l := range h {
			a[l] += a[l+h]
		}
	}
	return a[0], i
}

// Axpy adds a*x[i], fused, to y[i]. It panics if the lengths differ.
func Axpy(a float32, x, y []float32) {
	sameLen(len(x), len(y))
	for i := axpyBlocks(a, x, y); i < len(x); i++ {
		y[i] = fma32(a, x[i], y[i])
	}
}

// Add adds x[i] to y[i]. It panics if the lengths differ.
func Add(x, y []float32) {
	sameLen(len(x), len(y))
	for i := addBlocks(x, y); i < len(x); i++ {
		y[i] += x[i]
	}
}

// Scale multiplies every x[i] by a.
func Scale(a float32, x []float32) {
	for i := range x {
		x[i] *= a
	}
}

// AddRelu adds bias[i] to z[i] and makes it 0 if it is below. It panics if the lengths differ.
func AddRelu(bias, z []float32) {
	sameLen(len(bias), len(z))
	for i := addReluBlocks(bias, z); i < len(z); i++ {
		v := z[i] + bias[i]
		if v < 0 {
			v = 0
		}
		z[i] = v
	}
}

// ReluGrad sets d[i] to 0 where h[i], the output of a rectifier, is not above 0. It panics if the lengths differ.
func ReluGrad(h, d []float32) {
	sameLen(len(h), len(d))
	for i := reluGradBlocks(h, d); i < len(d); i++ {
		if !(h[i] > 0) {
			d[i] = 0
		}
	}
}

// Finite says that no element is infinite or NaN.
func Finite(x []float32) bool {
	ok, i := finiteBlocks(x)
	for ; i < len(x); i++ {
		ok = ok && x[i]-x[i] == 0
	}
	return ok
}

// MaxAbs is the largest magnitude in x, NaN if there is a NaN, 0 if x is empty.
func MaxAbs(x []float32) float32 {
	top, i := maxAbsBlocks(x)
	for ; i < len(x); i++ {
		top = max(top, math.Float32bits(x[i])&0x7fffffff)
	}
	return math.Float32frombits(top)
}

// Clean copies src to dst with 0 for NaN, and returns the largest magnitude. It panics if the lengths differ.
func Clean(dst, src []float32) float32 {
	sameLen(len(dst), len(src))
	top, i := cleanBlocks(dst, src)
	for ; i < len(src); i++ {
		v := src[i]
		if v != v {
			v = 0
		}
		dst[i] = v
		top = max(top, math.Float32bits(v)&0x7fffffff)
	}
	return math.Float32frombits(top)
}

// Max is the index of the largest element, the first of equals, or -1 if there is none. NaN is never the largest.
func Max(x []float32) int {
	at := -1
	for i, v := range x {
		if at < 0 && v == v || at >= 0 && v > x[at] {
			at = i
		}
	}
	return at
}

// Dot64 is the sum of x[i]*y[i] in float64: as Dot, with 16 lanes, blocks of 4 and halves of those. It panics if the
// lengths differ.
func Dot64(x, y []float64) float64 {
	sameLen(len(x), len(y))
	s, i := dot64Blocks(x, y)
	for ; i < len(x); i++ {
		s = math.FMA(x[i], y[i], s)
	}
	return s
}

func plainDot64(x, y []float64) (float64, int) {
	var a [16]float64
	i := 0
	for ; i+16 <= len(x); i += 16 {
		x, y := x[i:][:16], y[i:][:16]
		for l := range a {
			a[l] = math.FMA(x[l], y[l], a[l])
		}
	}
	for ; i+4 <= len(x); i += 4 {
		x, y := x[i:][:4], y[i:][:4]
		for l := range 4 {
			a[l] = math.FMA(x[l], y[l], a[l])
		}
	}
	for l := range 4 {
		a[l] = (a[l] + a[4+l]) + (a[8+l] + a[12+l])
	}
	return (a[0] + a[2]) + (a[1] + a[3]), i
}

// Axpy64 adds a*x[i], fused, to y[i] in float64. It panics if the lengths differ.
func Axpy64(a float64, x, y []float64) {
	sameLen(len(x), len(y))
	for i := axpy64Blocks(a, x, y); i < len(x); i++ {
		y[i] = math.FMA(a, x[i], y[i])
	}
}
