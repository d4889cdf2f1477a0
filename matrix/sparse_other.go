//go:build purego || !amd64

package matrix

// SparseShare is the share of values that are not 0 below which MulSparse and TMulSparse are faster than Mul and TMul.
func SparseShare() float64 { return plainShare }

func plusZeroBlocks(x []float32) int { return 0 }

func nonZeroBlocks(columns []int32, values, x []float32) (n, end int) { return 0, 0 }

func gather(sum []float32, columns []int32, values []float32, b Dense) {
	plainGather(sum, columns, values, b)
}

func collect(g Dense, sets []uint64, x []float32, ldx int, d Dense, add bool) {
	plainCollect(g, sets, x, ldx, d, add)
}
