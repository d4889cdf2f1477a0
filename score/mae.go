package score

import (
	"math"

	"github.com/tidemill/tidemill"
)

// MAEConfig is the mean absolute error.
type MAEConfig struct{}

// NewMAEConfig is the config with its defaults.
func NewMAEConfig() *MAEConfig { return &MAEConfig{} }

// Build makes the score; it never fails.
func (*MAEConfig) Build(string) (tidemill.Score, error) { return MAE(), nil }

// MAE is the mean of |prediction-truth|, in the truth's unit.
func MAE() *Total {
	return total(&mean{label: "mae", suits: regressors, of: func(a *tidemill.Answer) (float64, bool) {
		p, t, ok := errorOf(a)
		return math.Abs(p - t), ok
	}})
}
