package matrix

import "fmt"

// product is c = a*b (+ c) where a's element (i, k) is a[i*ars+k*acs]: one loop serves a and its transpose.
type product struct {
	m, n, k  int
	a        []float32
	ars, acs int
	b        []float32
	ldb      int
	c        []float32
	ldc      int
	add      bool
}

// Mul sets c to a*b, or adds a*b to c if add is true. It panics if the shapes do not fit. c must not overlap a or b.
func Mul(c, a, b Dense, add bool) {
	if a.Cols != b.Rows || c.Rows != a.Rows || c.Cols != b.Cols {
		panic(fmt.Sprintf("matrix: %d x %d = %d x %d times %d x %d", c.Rows, c.Cols, a.Rows, a.Cols, b.Rows, b.Cols))
	}
	checkAll(c, a, b)
	p := product{m: c.Rows, n: c.Cols, k: a.Cols, a: a.Data, ars: a.Stride, acs: 1,
		b: b.Data, ldb: b.Stride, c: c.Data, ldc: c.Stride, add: add}
	p.run()
}

// TMul sets c to aᵀ*b, or adds it to c if add is true: the gradient of a layer's weights, where a holds its inputs and
// b the gradients of its outputs, one row per example. The sum runs over the rows of a and b in order.
func TMul(c, a, b Dense, add bool) {
	if a.Rows != b.Rows || c.Rows != a.Cols || c.Cols != b.Cols {
		panic(fmt.Sprintf("matrix: %d x %d = (%d x %d)ᵀ times %d x %d", c.Rows, c.Cols, a.Rows, a.Cols, b.Rows, b.Cols))
	}
	checkAll(c, a, b)
	p := product{m: c.Rows, n: c.Cols, k: a.Rows, a: a.Data, ars: 1, acs: a.Stride,
		b: b.Data, ldb: b.Stride, c: c.Data, ldc: c.Stride, add: add}
	p.run()
}

// MulT sets c to a*bᵀ, or adds it to c if add is true: the gradient of a layer's inputs, where a holds the gradients of
// its outputs and b its weights. It transposes into scratch, which it returns, grown if need be.
func MulT(c, a, b Dense, add bool, scratch []float32) []float32 {
	if a.Cols != b.Cols || c.Rows != a.Rows || c.Cols != b.Rows {
		panic(fmt.Sprintf("matrix: %d x %d = %d x %d times (%d x %d)ᵀ", c.Rows, c.Cols, a.Rows, a.Cols, b.Rows, b.Cols))
	}
	checkAll(c, a, b)
	m, n, k := c.Rows, c.Cols, a.Cols
	if m*(k+n) > n*k { // many rows: transpose b
		scratch = grow(scratch, n*k)
		bt := Of(k, n, scratch)
		Transpose(bt, b)
		Mul(c, a, bt, add)
		return scratch
	}
	// few rows: cᵀ = b*aᵀ
	scratch = grow(scratch, m*(k+n))
	at, ct := Of(k, m, scratch), Of(n, m, scratch[k*m:])
	Transpose(at, a)
	if add {
		Transpose(ct, c)
	}
	Mul(ct, b, at, add)
	Transpose(c, ct)
	return scratch
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return make([]float32, n)
	}
	return s[:n]
}

func checkAll(c, a, b Dense) {
	c.check("c")
	a.check("a")
	b.check("b")
}

func (p *product) run() {
	switch {
	case p.m == 0 || p.n == 0:
	case p.k == 0:
		for i := range p.m {
			row := p.c[i*p.ldc:][:p.n]
			for j := range row {
				if p.add {
					row[j] += 0
				} else {
					row[j] = 0
				}
			}
		}
	default:
		p.tiles()
	}
}

// plain is the product in Go, of the rows from i0 and the columns from j0.
func (p *product) plain(i0, j0 int) {
	for i := i0; i < p.m; i++ {
		c := p.c[i*p.ldc:][j0:p.n]
		if !p.add {
			clear(c)
		}
		for k := range p.k {
			a, b := p.a[i*p.ars+k*p.acs], p.b[k*p.ldb:][j0:p.n]
			for j, v := range b {
				c[j] = fma32(a, v, c[j])
			}
		}
		for j := range c {
			c[j] += 0
		}
	}
}
