package matrix

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// thin sets most values to 0, some of them to -0.
func thin(r *rand.Rand, d Dense) Dense {
	for i := range d.Data {
		if r.IntN(5) > 0 {
			d.Data[i] *= 0
		}
	}
	return d
}

func sparseOf(d Dense) *Sparse {
	s := NewSparse(d)
	for i := range d.Rows {
		s.Set(i)
	}
	return s
}

// Products of sparse rows have the bits of the plain ones.
func TestSparseIsDense(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for range 120 {
		m, n, k := sizes(r)
		at := fmt.Sprintf(" %d x %d x %d", m, n, k)
		a, b, d := thin(r, randomDense(r, m, k)), randomDense(r, k, n), randomDense(r, m, n)
		if m > 0 && k > 0 && r.IntN(2) == 0 { // sums that underflow to -0
			Scale(1e-30, a.Data)
			Scale(1e-30, b.Data)
			Scale(1e-30, d.Data)
		}
		s := sparseOf(a)
		for i := range m {
			var columns []int32
			var values []float32
			for j, v := range a.Row(i) {
				if v != 0 {
					columns, values = append(columns, int32(j)), append(values, v)
				}
			}
			c, v := s.row(i)
			same(t, "values"+at, v, values)
			if fmt.Sprint(c) != fmt.Sprint(columns) && len(c)+len(columns) > 0 {
				t.Fatalf("columns%s: %v, want %v", at, c, columns)
			}
		}
		want, got := Of(m, n, make([]float32, m*n)), Of(m, n, make([]float32, m*n))
		Mul(want, a, b, false)
		cut := r.IntN(m + 1)
		MulSparse(got.RowRange(0, cut), s, 0, b)
		MulSparse(got.RowRange(cut, m), s, cut, b)
		same(t, "MulSparse"+at, got.Data, want.Data)
		for i := range m {
			sum := make([]float32, n)
			columns, values := s.row(i)
			plainGather(sum, columns, values, b)
			for j := range sum {
				sum[j] += 0
			}
			same(t, "plainGather"+at, sum, want.Row(i))
		}

		want, got = Of(k, n, make([]float32, k*n)), Of(k, n, random(r, k*n))
		TMul(want, a, d, false)
		for i := 0; i < k; {
			end := min(i+1+r.IntN(20), k)
			TMulSparse(got.RowRange(i, end), s, i, d)
			i = end
		}
		same(t, "TMulSparse"+at, got.Data, want.Data)

		plain := Of(k, n, random(r, k*n))
		for i := 0; i < m && k > 0; i += 64 {
			plainCollect(plain, s.sets[i/64*k:][:k], a.Data[i*a.Stride:], a.Stride, d.RowRange(i, min(i+64, m)), i > 0)
		}
		if m > 0 {
			same(t, "plain TMulSparse"+at, plain.Data, want.Data)
		}
		s.Reset()
		if m > 0 && k > 0 {
			a.Data[0] = 3
			s.Set(0)
			same(t, "again"+at, s.values[:1], []float32{3})
		}
	}
}

func BenchmarkSparse(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	const m, n, k = 32, 64, 784
	for _, share := range []float64{0.1, 0.19, 0.4} {
		a, w, d := Of(m, k, random(r, m*k)), Of(k, n, random(r, k*n)), Of(m, n, random(r, m*n))
		for i := range a.Data {
			if a.Data[i] = r.Float32(); r.Float64() > share {
				a.Data[i] = 0
			}
		}
		s, c := sparseOf(a), Of(m, n, make([]float32, m*n))
		g := Of(k, n, make([]float32, k*n))
		b.Run(fmt.Sprintf("Set/%v", share), func(b *testing.B) {
			for b.Loop() {
				s.Set(0)
			}
		})
		b.Run(fmt.Sprintf("Mul/%v", share), func(b *testing.B) {
			for b.Loop() {
				MulSparse(c, s, 0, w)
			}
		})
		b.Run(fmt.Sprintf("TMul/%v", share), func(b *testing.B) {
			for b.Loop() {
				TMulSparse(g, s, 0, d)
			}
		})
	}
}
