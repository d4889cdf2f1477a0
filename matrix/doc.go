// Package matrix is the arithmetic under the models: products of float32 matrices, the vector operations around them,
// softmax, and the steps of the optimizers.
//
// # Same bits
//
// Every function gives the same bits on every machine and along every path: assembly or Go, one core or several,
// amd64 or arm64. Only the payload of a NaN may differ. Two rules make it so.
//
// An element of a product is one chain of fused multiply-adds over k in ascending order, rounded to float32 at each
// step, from +0 or from the element's old value:
//
//	c = fma(a[i][0], b[0][j], c); c = fma(a[i][1], b[1][j], c); ...; c = c + 0
//
// The last addition stores a zero as +0. Tiles, tails, packing and cores only choose which elements are computed
// together, never the order inside one. So row i of a product has the same bits alone, in a block of any size, and on
// any number of cores; and a product accumulated over several calls has the bits of one call over the rows laid end to
// end. For the same reason a term whose a is zero may be left out where all of b is finite: fma(0, b, c) is c but for
// the sign of a zero, which the last addition settles.
//
// Sums over one vector (Dot, Dot64) have a fixed shape that fits the vector units: 32 lanes of float32 or 16 of
// float64, added in a fixed tree. It is written down at each function.
//
// # Cores
//
// A Crew shares the blocks of a loop among cores. Products are split by rows or columns of the result, never inside a
// sum.
//
// # Paths
//
// On amd64 with AVX2 and FMA and on arm64 the loops are assembly, chosen at run time on amd64; everywhere else, and
// under the build tag purego, they are Go. Lengths are checked before assembly runs: a slice that is too short panics.
package matrix

//go:generate go run tiles_gen.go
