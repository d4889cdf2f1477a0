package score

import (
	"math"

	"github.com/tidemill/tidemill"
)

// MSEConfig is the mean squared error.
type MSEConfig struct{}

// NewMSEConfig is the config with its defaults.
func NewMSEConfig() *MSEConfig { return &MSEConfig{} }

// Build makes the score; it never fails.
func (*MSEConfig) Build(string) (tidemill.Score, error) { return MSE(), nil }

// MSE is the mean of (prediction-truth)², in the truth's unit squared.
func MSE() *Total { return total(&mean{label: "mse", suits: regressors, of: squared}) }

// RMSEConfig is the root of the mean squared error.
type RMSEConfig struct{}

// NewRMSEConfig is the config with its defaults.
func NewRMSEConfig() *RMSEConfig { return &RMSEConfig{} }

// Build makes the score; it never fails.
func (*RMSEConfig) Build(string) (tidemill.Score, error) { return RMSE(), nil }

// RMSE is the root of MSE, in the truth's unit.
func RMSE() *Total {
	return total(&mean{label: "rmse", suits: regressors, of: squared, finish: math.Sqrt})
}

func squared(a *tidemill.Answer) (float64, bool) {
	p, t, ok := errorOf(a)
	return (p - t) * (p - t), ok
}
