package score

import "github.com/tidemill/tidemill"

// PrecisionConfig is the share of a class's predictions that were right.
type PrecisionConfig struct {
	Average string `yaml:"average" short:"true" enum:"auto,positive,macro,micro,weighted" doc:"How classes become one number: positive is the positive class alone, macro the mean over classes, micro all answers together, weighted the mean by how often a class is true. Default auto: positive with two classes, else macro."`
}

// NewPrecisionConfig is the config with its defaults.
func NewPrecisionConfig() *PrecisionConfig { return &PrecisionConfig{Average: "auto"} }

// Build makes the score. It fails for an average that does not exist.
func (c *PrecisionConfig) Build(string) (tidemill.Score, error) {
	if err := checkAverage("precision", c.Average); err != nil {
		return nil, err
	}
	return precision(c.Average), nil
}

// Precision is the share of the predictions of the positive class that were right; with more than two classes, or none
// that is positive, the mean of the classes' (PrecisionConfig sets another average). Details lists each class and each
// average.
func Precision() *Total { return precision("auto") }

func precision(average string) *Total {
	return perClass("precision", average, func(right, predicted, truth float64) float64 { return right / predicted })
}
