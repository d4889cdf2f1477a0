package model

import "math"

// AdaGrad gives each weight a rate that falls with the squared gradients that it has seen: n += g², w -=
// rate/√(n+eps)·g; eps is 1e-8, the usual rate 0.1. (Duchi, Hazan, Singer, "Adaptive Subgradient Methods", JMLR 2011.)
func AdaGrad(rate float64) Optimizer { return Optimizer{Kind: "adagrad", Rate: rate, Eps: 1e-8} }

func adaGradStep(o *Optimizer, w *float64, s []float64, g float64) {
	s[0] += float64(g * g)
	if d := math.Sqrt(s[0] + o.Eps); d > 0 {
		*w -= float64(o.Rate / d * g)
	}
}
