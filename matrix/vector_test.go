package matrix

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// wild is random values of all sizes, with zeros, infinities and NaN among them if odd.
func wild(r *rand.Rand, n int, odd bool) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = float32(math.Ldexp(r.NormFloat64(), r.IntN(60)-30))
		if r.IntN(10) == 0 {
			s[i] = float32(math.Copysign(0, r.NormFloat64()))
		}
		if odd && r.IntN(50) == 0 {
			s[i] = []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.MaxFloat32, 1e-40}[r.IntN(5)]
		}
	}
	return s
}

func wide(s []float32) []float64 {
	d := make([]float64, len(s))
	for i, v := range s {
		d[i] = float64(v) * 1.000000000123
	}
	return d
}

func narrowBits(s []float64) []float32 { // both halves of each, to compare bits with same
	d := make([]float32, 0, 2*len(s))
	for _, v := range s {
		b := math.Float64bits(v)
		if v != v {
			b = 0
		}
		d = append(d, math.Float32frombits(uint32(b>>32)&0x7f7fffff), math.Float32frombits(uint32(b)&0x7f7fffff))
	}
	return d
}

func dup[T any](s []T) []T { return append([]T(nil), s...) }

// Each vector function against its definition in Go, over all short lengths and some long ones.
func TestVectorsAreTheirDefinitions(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for n := range 300 {
		if n > 150 {
			n = r.IntN(5000)
		}
		odd := n%3 == 0
		x, y := wild(r, n, odd), wild(r, n, odd)
		at := fmt.Sprintf(" of %d", n)

		want, i := plainDot(x, y)
		for ; i < n; i++ {
			want = fma32(x[i], y[i], want)
		}
		same(t, "Dot"+at, []float32{Dot(x, y)}, []float32{want})

		x64, y64 := wide(x), wide(y)
		want64, i := plainDot64(x64, y64)
		for ; i < n; i++ {
			want64 = math.FMA(x64[i], y64[i], want64)
		}
		same(t, "Dot64"+at, narrowBits([]float64{Dot64(x64, y64)}), narrowBits([]float64{want64}))

		a := float32(r.NormFloat64())
		got, w := dup(y), dup(y)
		Axpy(a, x, got)
		for i := range w {
			w[i] = fma32(a, x[i], w[i])
		}
		same(t, "Axpy"+at, got, w)

		got64, w64 := dup(y64), dup(y64)
		Axpy64(float64(a), x64, got64)
		for i := range w64 {
			w64[i] = math.FMA(float64(a), x64[i], w64[i])
		}
		same(t, "Axpy64"+at, narrowBits(got64), narrowBits(w64))

		got, w = dup(y), dup(y)
		Add(x, got)
		for i := range w {
			w[i] += x[i]
		}
		same(t, "Add"+at, got, w)

		got, w = dup(y), dup(y)
		AddRelu(x, got)
		for i := range w {
			if w[i] += x[i]; w[i] < 0 {
				w[i] = 0
			}
		}
		same(t, "AddRelu"+at, got, w)

		got, w = dup(y), dup(y)
		ReluGrad(x, got)
		for i := range w {
			if !(x[i] > 0) {
				w[i] = 0
			}
		}
		same(t, "ReluGrad"+at, got, w)

		w = make([]float32, n)
		var top float32
		nan := false
		for i, v := range x {
			nan = nan || v != v
			if v != v {
				v = 0
			}
			w[i], top = v, max(top, max(v, -v))
		}
		got = make([]float32, n)
		same(t, "Clean's largest"+at, []float32{Clean(got, x)}, []float32{top})
		same(t, "Clean"+at, got, w)
		if nan {
			top = float32(math.NaN())
		}
		same(t, "MaxAbs"+at, []float32{MaxAbs(x)}, []float32{top})

		finite := true
		for _, v := range x {
			finite = finite && !math.IsInf(float64(v), 0) && v == v
		}
		if Finite(x) != finite {
			t.Fatalf("Finite%s = %v, want %v", at, !finite, finite)
		}
	}
}

func TestFiniteSeesEveryPlace(t *testing.T) {
	for n := 1; n < 40; n++ {
		for i := range n {
			for _, v := range []float64{math.Inf(1), math.Inf(-1), math.NaN()} {
				x := make([]float32, n)
				x[i] = float32(v)
				if Finite(x) {
					t.Fatalf("%v at %d of %d unseen", v, i, n)
				}
			}
		}
	}
}

func TestAdamIsItsDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for n := range 100 {
		odd := n%4 == 3
		w, m, v, g := wild(r, n, false), wild(r, n, false), wild(r, n, false), wild(r, n, odd)
		for i := range v {
			v[i] = max(v[i], -v[i])
		}
		a := NewAdam(0.001, 0.9, 0.999, 1e-7, 0.9*0.9, 0.999*0.999)
		w1, m1, v1 := dup(w), dup(m), dup(v)
		ok := a.Step(w1, m1, v1, g)
		okEach := true
		for i := range w { // length 1 is always the Go loop
			okEach = a.Step(w[i:i+1], m[i:i+1], v[i:i+1], g[i:i+1]) && okEach
		}
		same(t, "w", w1, w)
		same(t, "m", m1, m)
		same(t, "v", v1, v)
		if ok != okEach || ok != (Finite(w) && Finite(v)) {
			t.Fatalf("length %d: finite %v in blocks, %v one by one", n, ok, okEach)
		}
	}
}

// Two steps worked out in float64 from the published rule.
func TestAdamSteps(t *testing.T) {
	w, m, v := []float32{1}, []float32{0}, []float32{0}
	var mw, mm, mv, p1, p2 = 1.0, 0.0, 0.0, 1.0, 1.0
	for _, g := range []float64{0.5, -2, 0.25} {
		p1, p2 = p1*0.9, p2*0.999
		a := NewAdam(0.1, 0.9, 0.999, 1e-7, p1, p2)
		a.Step(w, m, v, []float32{float32(g)})
		mm, mv = 0.9*mm+0.1*g, 0.999*mv+0.001*g*g
		mw -= 0.1 * math.Sqrt(1-p2) / (1 - p1) * mm / (math.Sqrt(mv) + 1e-7)
		if math.Abs(float64(w[0])-mw) > 1e-6 {
			t.Fatalf("w = %v, want %v", w[0], mw)
		}
	}
}

func TestMomentumSteps(t *testing.T) {
	w, u, n, un := []float32{1}, []float32{0}, []float32{1}, []float32{0}
	for range 2 {
		Momentum(0.5, 0.5, false, w, u, []float32{1})
		Momentum(0.5, 0.5, true, n, un, []float32{1})
	}
	// u: -0.5, -0.75; w: 0.5, -0.25; nesterov adds 0.5u-0.5: -0.75, -0.875
	if w[0] != -0.25 || u[0] != -0.75 || n[0] != 1-0.75-0.875 {
		t.Fatalf("w %v u %v nesterov %v", w, u, n)
	}
}

func TestExpSigmoidTanh(t *testing.T) {
	for x := float32(-110); x < 95; x += 0.0137 {
		for name, c := range map[string][2]float64{
			"Exp":     {float64(Exp(x)), math.Exp(float64(x))},
			"Sigmoid": {float64(Sigmoid(x)), 1 / (1 + math.Exp(-float64(x)))},
			"Tanh":    {float64(Tanh(x)), math.Tanh(float64(x))},
		} {
			want := float32(c[1])
			ulp := math.Float32frombits(math.Float32bits(want)+1) - want
			if math.Abs(c[0]-c[1]) > math.Abs(float64(ulp)) && float32(c[0]) != want {
				t.Fatalf("%s(%v) = %v, want %v", name, x, c[0], c[1])
			}
		}
	}
	inf := float32(math.Inf(1))
	same(t, "ends", []float32{Exp(inf), Exp(-inf), Sigmoid(inf), Sigmoid(-inf), Tanh(inf), Tanh(-inf), Tanh(0.001), Exp(0)},
		[]float32{inf, 0, 1, Sigmoid(-700), 1, -1, 0.00099999967, 1})
	if v := Exp(float32(math.NaN())); v == v {
		t.Error("Exp(NaN) is a number")
	}
	if v := Tanh(float32(math.NaN())); v == v {
		t.Error("Tanh(NaN) is a number")
	}
	if v := Sigmoid(float32(math.NaN())); v == v {
		t.Error("Sigmoid(NaN) is a number")
	}
}

func TestSoftmax(t *testing.T) {
	z := []float32{1000, 1000, -1000}
	Softmax(z)
	same(t, "Softmax", z, []float32{0.5, 0.5, 0})
	z = []float32{1, float32(math.NaN())}
	Softmax(z)
	if z[0] == z[0] || z[1] == z[1] {
		t.Errorf("Softmax with a NaN = %v", z)
	}
	Softmax(nil)
}

func TestMax(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		x    []float32
		want int
	}{{nil, -1}, {[]float32{nan}, -1}, {[]float32{1, 2, 2}, 1}, {[]float32{nan, -1, nan, 0}, 3}} {
		if got := Max(c.x); got != c.want {
			t.Errorf("Max(%v) = %d, want %d", c.x, got, c.want)
		}
	}
}

func BenchmarkVector(b *testing.B) {
	for _, n := range []int{32, 1024} {
		r := rand.New(rand.NewPCG(1, 1))
		x, y := random(r, n), random(r, n)
		x64, y64 := wide(x), wide(y)
		run := func(name string, f func()) {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					f()
				}
			})
		}
		run("Dot", func() { Dot(x, y) })
		run("Axpy", func() { Axpy(1e-9, x, y) })
		run("Dot64", func() { Dot64(x64, y64) })
		run("Axpy64", func() { Axpy64(1e-9, x64, y64) })
	}
	z := make([]float32, 10)
	b.Run("Softmax/10", func(b *testing.B) {
		for b.Loop() {
			for i := range z {
				z[i] = float32(i)
			}
			Softmax(z)
		}
	})
}

func BenchmarkAdam(b *testing.B) {
	for _, n := range []int{2048, 100352} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w, m, v, g := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			for i := range g {
				g[i] = float32(i%7) - 3
			}
			a := NewAdam(0.001, 0.9, 0.999, 1e-7, 0.9, 0.999)
			for b.Loop() {
				a.Step(w, m, v, g)
			}
		})
	}
}
