package model

// SGD is plain stochastic gradient descent: w -= rate·g. (Robbins and Monro, "A Stochastic Approximation Method",
// 1951.)
// 0.01 is the usual rate for scaled columns.
func SGD(rate float64) Optimizer { return Optimizer{Kind: "sgd", Rate: rate} }
