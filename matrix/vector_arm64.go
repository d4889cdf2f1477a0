//go:build !purego

package matrix

// Each of these does the whole blocks of n elements and is called only for n above 0, a multiple of the block.

//go:noescape
func dotNEON(x, y *float32, n int) float32

//go:noescape
func dot64NEON(x, y *float64, n int) float64

//go:noescape
func axpyNEON(a float32, x, y *float32, n int)

//go:noescape
func axpy64NEON(a float64, x, y *float64, n int)

//go:noescape
func adamNEON(a *Adam, w, m, v, grad *float32, n int) bool

func dotBlocks(x, y []float32) (float32, int) {
	n := len(x) &^ 7
	if n == 0 {
		return 0, 0
	}
	return dotNEON(&x[0], &y[0], n), n
}

func dot64Blocks(x, y []float64) (float64, int) {
	n := len(x) &^ 3
	if n == 0 {
		return 0, 0
	}
	return dot64NEON(&x[0], &y[0], n), n
}

func axpyBlocks(a float32, x, y []float32) int {
	n := len(x) &^ 7
	if n > 0 {
		axpyNEON(a, &x[0], &y[0], n)
	}
	return n
}

func axpy64Blocks(a float64, x, y []float64) int {
	n := len(x) &^ 3
	if n > 0 {
		axpy64NEON(a, &x[0], &y[0], n)
	}
	return n
}

func (a *Adam) blocks(w, m, v, g []float32) (bool, int) {
	n := len(w) &^ 3
	if n == 0 {
		return true, 0
	}
	return adamNEON(a, &w[0], &m[0], &v[0], &g[0], n), n
}

func addBlocks(x, y []float32) int               { return 0 }
func addReluBlocks(bias, z []float32) int        { return 0 }
func reluGradBlocks(h, d []float32) int          { return 0 }
func finiteBlocks(x []float32) (bool, int)       { return true, 0 }
func maxAbsBlocks(x []float32) (uint32, int)     { return 0, 0 }
func cleanBlocks(dst, x []float32) (uint32, int) { return 0, 0 }

// plainShare is SparseShare where only the sparse products are in Go.
const plainShare = 0.04
