package score

import "github.com/tidemill/tidemill"

// F1Config is the harmonic mean of precision and recall.
type F1Config struct {
	Average string `yaml:"average" short:"true" enum:"auto,positive,macro,micro,weighted" doc:"How classes become one number: positive is the positive class alone, macro the mean over classes, micro all answers together, weighted the mean by how often a class is true. Default auto: positive with two classes, else macro."`
}

// NewF1Config is the config with its defaults.
func NewF1Config() *F1Config { return &F1Config{Average: "auto"} }

// Build makes the score. It fails for an average that does not exist.
func (c *F1Config) Build(string) (tidemill.Score, error) {
	if err := checkAverage("f1", c.Average); err != nil {
		return nil, err
	}
	return f1(c.Average), nil
}

// F1 is 2·precision·recall/(precision+recall) of the positive class; with more than two classes, or none that is
// positive, the mean of the classes' (F1Config sets another average). Details lists each class and each average.
func F1() *Total { return f1("auto") }

func f1(average string) *Total {
	return perClass("f1", average, func(right, predicted,
		truth float64) float64 {
		return 2 * right / (predicted + truth)
	})
}
