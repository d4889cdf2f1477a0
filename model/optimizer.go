package model

import (
	"fmt"
	"math"
)

// Optimizer is the rule by which a gradient moves a weight of the linear models: SGD, Momentum, AdaGrad, RMSProp, Adam
// or FTRL make one with the usual settings, and its fields may then be changed. It is an Option of Linear, Logistic and
// Softmax. The intercept has a constant rate of its own (InterceptRate), whatever the optimizer.
type Optimizer struct {
	Kind         string  // sgd, momentum, adagrad, rmsprop, adam or ftrl
	Rate         float64 // the learning rate (FTRL: alpha)
	Rho          float64 // momentum, rmsprop: how much of the past is kept, in [0, 1)
	Beta1, Beta2 float64 // adam: how much of the gradient's first and second moment is kept, in [0, 1)
	Eps          float64 // adagrad, rmsprop, adam: what keeps a division finite
	Beta         float64 // ftrl: the smoothing of the rate
	L1, L2       float64 // ftrl: its own penalties
}

// optimizerKind is the rule as a number: what the loop over the weights switches on.
type optimizerKind uint8

const (
	useSGD optimizerKind = iota
	useMomentum
	useAdaGrad
	useRMSProp
	useAdam
	useFTRL
)

var optimizerNames = [...]string{"sgd", "momentum", "adagrad", "rmsprop", "adam", "ftrl"}

// optimizerSlots is the numbers that each rule keeps beside a weight.
var optimizerSlots = [...]int{0, 1, 1, 1, 2, 2}

func (o *Optimizer) kind() (optimizerKind, error) {
	for i, n := range optimizerNames {
		if n == o.Kind {
			return optimizerKind(i), nil
		}
	}
	return 0, fmt.Errorf("optimizer %q is unknown; say one of %v", o.Kind, optimizerNames)
}

// check says what is wrong with the settings.
func (o *Optimizer) check() error {
	k, err := o.kind()
	if err != nil {
		return err
	}
	if !(o.Rate > 0 && o.Rate <= largestRate) {
		return fmt.Errorf("%s: the learning rate is %v; it must be above 0 and at most %v",
			o.Kind, o.Rate, float64(largestRate))
	}
	share := func(name string, v float64) error {
		if !(v >= 0 && v < 1) {
			return fmt.Errorf("%s: %s is %v; it must be at least 0 and below 1", o.Kind, name, v)
		}
		return nil
	}
	notNegative := func(name string, v float64) error {
		if !(v >= 0) || math.IsInf(v, 1) {
			return fmt.Errorf("%s: %s is %v; it must not be negative", o.Kind, name, v)
		}
		return nil
	}
	switch k {
	case useMomentum:
		return share("rho", o.Rho)
	case useAdaGrad:
		return notNegative("eps", o.Eps)
	case useRMSProp:
		return first(share("rho", o.Rho), notNegative("eps", o.Eps))
	case useAdam:
		return first(share("beta_1", o.Beta1), share("beta_2", o.Beta2), notNegative("eps", o.Eps))
	case useFTRL:
		return first(notNegative("beta", o.Beta), notNegative("l1", o.L1), notNegative("l2", o.L2))
	}
	return nil
}

func first(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

// Describe is the optimizer's settings in one line.
func (o Optimizer) Describe() string {
	k, err := o.kind()
	if err != nil {
		return o.Kind
	}
	switch k {
	case useMomentum:
		return fmt.Sprintf("momentum(%v rho=%v)", o.Rate, o.Rho)
	case useAdaGrad:
		return fmt.Sprintf("adagrad(%v eps=%v)", o.Rate, o.Eps)
	case useRMSProp:
		return fmt.Sprintf("rmsprop(%v rho=%v eps=%v)", o.Rate, o.Rho, o.Eps)
	case useAdam:
		return fmt.Sprintf("adam(%v beta_1=%v beta_2=%v eps=%v)", o.Rate, o.Beta1, o.Beta2, o.Eps)
	case useFTRL:
		return fmt.Sprintf("ftrl(alpha=%v beta=%v l1=%v l2=%v)", o.Rate, o.Beta, o.L1, o.L2)
	}
	return fmt.Sprintf("sgd(%v)", o.Rate)
}

// rate is the step size of step t (from 1): only Adam's changes.
func (o *Optimizer) rate(k optimizerKind, t uint64) float64 {
	if k == useAdam {
		return adamRate(o, t)
	}
	return o.Rate
}

// step moves one weight by its gradient. s is the rule's slots beside the weight.
func (o *Optimizer) step(k optimizerKind, w *float64, s []float64, g, rate float64) {
	switch k {
	case useSGD:
		*w -= float64(rate * g)
	case useMomentum:
		momentumStep(o, w, s, g)
	case useAdaGrad:
		adaGradStep(o, w, s, g)
	case useRMSProp:
		rmsPropStep(o, w, s, g)
	case useAdam:
		adamStep(o, w, s, g, rate)
	case useFTRL:
		ftrlStep(o, w, s, g)
	}
}
