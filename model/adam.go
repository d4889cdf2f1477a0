package model

import "math"

// Adam keeps moving averages of the gradient and of its square: m = β1·m + (1-β1)·g, v = β2·v + (1-β2)·g²,
// w -= rate·√(1-β2^t)/(1-β1^t)·m/(√v+eps), where t counts the model's steps, not the weight's; β1 is 0.9, β2 0.999,
// eps 1e-8, the usual rate 0.1. (Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.)
func Adam(rate float64) Optimizer {
	return Optimizer{Kind: "adam", Rate: rate, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}
}

func adamRate(o *Optimizer, t uint64) float64 {
	n := float64(t)
	return o.Rate * math.Sqrt(1-math.Pow(o.Beta2, n)) / (1 - math.Pow(o.Beta1, n))
}

func adamStep(o *Optimizer, w *float64, s []float64, g, rate float64) {
	s[0] = float64(o.Beta1*s[0]) + float64((1-o.Beta1)*g)
	s[1] = float64(o.Beta2*s[1]) + float64((1-o.Beta2)*float64(g*g))
	if d := math.Sqrt(s[1]) + o.Eps; d > 0 {
		*w -= float64(rate*s[0]) / d
	}
}
