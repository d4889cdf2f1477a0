package score

import (
	"math"

	"github.com/tidemill/tidemill"
)

// KappaConfig is Cohen's kappa: how much better than chance the predictions are.
type KappaConfig struct{}

// NewKappaConfig is the config with its defaults.
func NewKappaConfig() *KappaConfig { return &KappaConfig{} }

// Build makes the score; it never fails.
func (*KappaConfig) Build(string) (tidemill.Score, error) { return Kappa(), nil }

// Kappa is Cohen's kappa (1960): (accuracy - chance)/(1 - chance), chance being the accuracy of one who predicts each
// class as often as the model does, without looking. 1 is perfect, 0 no better than that; NaN while only one class was
// true and predicted.
func Kappa() *Total {
	return total(&confusion{label: "kappa", positive: -1, of: func(f *confusion) float64 {
		_, predicted, truth := f.c.margins()
		chance := 0.0
		for c := range truth {
			chance += float64(truth[c] / f.c.n * (predicted[c] / f.c.n))
		}
		if chance >= 1 {
			return math.NaN()
		}
		return (f.c.hits/f.c.n - chance) / (1 - chance)
	}})
}
