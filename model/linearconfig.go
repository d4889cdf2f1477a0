package model

import (
	"fmt"

	"github.com/tidemill/tidemill"
)

// LinearConfig is linear regression by stochastic gradient descent.
type LinearConfig struct {
	Optimizer     string  `yaml:"optimizer" enum:"sgd,momentum,adagrad,rmsprop,adam,ftrl" doc:"The rule that moves the weights. Default sgd."`
	LearningRate  float64 `yaml:"learning_rate" doc:"How far a row moves the weights (ftrl: alpha). Default 0, which means 0.01 for sgd, 0.001 for momentum, 0.05 for ftrl and 0.1 for the others."`
	L1            float64 `yaml:"l1" doc:"The cumulative L1 penalty, not with ftrl. Default 0."`
	L2            float64 `yaml:"l2" doc:"The L2 penalty. Default 0."`
	InterceptRate float64 `yaml:"intercept_rate" doc:"The learning rate of the intercept; 0 means no intercept. Default 0.01."`
	Clip          float64 `yaml:"clip" doc:"The bound of a row's loss gradient. Default 1e12."`
	Rho           float64 `yaml:"rho" doc:"momentum, rmsprop: how much of the past is kept. Default 0.9."`
	Beta1         float64 `yaml:"beta_1" doc:"adam: how much of the mean gradient is kept. Default 0.9."`
	Beta2         float64 `yaml:"beta_2" doc:"adam: how much of the mean squared gradient is kept. Default 0.999."`
	Eps           float64 `yaml:"eps" doc:"adagrad, rmsprop, adam: what keeps a division finite. Default 1e-8."`
	FTRLBeta      float64 `yaml:"ftrl_beta" doc:"ftrl: the smoothing of the rate. Default 1."`
	FTRLL1        float64 `yaml:"ftrl_l1" doc:"ftrl: its L1 penalty, which makes weights exactly 0. Default 0."`
	FTRLL2        float64 `yaml:"ftrl_l2" doc:"ftrl: its L2 penalty. Default 1."`
}

// NewLinearConfig is the config with its defaults.
func NewLinearConfig() *LinearConfig {
	return &LinearConfig{Optimizer: "sgd", InterceptRate: 0.01, Clip: 1e12, Rho: 0.9, Beta1: 0.9, Beta2: 0.999,
		Eps: 1e-8, FTRLBeta: 1, FTRLL2: 1}
}

// Build makes the model.
func (c *LinearConfig) Build(string) (tidemill.Model, error) {
	s, err := c.settings("linear")
	if err != nil {
		return nil, err
	}
	return newLinear(s), nil
}

// LogisticConfig is logistic regression by stochastic gradient descent; with more than two classes it is softmax
// regression.
type LogisticConfig struct {
	Optimizer     string  `yaml:"optimizer" enum:"sgd,momentum,adagrad,rmsprop,adam,ftrl" doc:"The rule that moves the weights. Default sgd."`
	LearningRate  float64 `yaml:"learning_rate" doc:"How far a row moves the weights (ftrl: alpha). Default 0, which means 0.01 for sgd, 0.05 for ftrl and 0.1 for the others."`
	L1            float64 `yaml:"l1" doc:"The cumulative L1 penalty, not with ftrl. Default 0."`
	L2            float64 `yaml:"l2" doc:"The L2 penalty. Default 0."`
	InterceptRate float64 `yaml:"intercept_rate" doc:"The learning rate of the intercept; 0 means no intercept. Default 0.01."`
	Clip          float64 `yaml:"clip" doc:"The bound of a row's loss gradient. Default 1e12."`
	Rho           float64 `yaml:"rho" doc:"momentum, rmsprop: how much of the past is kept. Default 0.9."`
	Beta1         float64 `yaml:"beta_1" doc:"adam: how much of the mean gradient is kept. Default 0.9."`
	Beta2         float64 `yaml:"beta_2" doc:"adam: how much of the mean squared gradient is kept. Default 0.999."`
	Eps           float64 `yaml:"eps" doc:"adagrad, rmsprop, adam: what keeps a division finite. Default 1e-8."`
	FTRLBeta      float64 `yaml:"ftrl_beta" doc:"ftrl: the smoothing of the rate. Default 1."`
	FTRLL1        float64 `yaml:"ftrl_l1" doc:"ftrl: its L1 penalty, which makes weights exactly 0. Default 0."`
	FTRLL2        float64 `yaml:"ftrl_l2" doc:"ftrl: its L2 penalty. Default 1."`
}

// NewLogisticConfig is the config with its defaults.
func NewLogisticConfig() *LogisticConfig { return (*LogisticConfig)(NewLinearConfig()) }

// Build makes the model.
func (c *LogisticConfig) Build(string) (tidemill.Model, error) {
	s, err := (*LinearConfig)(c).settings("logistic")
	if err != nil {
		return nil, err
	}
	return newLogistic(s, false), nil
}

// SoftmaxConfig is softmax regression by stochastic gradient descent: weights of its own for every class.
type SoftmaxConfig struct {
	Optimizer     string  `yaml:"optimizer" enum:"sgd,momentum,adagrad,rmsprop,adam,ftrl" doc:"The rule that moves the weights. Default sgd."`
	LearningRate  float64 `yaml:"learning_rate" doc:"How far a row moves the weights (ftrl: alpha). Default 0, which means 0.01 for sgd, 0.05 for ftrl and 0.1 for the others."`
	L1            float64 `yaml:"l1" doc:"The cumulative L1 penalty, not with ftrl. Default 0."`
	L2            float64 `yaml:"l2" doc:"The L2 penalty. Default 0."`
	InterceptRate float64 `yaml:"intercept_rate" doc:"The learning rate of the intercepts; 0 means no intercept. Default 0.01."`
	Clip          float64 `yaml:"clip" doc:"The bound of a row's loss gradient. Default 1e12."`
	Rho           float64 `yaml:"rho" doc:"momentum, rmsprop: how much of the past is kept. Default 0.9."`
	Beta1         float64 `yaml:"beta_1" doc:"adam: how much of the mean gradient is kept. Default 0.9."`
	Beta2         float64 `yaml:"beta_2" doc:"adam: how much of the mean squared gradient is kept. Default 0.999."`
	Eps           float64 `yaml:"eps" doc:"adagrad, rmsprop, adam: what keeps a division finite. Default 1e-8."`
	FTRLBeta      float64 `yaml:"ftrl_beta" doc:"ftrl: the smoothing of the rate. Default 1."`
	FTRLL1        float64 `yaml:"ftrl_l1" doc:"ftrl: its L1 penalty, which makes weights exactly 0. Default 0."`
	FTRLL2        float64 `yaml:"ftrl_l2" doc:"ftrl: its L2 penalty. Default 1."`
}

// NewSoftmaxConfig is the config with its defaults.
func NewSoftmaxConfig() *SoftmaxConfig { return (*SoftmaxConfig)(NewLinearConfig()) }

// Build makes the model.
func (c *SoftmaxConfig) Build(string) (tidemill.Model, error) {
	s, err := (*LinearConfig)(c).settings("softmax")
	if err != nil {
		return nil, err
	}
	return newLogistic(s, true), nil
}

// settings is what the three kinds share.
func (c *LinearConfig) settings(kind string) (glmSettings, error) {
	o := Optimizer{Kind: c.Optimizer, Rate: c.rate(kind), Rho: c.Rho, Beta1: c.Beta1, Beta2: c.Beta2, Eps: c.Eps,
		Beta: c.FTRLBeta, L1: c.FTRLL1, L2: c.FTRLL2}
	s := glmSettings{opt: o, l1: c.L1, l2: c.L2, interceptRate: c.InterceptRate, clip: c.Clip}
	if err := s.check(); err != nil {
		return s, fmt.Errorf("%s: %w", kind, err)
	}
	return s, nil
}

// rate is the learning rate of a kind; where none is given it depends on the optimizer. The squared loss has gradients
// without a bound, with which momentum's usual rate goes astray.
func (c *LinearConfig) rate(kind string) float64 {
	switch {
	case c.LearningRate != 0:
		return c.LearningRate
	case c.Optimizer == "momentum" && kind == "linear":
		return 0.001
	case c.Optimizer == "sgd":
		return 0.01
	case c.Optimizer == "ftrl":
		return 0.05
	}
	return 0.1
}

// Filled implements config.Filler: it gives the learning rate.
func (c *LinearConfig) Filled() any { return c.filled("linear") }

func (c *LinearConfig) filled(kind string) *LinearConfig {
	d := *c
	d.LearningRate = c.rate(kind)
	return &d
}

// Filled implements config.Filler: it gives the learning rate.
func (c *LogisticConfig) Filled() any {
	return (*LogisticConfig)((*LinearConfig)(c).filled("logistic"))
}

// Filled implements config.Filler: it gives the learning rate.
func (c *SoftmaxConfig) Filled() any {
	return (*SoftmaxConfig)((*LinearConfig)(c).filled("softmax"))
}
