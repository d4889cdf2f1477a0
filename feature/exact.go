package feature

import "math"

// exact is a running sum without error: hi+lo is the sum of everything added, and hi is it correctly rounded, as long
// as rough is false. Rough says that two numbers did not hold it (values of very different size); then whoever reads
// adds the values up anew with exactSum. Both give the same number, so that it does not matter which path was taken.
// (Dekker, "A floating-point technique for extending the available precision", 1971.)
type exact struct {
	hi, lo float64
	rough  bool
}

func (e *exact) add(v float64) {
	s, err := twoSum(e.hi, v)
	t, rest := twoSum(e.lo, err)
	if rest != 0 { // also where something overflowed: NaN is not 0
		e.rough = true
		return
	}
	e.hi, e.lo = twoSum(s, t)
}

// twoSum is a+b rounded, and what the rounding lost, exactly (Knuth).
func twoSum(a, b float64) (sum, lost float64) {
	sum = a + b
	bb := sum - a
	return sum, (a - (sum - bb)) + (b - bb)
}

// exactSum is the correctly rounded sum of the numbers that each yields: Shewchuk's growing expansions ("Adaptive
// precision floating-point arithmetic", 1997), with the rounding of Python's math.fsum.
func exactSum(each func(yield func(v float64))) float64 {
	var room [40]float64
	parts := room[:0]
	plain := 0.0
	each(func(v float64) {
		plain += v
		n := 0
		for _, p := range parts {
			if math.Abs(v) < math.Abs(p) {
				v, p = p, v
			}
			sum, lost := twoSum(v, p)
			if lost != 0 {
				parts[n] = lost
				n++
			}
			v = sum
		}
		parts = append(parts[:n], v)
	})
	if math.IsInf(plain, 0) || plain != plain {
		return math.NaN() // beyond float64 on the way
	}
	n := len(parts) - 1
	if n < 0 {
		return 0
	}
	hi, lo := parts[n], 0.0
	for n > 0 {
		n--
		hi, lo = twoSum(hi, parts[n])
		if lo != 0 {
			break
		}
	}
	// A tie that a smaller part breaks.
	if n > 0 && (lo < 0 && parts[n-1] < 0 || lo > 0 && parts[n-1] > 0) {
		if y := lo * 2; hi+y-hi == y {
			hi += y
		}
	}
	return hi
}
