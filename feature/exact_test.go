package feature

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// bigSum is the exact sum, rounded once.
func bigSum(vs []float64) float64 {
	sum := new(big.Float).SetPrec(2200)
	for _, v := range vs {
		sum.Add(sum, new(big.Float).SetFloat64(v))
	}
	f, _ := sum.Float64()
	return f + 0
}

func TestExactSumIsRoundedOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	for range 2000 {
		vs := make([]float64, 1+r.IntN(30))
		for i := range vs {
			vs[i] = math.Ldexp(r.Float64()-.5, r.IntN(80)-40)
			if i > 0 && r.IntN(4) == 0 {
				vs[i] = -vs[r.IntN(i)]
			}
			if r.IntN(10) == 0 {
				vs[i] = math.Ldexp(1, 53)
			}
		}
		want := bigSum(vs)
		got := exactSum(func(yield func(float64)) {
			for _, v := range vs {
				yield(v)
			}
		})
		if got != want {
			t.Fatalf("the sum of %v is %v, not %v", vs, got, want)
		}
		var e exact
		for _, v := range vs {
			e.add(v)
		}
		if !e.rough && e.hi != want {
			t.Fatalf("the running sum of %v is %v, not %v", vs, e.hi, want)
		}
	}
}

func TestExactLeavesNothingBehind(t *testing.T) {
	r := rand.New(rand.NewPCG(73, 74))
	var e exact
	var vs []float64
	for range 100_000 {
		v := float64(r.IntN(1e6)) / 100
		vs = append(vs, v)
		e.add(v)
		if len(vs) > 50 {
			e.add(-vs[0])
			vs = vs[1:]
		}
	}
	if e.rough || e.hi != bigSum(vs) {
		t.Errorf("after many values came and left the sum is %v (rough %v), not %v", e.hi, e.rough, bigSum(vs))
	}
}
