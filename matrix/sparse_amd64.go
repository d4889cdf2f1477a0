//go:build !purego

package matrix

//go:noescape
func nonZeroAVX2(columns *int32, values, x *float32, n int) int

//go:noescape
func plusZeroAVX2(x *float32, n int)

// SparseShare is the share of values that are not 0 below which MulSparse and TMulSparse are faster than Mul and TMul.
func SparseShare() float64 {
	if vector() {
		return 0.35
	}
	return 1
}

func plusZeroBlocks(x []float32) int {
	n := len(x) &^ 7
	if n == 0 || !vector() {
		return 0
	}
	plusZeroAVX2(&x[0], n)
	return n
}

// nonZeroBlocks does the whole blocks of 8. A block writes 8 places, which end before those
// that its columns could take.
func nonZeroBlocks(columns []int32, values, x []float32) (n, end int) {
	end = len(x) &^ 7
	if end == 0 || !vector() {
		return 0, 0
	}
	return nonZeroAVX2(&columns[0], &values[0], &x[0], end), end
}

func gather(sum []float32, columns []int32, values []float32, b Dense) {
	if !vector() {
		plainGather(sum, columns, values, b)
		return
	}
	n, index, value, ldb := len(columns), &columns[0], &values[0], 4*b.Stride
	j := 0
	for ; j+64 <= len(sum); j += 64 {
		gather64AVX2(n, index, value, &sum[j], &b.Data[j], ldb, nil)
	}
	if j+32 <= len(sum) {
		gather32AVX2(n, index, value, &sum[j], &b.Data[j], ldb, nil)
		j += 32
	}
	if j+16 <= len(sum) {
		gather16AVX2(n, index, value, &sum[j], &b.Data[j], ldb, nil)
		j += 16
	}
	for ; j < len(sum); j += 8 {
		gather8AVX2(n, index, value, &sum[j], &b.Data[j], ldb, &tailMask[8-min(8, len(sum)-j)])
	}
}

func collect(g Dense, sets []uint64, x []float32, ldx int, d Dense, add bool) {
	if !vector() {
		plainCollect(g, sets, x, ldx, d, add)
		return
	}
	n, set, from, old := len(sets), &sets[0], &x[0], 0
	if add {
		old = 1
	}
	ldx, ldd, ldg := 4*ldx, 4*d.Stride, 4*g.Stride
	j := 0
	for ; j+64 <= g.Cols; j += 64 {
		collect64AVX2(n, set, from, ldx, &d.Data[j], ldd, &g.Data[j], ldg, old, nil)
	}
	if j+32 <= g.Cols {
		collect32AVX2(n, set, from, ldx, &d.Data[j], ldd, &g.Data[j], ldg, old, nil)
		j += 32
	}
	if j+16 <= g.Cols {
		collect16AVX2(n, set, from, ldx, &d.Data[j], ldd, &g.Data[j], ldg, old, nil)
		j += 16
	}
	for ; j < g.Cols; j += 8 {
		collect8AVX2(n, set, from, ldx, &d.Data[j], ldd, &g.Data[j], ldg, old, &tailMask[8-min(8, g.Cols-j)])
	}
}
