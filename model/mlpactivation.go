package model

import "github.com/tidemill/tidemill/matrix"

// activation is what a layer does with its sums.
type activation uint8

const (
	actReLU activation = iota
	actTanh
	actSigmoid
	actSoftmax
	actLinear
)

var activationNames = [...]string{"relu", "tanh", "sigmoid", "softmax", "linear"}

func activationOf(name string) (activation, bool) {
	for i, n := range activationNames {
		if n == name {
			return activation(i), true
		}
	}
	return 0, false
}

// apply adds the bias to a row's sums and activates them.
func (a activation) apply(bias, z []float32) {
	if a == actReLU {
		matrix.AddRelu(bias, z)
		return
	}
	matrix.Add(bias, z)
	switch a {
	case actTanh:
		for i, v := range z {
			z[i] = matrix.Tanh(v)
		}
	case actSigmoid:
		for i, v := range z {
			z[i] = matrix.Sigmoid(v)
		}
	case actSoftmax:
		matrix.Softmax(z)
	}
}

// back turns the gradient by the outputs h of a row into that by the sums.
func (a activation) back(h, d []float32) {
	switch a {
	case actReLU:
		matrix.ReluGrad(h, d)
	case actTanh:
		for i, v := range h {
			d[i] *= 1 - float32(v*v)
		}
	case actSigmoid:
		for i, v := range h {
			d[i] *= float32(v * (1 - v))
		}
	case actSoftmax:
		var s float32
		for i, v := range h {
			s += float32(d[i] * v)
		}
		for i, v := range h {
			d[i] = v * (d[i] - s)
		}
	}
}
