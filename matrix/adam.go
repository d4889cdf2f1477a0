package matrix

import "math"

// Adam holds the numbers of one step of the Adam rule for float32 weights (Kingma and Ba 2015, in the efficient form at
// the end of their section 2, which Keras and TensorFlow use). NewAdam makes it.
type Adam struct {
	beta1, rest1, beta2, rest2, rate, epsilon float32
}

// NewAdam is the step after which beta1 and beta2 have been multiplied to the products pow1 and pow2: beta1ᵗ and
// beta2ᵗ at step t, counted from 1. The caller keeps the products, which makes every step's rate exact state rather
// than the result of a library's power function.
func NewAdam(rate, beta1, beta2, epsilon, pow1, pow2 float64) Adam {
	return Adam{
		beta1: float32(beta1), rest1: float32(1 - beta1),
		beta2: float32(beta2), rest2: float32(1 - beta2),
		rate:    float32(float64(rate*math.Sqrt(1-pow2)) / (1 - pow1)),
		epsilon: float32(epsilon),
	}
}

// Step moves w against the gradient g and updates the moments m and v, all of one length, element by element:
//
//	m = beta1*m + (1-beta1)*g; v = beta2*v + (1-beta2)*(g*g); w = w - (rate*m)/(sqrt(v)+epsilon)
//
// each operation rounded to float32. It says whether every w and v is finite afterwards. It panics if lengths differ.
func (a *Adam) Step(w, m, v, g []float32) bool {
	sameLen(len(w), len(m))
	sameLen(len(w), len(v))
	sameLen(len(w), len(g))
	ok, i := a.blocks(w, m, v, g)
	for ; i < len(w); i++ {
		d := g[i]
		mi := float32(a.beta1*m[i]) + float32(a.rest1*d)
		vi := float32(a.beta2*v[i]) + float32(a.rest2*float32(d*d))
		den := float32(math.Sqrt(float64(vi))) + a.epsilon
		wi := w[i] - float32(a.rate*mi)/den
		m[i], v[i], w[i] = mi, vi, wi
		ok = ok && wi-wi == 0 && vi-vi == 0
	}
	return ok
}

// Momentum moves w by the velocity u, all of one length, element by element:
//
//	u = momentum*u - rate*g; w = w + u, or with nesterov w = w + (momentum*u - rate*g)
//
// each operation rounded to float32 (Sutskever and others 2013, as Keras writes it). It panics if lengths differ.
func Momentum(rate, momentum float32, nesterov bool, w, u, g []float32) {
	sameLen(len(w), len(u))
	sameLen(len(w), len(g))
	for i, d := range g {
		d = float32(rate * d)
		ui := float32(momentum*u[i]) - d
		u[i] = ui
		if nesterov {
			ui = float32(momentum*ui) - d
		}
		w[i] += ui
	}
}
