package score

import (
	"math"

	"github.com/tidemill/tidemill"
)

// clip keeps a probability from 0 and 1, so that one sure mistake is not infinitely bad.
const clip = 1e-15

// LogLossConfig is the mean of -ln(probability of the true class), clipped at 1e-15.
type LogLossConfig struct{}

// NewLogLossConfig is the config with its defaults.
func NewLogLossConfig() *LogLossConfig { return &LogLossConfig{} }

// Build makes the score; it never fails.
func (*LogLossConfig) Build(string) (tidemill.Score, error) { return LogLoss(), nil }

// LogLoss is the mean of -ln p, p the probability that was given to the true class, clipped to [1e-15, 1-1e-15]; a
// class that was unknown when the question was asked has p = 1e-15. Natural logarithm; 0 is perfect.
func LogLoss() *Total {
	return total(&mean{label: "logloss", suits: classifiers, of: func(a *tidemill.Answer) (float64, bool) {
		_, t, ok := classOf(a)
		if !ok {
			return 0, false
		}
		p := 0.0
		if t < len(a.Prediction) && !a.Unseen {
			p = a.Prediction[t]
		}
		return -math.Log(min(max(p, clip), 1-clip)), p == p
	}})
}
