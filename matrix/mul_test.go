package matrix

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func random(r *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(r.NormFloat64())
		switch r.IntN(8) {
		case 0:
			s[i] = 0
		case 1:
			s[i] = float32(math.Copysign(0, -1))
		}
	}
	return s
}

func randomDense(r *rand.Rand, rows, cols int) Dense {
	stride := cols + r.IntN(5)
	return Dense{rows, cols, stride, random(r, rows*stride)}
}

func clone(d Dense) Dense {
	d.Data = append([]float32(nil), d.Data...)
	return d
}

// same is bit equality, but for the payload of NaNs.
func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i, g := range got {
		w := want[i]
		if math.Float32bits(g) != math.Float32bits(w) && !(g != g && w != w) {
			t.Fatalf("%s: [%d] = %v (%08x), want %v (%08x)", what, i, g, math.Float32bits(g), w, math.Float32bits(w))
		}
	}
}

func sizes(r *rand.Rand) (m, n, k int) {
	edge := []int{0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 13, 15, 16, 17, 31, 32, 33, 47, 64, 65, 128}
	pick := func() int {
		if r.IntN(3) == 0 {
			return r.IntN(70)
		}
		return edge[r.IntN(len(edge))]
	}
	return pick(), pick(), pick()
}

// naive is the definition in doc.go, element by element.
func naive(c Dense, k int, a, b func(i, j int) float32, add bool) {
	for i := range c.Rows {
		for j := range c.Cols {
			var s float32
			if add {
				s = c.Row(i)[j]
			}
			for l := range k {
				s = fma32(a(i, l), b(l, j), s)
			}
			c.Row(i)[j] = s + 0
		}
	}
}

func TestProductsAreTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		m, n, k := sizes(r)
		for _, add := range []bool{false, true} {
			at := fmt.Sprintf("%d x %d x %d add %v", m, n, k, add)
			c := randomDense(r, m, n)
			check := func(name string, a, b Dense, ta, tb bool, mul func(c Dense)) {
				want, got := clone(c), clone(c)
				naive(want, k, func(i, l int) float32 {
					if ta {
						i, l = l, i
					}
					return a.Row(i)[l]
				}, func(l, j int) float32 {
					if tb {
						l, j = j, l
					}
					return b.Row(l)[j]
				}, add)
				mul(got)
				same(t, name+" "+at, got.Data, want.Data)
			}
			a, b := randomDense(r, m, k), randomDense(r, k, n)
			at2, bt := randomDense(r, k, m), randomDense(r, n, k)
			check("Mul", a, b, false, false, func(c Dense) { Mul(c, a, b, add) })
			check("TMul", at2, b, true, false, func(c Dense) { TMul(c, at2, b, add) })
			check("MulT", a, bt, false, true, func(c Dense) { MulT(c, a, bt, add, nil) })
		}
	}
}

// The product in Go, which machines without the assembly use, has the bits of the definition, whole and from any row and column on.
func TestPlainProduct(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		m, n, k := sizes(r)
		for _, add := range []bool{false, true} {
			a, at, b, c := randomDense(r, m, k), randomDense(r, k, m), randomDense(r, k, n), randomDense(r, m, n)
			for _, from := range [][2]int{{0, 0}, {r.IntN(m + 1), r.IntN(n + 1)}} {
				i0, j0 := from[0], from[1]
				for _, transposed := range []bool{false, true} {
					want, got := clone(c), clone(c)
					left := func(i, l int) float32 { return a.Row(i)[l] }
					p := product{m: m, n: n, k: k, a: a.Data, ars: a.Stride, acs: 1, b: b.Data, ldb: b.Stride, c: got.Data, ldc: got.Stride, add: add}
					if transposed {
						left = func(i, l int) float32 { return at.Row(l)[i] }
						p.a, p.ars, p.acs = at.Data, 1, at.Stride
					}
					naive(want.RowRange(i0, m).ColRange(j0, n), k, func(i, l int) float32 { return left(i0+i, l) },
						func(l, j int) float32 { return b.Row(l)[j0+j] }, add)
					p.plain(i0, j0)
					same(t, fmt.Sprintf("%d x %d x %d from %d, %d add %v transposed %v", m, n, k, i0, j0, add, transposed), got.Data, want.Data)
				}
			}
		}
	}
}

// Row i has the same bits alone and in any block, and a sum over k may be cut anywhere.
func TestCutsDoNotShow(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		m, n, k := sizes(r)
		a, b := randomDense(r, m, k), randomDense(r, k, n)
		c := Of(m, n, make([]float32, m*n))
		Mul(c, a, b, false)
		row := Of(1, n, make([]float32, n))
		for i := range m {
			Mul(row, a.RowRange(i, i+1), b, false)
			same(t, fmt.Sprintf("row %d of %d x %d x %d", i, m, n, k), row.Data, c.Row(i))
		}
		cut, d := r.IntN(k+1), Of(m, n, make([]float32, m*n))
		Mul(d, a.ColRange(0, cut), b.RowRange(0, cut), false)
		Mul(d, a.ColRange(cut, k), b.RowRange(cut, k), true)
		same(t, "sum in two", d.Data, c.Data)
		cut = r.IntN(n + 1)
		Mul(d.ColRange(0, cut), a, b.ColRange(0, cut), false)
		Mul(d.ColRange(cut, n), a, b.ColRange(cut, n), false)
		same(t, "columns in two", d.Data, c.Data)
	}
}

func TestProductOfNonFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	a := Of(2, 3, []float32{1, 0, 2, nan, 1, 1})
	b := Of(3, 2, []float32{1, 2, inf, 1, 1, -inf})
	c := Of(2, 2, make([]float32, 4))
	Mul(c, a, b, false)
	same(t, "non-finite", c.Data, []float32{nan, float32(math.Inf(-1)), nan, nan})
}

func TestShortSlicePanics(t *testing.T) {
	for name, f := range map[string]func(){
		"short a": func() {
			Mul(Of(2, 2, make([]float32, 4)), Dense{2, 2, 2, make([]float32, 3)}, Of(2, 2, make([]float32, 4)), false)
		},
		"short c": func() {
			Mul(Dense{2, 2, 3, make([]float32, 4)}, Of(2, 2, make([]float32, 4)), Of(2, 2, make([]float32, 4)), false)
		},
		"shape": func() {
			TMul(Of(2, 2, make([]float32, 4)), Of(3, 2, make([]float32, 6)), Of(2, 2, make([]float32, 4)), false)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestFMA32RoundsOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	exact := func(x, y, z float32) float32 {
		p := new(big.Float).SetPrec(2000).Mul(big.NewFloat(float64(x)), big.NewFloat(float64(y)))
		f, _ := p.Add(p, big.NewFloat(float64(z))).Float32()
		return f
	}
	for i := range 200000 {
		x, y, z := math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32()), math.Float32frombits(r.Uint32())
		switch i % 4 {
		case 0: // ties of the sum, just off
			x, y = float32(1+r.IntN(1<<12)), float32(1+r.IntN(1<<12))
			z = float32(math.Ldexp(1+r.Float64(), 20+r.IntN(30)))
		case 1:
			x = math.Float32frombits(uint32(r.IntN(1 << 24)))
			z = math.Float32frombits(uint32(r.IntN(1 << 24)))
			y = float32(r.NormFloat64())
		case 2:
			x = float32(math.Ldexp(float64(1<<23+r.IntN(1<<23)), -60))
			y = float32(math.Ldexp(float64(1<<23+r.IntN(1<<23)), -20))
			z = float32(math.Ldexp(float64(1<<23+r.IntN(1<<23)), r.IntN(60)-60))
		}
		if bad := func(f float32) bool { return f != f || math.IsInf(float64(f), 0) }; bad(x) || bad(y) || bad(z) {
			continue
		}
		g, w := fma32(x, y, z), exact(x, y, z)
		if math.Float32bits(g) != math.Float32bits(w) && !(g == 0 && w == 0) {
			t.Fatalf("fma32(%x, %x, %x) = %x, want %x", x, y, z, g, w)
		}
	}
}

func BenchmarkGemm(b *testing.B) {
	for _, s := range [][3]int{{32, 128, 784}, {64, 128, 784}, {128, 128, 784}, {32, 64, 784}, {1, 128, 784}, {32, 10, 128}, {64, 64, 64}, {256, 256, 256}, {512, 512, 512}} {
		m, n, k := s[0], s[1], s[2]
		r := rand.New(rand.NewPCG(1, 1))
		a, w, c := Of(m, k, random(r, m*k)), Of(k, n, random(r, k*n)), Of(m, n, make([]float32, m*n))
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%dx%dx%d", name, m, n, k), func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(2*float64(m*n*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOPS")
			})
		}
		run("Mul", func() { Mul(c, a, w, false) })
		run("TMul", func() { TMul(w, a, c, false) }) // n*k results, m terms each
		var scratch []float32
		run("MulT", func() { scratch = MulT(a, c, w, false, scratch) })
	}
}
