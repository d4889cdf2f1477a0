package model

import "math"

// FTRL is follow-the-regularised-leader with per-coordinate rates, in the form of the paper: σ = (√(n+g²)-√n)/α,
// z += g-σ·w, n += g², and w = 0 where |z| ≤ l1, else -(z-sign(z)·l1)/((β+√n)/α+l2). The weight moves with the row that
// was just learned, so the next prediction knows of it. β and l2 are 1, l1 is 0, the usual alpha 0.05; l1 makes weights
// exactly 0. (McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013, algorithm 1.)
func FTRL(alpha float64) Optimizer { return Optimizer{Kind: "ftrl", Rate: alpha, Beta: 1, L2: 1} }

func ftrlStep(o *Optimizer, w *float64, s []float64, g float64) {
	old := math.Sqrt(s[1])
	s[1] += float64(g * g)
	root := math.Sqrt(s[1])
	s[0] += g - float64((root-old)/o.Rate**w)
	z := s[0]
	switch {
	case z > o.L1:
		*w = -(z - o.L1) / ((o.Beta+root)/o.Rate + o.L2)
	case z < -o.L1:
		*w = -(z + o.L1) / ((o.Beta+root)/o.Rate + o.L2)
	default:
		*w = 0
	}
}
