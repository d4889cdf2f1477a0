//go:build purego || !(amd64 || arm64)

package matrix

func dotBlocks(x, y []float32) (float32, int)           { return plainDot(x, y) }
func dot64Blocks(x, y []float64) (float64, int)         { return plainDot64(x, y) }
func axpyBlocks(a float32, x, y []float32) int          { return 0 }
func axpy64Blocks(a float64, x, y []float64) int        { return 0 }
func addBlocks(x, y []float32) int                      { return 0 }
func addReluBlocks(bias, z []float32) int               { return 0 }
func reluGradBlocks(h, d []float32) int                 { return 0 }
func finiteBlocks(x []float32) (bool, int)              { return true, 0 }
func maxAbsBlocks(x []float32) (uint32, int)            { return 0, 0 }
func cleanBlocks(dst, src []float32) (uint32, int)      { return 0, 0 }
func (a *Adam) blocks(w, m, v, g []float32) (bool, int) { return true, 0 }

// plainShare is SparseShare where sparse and other products are both in Go.
const plainShare = 1
