//go:build !purego

package matrix

// Each of these does the whole blocks of n elements and is called only for n above 0, a multiple of the block.

//go:noescape
func dotAVX2(x, y *float32, n int) float32

//go:noescape
func dot64AVX2(x, y *float64, n int) float64

//go:noescape
func axpyAVX2(a float32, x, y *float32, n int)

//go:noescape
func axpy64AVX2(a float64, x, y *float64, n int)

//go:noescape
func addAVX2(x, y *float32, n int)

//go:noescape
func addReluAVX2(bias, z *float32, n int)

//go:noescape
func reluGradAVX2(h, d *float32, n int)

//go:noescape
func finiteAVX2(x *float32, n int) bool

//go:noescape
func maxAbsAVX2(x *float32, n int) uint32

//go:noescape
func cleanAVX2(dst, src *float32, n int) uint32

//go:noescape
func adamAVX2(a *Adam, w, m, v, grad *float32, n int) bool

func dotBlocks(x, y []float32) (float32, int) {
	n := len(x) &^ 7
	if n == 0 || !vector() {
		return plainDot(x, y)
	}
	return dotAVX2(&x[0], &y[0], n), n
}

func dot64Blocks(x, y []float64) (float64, int) {
	n := len(x) &^ 3
	if n == 0 || !vector() {
		return plainDot64(x, y)
	}
	return dot64AVX2(&x[0], &y[0], n), n
}

func axpyBlocks(a float32, x, y []float32) int {
	n := len(x) &^ 7
	if n == 0 || !vector() {
		return 0
	}
	axpyAVX2(a, &x[0], &y[0], n)
	return n
}

func axpy64Blocks(a float64, x, y []float64) int {
	n := len(x) &^ 3
	if n == 0 || !vector() {
		return 0
	}
	axpy64AVX2(a, &x[0], &y[0], n)
	return n
}

func addBlocks(x, y []float32) int {
	n := len(x) &^ 7
	if n == 0 || !vector() {
		return 0
	}
	addAVX2(&x[0], &y[0], n)
	return n
}

func addReluBlocks(bias, z []float32) int {
	n := len(z) &^ 7
	if n == 0 || !vector() {
		return 0
	}
	addReluAVX2(&bias[0], &z[0], n)
	return n
}

func reluGradBlocks(h, d []float32) int {
	n := len(d) &^ 7
	if n == 0 || !vector() {
		return 0
	}
	reluGradAVX2(&h[0], &d[0], n)
	return n
}

func finiteBlocks(x []float32) (bool, int) {
	n := len(x) &^ 7
	if n == 0 || !vector() {
		return true, 0
	}
	return finiteAVX2(&x[0], n), n
}

func (a *Adam) blocks(w, m, v, g []float32) (bool, int) {
	n := len(w) &^ 7
	if n == 0 || !vector() {
		return true, 0
	}
	return adamAVX2(a, &w[0], &m[0], &v[0], &g[0], n), n
}

func maxAbsBlocks(x []float32) (uint32, int) {
	n := len(x) &^ 7
	if n == 0 || !vector() {
		return 0, 0
	}
	return maxAbsAVX2(&x[0], n), n
}

func cleanBlocks(dst, src []float32) (uint32, int) {
	n := len(src) &^ 7
	if n == 0 || !vector() {
		return 0, 0
	}
	return cleanAVX2(&dst[0], &src[0], n), n
}
