package score

import "github.com/tidemill/tidemill"

// AccuracyConfig is the share of answers whose class was predicted.
type AccuracyConfig struct{}

// NewAccuracyConfig is the config with its defaults.
func NewAccuracyConfig() *AccuracyConfig { return &AccuracyConfig{} }

// Build makes the score; it never fails.
func (*AccuracyConfig) Build(string) (tidemill.Score, error) { return Accuracy(), nil }

// Accuracy is the share of answers whose class was predicted, 0 to 1.
func Accuracy() *Total {
	return total(&mean{label: "accuracy", suits: classifiers, of: func(a *tidemill.Answer) (float64, bool) {
		p, t, ok := classOf(a)
		if p == t && !a.Unseen {
			return 1, ok
		}
		return 0, ok
	}})
}
