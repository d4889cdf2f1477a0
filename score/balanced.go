package score

import "github.com/tidemill/tidemill"

// BalancedAccuracyConfig is the mean over the classes of the share of their rows that was found.
type BalancedAccuracyConfig struct{}

// NewBalancedAccuracyConfig is the config with its defaults.
func NewBalancedAccuracyConfig() *BalancedAccuracyConfig { return &BalancedAccuracyConfig{} }

// Build makes the score; it never fails.
func (*BalancedAccuracyConfig) Build(string) (tidemill.Score, error) { return BalancedAccuracy(), nil }

// BalancedAccuracy is the mean of the recall of all classes that were true at least once: 0.5 for a model that always
// says the same of two, however rare one of them is.
func BalancedAccuracy() *Total {
	return total(&confusion{label: "balanced_accuracy", positive: -1, of: func(f *confusion) float64 {
		right, _, truth := f.c.margins()
		sum, n := 0.0, 0.0
		for c := range right {
			if truth[c] > 0 {
				sum += right[c] / truth[c]
				n++
			}
		}
		return sum / n
	}})
}
