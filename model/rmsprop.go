package model

import "math"

// RMSProp divides by a moving average of the squared gradient: v = rho·v + (1-rho)·g², w -= rate/√(v+eps)·g; rho is
// 0.9, eps 1e-8, the usual rate 0.1. (Tieleman and Hinton, "Lecture 6.5: rmsprop", 2012.)
func RMSProp(rate float64) Optimizer {
	return Optimizer{Kind: "rmsprop", Rate: rate, Rho: 0.9, Eps: 1e-8}
}

func rmsPropStep(o *Optimizer, w *float64, s []float64, g float64) {
	s[0] = float64(o.Rho*s[0]) + float64((1-o.Rho)*float64(g*g))
	if d := math.Sqrt(s[0] + o.Eps); d > 0 {
		*w -= float64(o.Rate / d * g)
	}
}
