package model

// Momentum is gradient descent with inertia: s = rho·s + rate·g, w -= s; rho is 0.9, the usual rate 0.1, for Linear
// 0.001. (Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.)
func Momentum(rate float64) Optimizer { return Optimizer{Kind: "momentum", Rate: rate, Rho: 0.9} }

func momentumStep(o *Optimizer, w *float64, s []float64, g float64) {
	s[0] = float64(o.Rho*s[0]) + float64(o.Rate*g)
	*w -= s[0]
}
