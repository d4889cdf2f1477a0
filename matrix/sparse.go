package matrix

import (
	"fmt"
	"math/bits"
)

// Sparse says where a matrix is not 0, for products that leave zeros out.
type Sparse struct {
	x       Dense
	found   []int32 // per row: how many values are not 0
	columns []int32 // per row, x.Cols places: their columns
	values  []float32
	sets    []uint64 // per 64 rows, per column: a bit for each row that is not 0 there
}

// NewSparse has room for what is not 0 in x, which stays x's.
func NewSparse(x Dense) *Sparse {
	x.check("x")
	return &Sparse{x: x, found: make([]int32, x.Rows), columns: make([]int32, x.Rows*x.Cols),
		values: make([]float32, x.Rows*x.Cols), sets: make([]uint64, (x.Rows+63)/64*x.Cols)}
}

// Reset empties every row.
func (s *Sparse) Reset() {
	clear(s.found)
	clear(s.sets)
}

// Set looks at row i of x, which must be empty (of a new Sparse, or after Reset), and
// returns how many values are not 0.
func (s *Sparse) Set(i int) int {
	x, at := s.x.Row(i), i*s.x.Cols
	columns, values := s.columns[at:at+len(x)], s.values[at:at+len(x)]
	n, j := nonZeroBlocks(columns, values, x)
	for ; j < len(x); j++ {
		if v := x[j]; v != 0 {
			columns[n], values[n] = int32(j), v
			n++
		}
	}
	s.found[i] = int32(n)
	sets, bit := s.sets[i/64*s.x.Cols:][:s.x.Cols], uint64(1)<<(i%64)
	for _, j := range columns[:n] {
		sets[j] |= bit
	}
	return n
}

// row is what row i has.
func (s *Sparse) row(i int) (columns []int32, values []float32) {
	from, n := i*s.x.Cols, int(s.found[i])
	return s.columns[from : from+n], s.values[from : from+n]
}

// MulSparse sets c to the product of b and as many rows of a as c has, from row on, with the bits of Mul. All of b must
// be finite. It panics if the shapes do not fit.
func MulSparse(c Dense, a *Sparse, row int, b Dense) {
	if a.x.Cols != b.Rows || c.Cols != b.Cols || row < 0 || row+c.Rows > a.x.Rows {
		panic(fmt.Sprintf("matrix: %d x %d = rows from %d of %d x %d times %d x %d",
			c.Rows, c.Cols, row, a.x.Rows, a.x.Cols, b.Rows, b.Cols))
	}
	c.check("c")
	b.check("b")
	for i := range c.Rows {
		sum := c.Row(i)
		clear(sum)
		columns, values := a.row(row + i)
		if len(columns) > 0 && len(sum) > 0 {
			gather(sum, columns, values, b)
		}
		for j := plusZeroBlocks(sum); j < len(sum); j++ {
			sum[j] += 0
		}
	}
}

// TMulSparse sets g to the product of aᵀ and d, of which it is the rows from row on, with the bits of TMul. The sum
// runs over the first rows of a, as many as d has; the others must be empty. All of d must be finite. It panics if the
// shapes do not fit.
func TMulSparse(g Dense, a *Sparse, row int, d Dense) {
	if g.Cols != d.Cols || row < 0 || row+g.Rows > a.x.Cols || d.Rows > a.x.Rows {
		panic(fmt.Sprintf("matrix: %d x %d = rows from %d of (%d x %d)ᵀ times %d x %d",
			g.Rows, g.Cols, row, a.x.Rows, a.x.Cols, d.Rows, d.Cols))
	}
	g.check("g")
	d.check("d")
	if g.Rows == 0 || g.Cols == 0 {
		return
	}
	if d.Rows == 0 {
		for i := range g.Rows {
			clear(g.Row(i))
		}
	}
	for i := 0; i < d.Rows; i += 64 {
		collect(g, a.sets[i/64*a.x.Cols+row:][:g.Rows], a.x.Data[i*a.x.Stride+row:], a.x.Stride,
			d.RowRange(i, min(i+64, d.Rows)), i > 0)
	}
}

func plainGather(sum []float32, columns []int32, values []float32, b Dense) {
	for k, column := range columns {
		v := values[k]
		for j, w := range b.Row(int(column)) {
			sum[j] = fma32(v, w, sum[j])
		}
	}
}

// plainCollect is the gradient of some rows by at most 64 examples; x[i*ldx+p] is what example i has for row p.
func plainCollect(g Dense, sets []uint64, x []float32, ldx int, d Dense, add bool) {
	for p, set := range sets {
		sum := g.Row(p)
		if !add {
			clear(sum)
		}
		for ; set != 0; set &= set - 1 {
			i := bits.TrailingZeros64(set)
			v := x[i*ldx+p]
			for j, w := range d.Row(i) {
				sum[j] = fma32(v, w, sum[j])
			}
		}
		for j := range sum {
			sum[j] += 0
		}
	}
}
