package matrix

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestCrewDoesEachBlockOnce(t *testing.T) {
	for _, size := range []int{1, 2, 8} {
		c := NewCrew(size)
		for n := range 60 {
			did := make([]atomic.Int32, n)
			c.Each(n, func(i int) { did[i].Add(1) })
			for i := range did {
				if k := did[i].Load(); k != 1 {
					t.Fatalf("crew of %d: block %d of %d done %d times", size, i, n, k)
				}
			}
			if n%20 == 7 {
				time.Sleep(time.Millisecond) // helpers fall asleep
			}
		}
		c.Close()
	}
}

func TestCrewLeavesNothingBehind(t *testing.T) {
	helpers := func() int { // of this crew and others, not what else runs in the process
		stacks := make([]byte, 1<<20)
		return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "matrix.(*Crew)")
	}
	before := helpers()
	for range 50 {
		c := NewCrew(4)
		c.Each(3, func(int) {})
		c.Close()
	}
	// Close returns when the helpers have said that they end, an instant before they are gone.
	for deadline := time.Now().Add(10 * time.Second); helpers() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", helpers(), before)
		}
	}
}

// A product split by columns over a crew has the bits of the whole.
func TestCrewDoesNotShow(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	c := NewCrew(4)
	defer c.Close()
	for range 50 {
		m, n, k := sizes(r)
		a, b := randomDense(r, m, k), randomDense(r, k, n)
		want, got := Of(m, n, make([]float32, m*n)), Of(m, n, make([]float32, m*n))
		Mul(want, a, b, false)
		const w = 16
		c.Each((n+w-1)/w, func(i int) {
			j0, j1 := i*w, min(n, i*w+w)
			Mul(got.ColRange(j0, j1), a, b.ColRange(j0, j1), false)
		})
		same(t, "split", got.Data, want.Data)
	}
}

func BenchmarkCrew(b *testing.B) {
	for _, cores := range []int{1, 2} {
		name := map[int]string{1: "one", 2: "two"}[cores]
		b.Run("empty/"+name, func(b *testing.B) {
			c := NewCrew(cores)
			defer c.Close()
			f := func(int) {}
			for b.Loop() {
				c.Each(2, f)
			}
		})
		b.Run("start/"+name, func(b *testing.B) {
			f := func(int) {}
			for b.Loop() {
				c := NewCrew(cores)
				c.Each(2, f)
				c.Close()
			}
		})
		b.Run("Mul/32x128x784/"+name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			a, w, z := Of(32, 784, random(r, 32*784)), Of(784, 128, random(r, 784*128)), Of(32, 128, make([]float32, 32*128))
			c := NewCrew(cores)
			defer c.Close()
			f := func(i int) { Mul(z.ColRange(64*i, 64*i+64), a, w.ColRange(64*i, 64*i+64), false) }
			for b.Loop() {
				c.Each(2, f)
			}
		})
	}
}
