package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
)

const (
	targetClassify = "classify"
	targetRegress  = "regress"
)

// MLPConfig is a neural network of dense layers.
type MLPConfig struct {
	Hidden       []int      `yaml:"hidden" short:"true" doc:"Units of each hidden layer. Default [128]."`
	Activation   string     `yaml:"activation" enum:"relu,tanh,sigmoid,softmax,linear" doc:"What the hidden layers do with their sums. Default relu."`
	Dropout      float64    `yaml:"dropout" doc:"The share of each hidden layer's outputs that a learned row does without, at least 0 and below 1. Default 0."`
	Layers       []MLPLayer `yaml:"layers" doc:"The hidden layers one by one, instead of hidden, activation and dropout. Default none."`
	Target       string     `yaml:"target" enum:"classify,regress" doc:"classify: a probability per class, learned by the cross entropy. regress: a number, learned by the squared error. Default classify."`
	Output       string     `yaml:"output" enum:"relu,tanh,sigmoid,softmax,linear" doc:"What the last layer does with its sums. Default softmax to classify, linear to regress."`
	Optimizer    string     `yaml:"optimizer" enum:"sgd,momentum,adam" doc:"The rule by which a gradient moves the weights. Default adam."`
	LearningRate float64    `yaml:"learning_rate" doc:"The step size. Default 0, which means 0.001 by adam and 0.01 by the others."`
	Rho          float64    `yaml:"rho" doc:"momentum: how much of the last step is kept, at least 0 and below 1. Default 0.9."`
	Nesterov     bool       `yaml:"nesterov" doc:"momentum: look ahead by the step that is kept. Default false."`
	Beta1        float64    `yaml:"beta_1" doc:"adam: how much of the gradient's mean is kept, at least 0 and below 1. Default 0.9."`
	Beta2        float64    `yaml:"beta_2" doc:"adam: how much of the squared gradient's mean is kept, at least 0 and below 1. Default 0.999."`
	Eps          float64    `yaml:"eps" doc:"adam: what keeps the division finite. Default 1e-7."`
	Batch        int        `yaml:"batch" doc:"Rows per step while the snapshot is learned. Default 32."`
	StreamBatch  int        `yaml:"stream_batch" doc:"Rows per step while streaming. Default 1."`
	Classes      int        `yaml:"classes" doc:"How many classes there are, where the task does not say it. Default 0, which means as many as the task has."`
	Seed         uint64     `yaml:"seed" doc:"The seed of the first weights and of dropout. Default 1."`
}

// MLPLayer is one hidden layer.
type MLPLayer struct {
	Units      int     `yaml:"units" required:"true" short:"true" doc:"How many outputs it has."`
	Activation string  `yaml:"activation" enum:"relu,tanh,sigmoid,softmax,linear" doc:"What it does with its sums. Default relu."`
	Dropout    float64 `yaml:"dropout" doc:"The share of its outputs that a learned row does without, at least 0 and below 1. Default 0."`
}

// NewMLPConfig is the config with its defaults.
func NewMLPConfig() *MLPConfig {
	return &MLPConfig{Hidden: []int{128}, Activation: "relu", Target: targetClassify, Optimizer: "adam", Rho: 0.9,
		Beta1: 0.9, Beta2: 0.999, Eps: 1e-7, Batch: 32, StreamBatch: 1, Seed: 1}
}

// Build makes the model.
func (c *MLPConfig) Build(string) (tidemill.Model, error) {
	m := newMLP(c)
	if m.err != nil {
		return nil, m.err
	}
	return m, nil
}

// Filled implements config.Filler: it gives the learning rate, what the last layer does, and the layers' activations.
func (c *MLPConfig) Filled() any {
	d := *c
	if s, err := c.complete(); err == nil {
		d.LearningRate, d.Output = s.LearningRate, s.Output
		if len(c.Layers) > 0 {
			d.Layers = s.Layers
		}
	}
	return &d
}

// maxUnits bounds the outputs of a layer.
const maxUnits = 1 << 20

// complete checks the settings and replaces those that mean a default: Layers then holds every hidden layer.
func (c *MLPConfig) complete() (MLPConfig, error) {
	s := *c
	fail := func(format string, a ...any) (MLPConfig, error) {
		return s, fmt.Errorf("mlp: "+format, a...)
	}
	s.Layers = slices.Clone(s.Layers)
	if len(s.Layers) == 0 {
		for _, n := range s.Hidden {
			s.Layers = append(s.Layers, MLPLayer{Units: n, Activation: s.Activation, Dropout: s.Dropout})
		}
	}
	for i := range s.Layers {
		l := &s.Layers[i]
		if l.Activation == "" {
			l.Activation = "relu"
		}
		switch _, ok := activationOf(l.Activation); {
		case l.Units < 1 || l.Units > maxUnits:
			return fail("layer %d has %d units; say a number from 1 to %d", i+1, l.Units, maxUnits)
		case !ok:
			return fail("activation %q of layer %d is unknown; say one of %s",
				l.Activation, i+1, strings.Join(activationNames[:], ", "))
		case !(l.Dropout >= 0 && l.Dropout < 1):
			return fail("dropout of layer %d is %v; it must be at least 0 and below 1", i+1, l.Dropout)
		}
	}
	if s.Output == "" {
		s.Output = "softmax"
		if s.Target == targetRegress {
			s.Output = "linear"
		}
	}
	if s.LearningRate == 0 {
		s.LearningRate = 0.01
		if s.Optimizer == "adam" {
			s.LearningRate = 0.001
		}
	}
	share := func(v float64) bool { return v >= 0 && v < 1 }
	switch _, ok := activationOf(s.Output); {
	case s.Target != targetClassify && s.Target != targetRegress:
		return fail("target %q is unknown; say classify or regress", s.Target)
	case !ok:
		return fail("output %q is unknown; say one of %s", s.Output, strings.Join(activationNames[:], ", "))
	case s.Target == targetClassify && s.Output != "softmax":
		return fail("output is %s, but to classify takes probabilities; leave it out or say softmax", s.Output)
	case s.Target == targetRegress && s.Output == "softmax":
		return fail("output is softmax, which is 1 for a single number; leave it out or say linear")
	case s.Optimizer != "sgd" && s.Optimizer != "momentum" && s.Optimizer != "adam":
		return fail("optimizer %q is unknown; say sgd, momentum or adam", s.Optimizer)
	case !(s.LearningRate > 0 && s.LearningRate < 1e6):
		return fail("the learning rate is %v; it must be above 0", s.LearningRate)
	case !share(s.Rho) || !share(s.Beta1) || !share(s.Beta2):
		return fail("rho is %v, beta_1 %v and beta_2 %v; they must be at least 0 and below 1", s.Rho, s.Beta1, s.Beta2)
	case !(s.Eps >= 1e-12 && s.Eps <= 1):
		return fail("eps is %v; it must be from 1e-12 to 1", s.Eps)
	case s.Batch < 1 || s.StreamBatch < 1 || s.Batch > maxUnits || s.StreamBatch > maxUnits:
		return fail("batch is %d and stream_batch %d; say numbers from 1 to %d", s.Batch, s.StreamBatch, maxUnits)
	case s.Classes < 0 || s.Classes > maxUnits:
		return fail("classes is %d; say a number from 0 to %d", s.Classes, maxUnits)
	case s.Target == targetRegress && s.Classes > 0:
		return fail("classes is %d, but a regression has none; leave it out", s.Classes)
	}
	return s, nil
}

// describe is every setting that changes results, of a completed config.
func (c *MLPConfig) describe() string {
	var b strings.Builder
	b.WriteString("mlp")
	if c.Target == targetRegress {
		b.WriteString(" target=regress")
	}
	plain := true
	var units []int
	for _, l := range c.Layers {
		plain = plain && l.Activation == "relu" && l.Dropout == 0
		units = append(units, l.Units)
	}
	if plain {
		fmt.Fprintf(&b, " hidden=%v", units)
	} else {
		b.WriteString(" layers=[")
		for i, l := range c.Layers {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%d:%s:%v", l.Units, l.Activation, l.Dropout)
		}
		b.WriteByte(']')
	}
	fmt.Fprintf(&b, " output=%s optimizer=%s rate=%v", c.Output, c.Optimizer, c.LearningRate)
	switch c.Optimizer {
	case "momentum":
		fmt.Fprintf(&b, " rho=%v nesterov=%v", c.Rho, c.Nesterov)
	case "adam":
		fmt.Fprintf(&b, " beta_1=%v beta_2=%v eps=%v", c.Beta1, c.Beta2, c.Eps)
	}
	fmt.Fprintf(&b, " batch=%d stream_batch=%d", c.Batch, c.StreamBatch)
	if c.Classes > 0 {
		fmt.Fprintf(&b, " classes=%d", c.Classes)
	}
	fmt.Fprintf(&b, " seed=%d", c.Seed)
	return b.String()
}

// glorot is the bound of the uniform first weights of a layer (Glorot and Bengio, "Understanding the difficulty of
// training deep feedforward neural networks", AISTATS 2010).
func glorot(in, out int) float64 { return math.Sqrt(6 / float64(in+out)) }
