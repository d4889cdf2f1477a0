package score

import "github.com/tidemill/tidemill"

// RecallConfig is the share of a class's rows that were found.
type RecallConfig struct {
	Average string `yaml:"average" short:"true" enum:"auto,positive,macro,micro,weighted" doc:"How classes become one number: positive is the positive class alone, macro the mean over classes, micro all answers together, weighted the mean by how often a class is true. Default auto: positive with two classes, else macro."`
}

// NewRecallConfig is the config with its defaults.
func NewRecallConfig() *RecallConfig { return &RecallConfig{Average: "auto"} }

// Build makes the score. It fails for an average that does not exist.
func (c *RecallConfig) Build(string) (tidemill.Score, error) {
	if err := checkAverage("recall", c.Average); err != nil {
		return nil, err
	}
	return recall(c.Average), nil
}

// Recall is the share of the rows of the positive class that were predicted as such; with more than two classes, or
// none that is positive, the mean of the classes' (RecallConfig sets another average). Details lists each class and
// each average.
func Recall() *Total { return recall("auto") }

func recall(average string) *Total {
	return perClass("recall", average, func(right, predicted, truth float64) float64 { return right / truth })
}
