package engine

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemill/tidemill/statebytes"
)

// TestDelays: the median of delays from nothing to three years, against that of the sorted list, and again after a restart.
func TestDelays(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 10, 1001, 20_000} {
		var h delays
		var all []float64
		for range n {
			micros := int64(math.Exp(r.Float64() * math.Log(1e14)))
			h.add(micros)
			all = append(all, float64(micros)/1e6)
		}
		slices.Sort(all)
		want := all[(n-1)/2]
		got, ok := h.median()
		if !ok || math.Abs(got-want) > want/128 || n == 1 && got != want {
			t.Errorf("%d delays: %v, in truth %v", n, got, want)
		}
		var again delays
		d := statebytes.Read(h.appendTo(nil))
		if again.read(d); d.End() != nil || again.n != h.n || !slices.Equal(again.buckets, h.buckets) || !bytes.Equal(again.appendTo(nil), h.appendTo(nil)) {
			t.Errorf("%d delays: another histogram after a restart", n)
		}
	}
	var h delays
	if _, ok := h.median(); ok {
		t.Error("a median of nothing")
	}
	for _, micros := range []int64{math.MinInt64, -1, 0, math.MaxInt64} {
		h.add(micros)
	}
	if got, _ := h.median(); got != 0 {
		t.Errorf("a delay below nothing counts as %v", got)
	}
	alike := delays{}
	for range 7 {
		alike.add(3_000_001)
	}
	if got, _ := alike.median(); got != 3.000001 {
		t.Errorf("seven delays of 3.000001 s have the median %v", got)
	}
}

// TestDelayIndex: buckets are in the order of their delays, none is left out between two that follow each other, and no
// bucket is wider than one part in 128.
func TestDelayIndex(t *testing.T) {
	last := -1
	for v := int64(0); v < 1<<16; v++ {
		if i := delayIndex(v); i != last && i != last+1 {
			t.Fatalf("%d is in bucket %d, the one before in %d", v, i, last)
		} else {
			last = i
		}
	}
	if i := delayIndex(math.MaxInt64); i >= 64<<(delayBits-1) {
		t.Errorf("the longest delay is in bucket %d", i)
	}
}
