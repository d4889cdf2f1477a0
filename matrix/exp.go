package matrix

import "math"

// Exp is e to the x, right to within one unit in the last place, and the same on every machine: +Inf above the range
// of float32, 0 below it.
func Exp(x float32) float32 {
	switch {
	case x != x:
		return x
	case x > 89:
		return float32(math.Inf(1))
	case x < -104:
		return 0
	}
	return float32(exp(float64(x)))
}

// exp is e to the x for |x| below 700, to about 40 bits: x = n*ln 2 + r with r within ±ln 2/2, a Taylor series of
// degree 9 in r, and n into the exponent.
func exp(x float64) float64 {
	const magic = 3 << 51 // adding it rounds to an integer
	n := float64(x*math.Log2E) + magic
	k := math.Float64bits(n) - math.Float64bits(magic)
	n -= magic
	r := x - float64(n*math.Ln2)
	p := 1.0 / 362880
	p = float64(p*r) + 1.0/40320
	p = float64(p*r) + 1.0/5040
	p = float64(p*r) + 1.0/720
	p = float64(p*r) + 1.0/120
	p = float64(p*r) + 1.0/24
	p = float64(p*r) + 1.0/6
	p = float64(p*r) + 1.0/2
	p = float64(p*r) + 1
	p = float64(p*r) + 1
	return p * math.Float64frombits((k+1023)<<52)
}

// Sigmoid is 1/(1+e^-x).
func Sigmoid(x float32) float32 {
	d := float64(x)
	if d < -700 || d > 700 {
		d = math.Copysign(700, d)
	}
	return float32(1 / (1 + exp(-d)))
}

// Tanh is the hyperbolic tangent.
func Tanh(x float32) float32 {
	d := float64(x)
	switch {
	case d > 20:
		return 1
	case d < -20:
		return -1
	case d > -0.02 && d < 0.02: // the series, where the quotient would lose digits
		s := float64(d * d)
		return float32(d - float64(float64(d*s)*(1.0/3-float64(s*(2.0/15)))))
	}
	e := exp(float64(2 * d))
	return float32((e - 1) / (e + 1))
}

// Softmax replaces z by its softmax: the exponentials of z less its largest, over their sum, added in order. All NaN if
// one is NaN or the largest is infinite.
func Softmax(z []float32) {
	if len(z) == 0 {
		return
	}
	max := z[0]
	for _, v := range z {
		if v > max || v != v {
			max = v
		}
	}
	var sum float32
	for i, v := range z {
		e := Exp(v - max)
		z[i] = e
		sum += e
	}
	for i := range z {
		z[i] /= sum
	}
}
