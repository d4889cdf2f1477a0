package score

import "github.com/tidemill/tidemill"

// ConfusionConfig counts true against predicted classes; its value is the accuracy.
type ConfusionConfig struct{}

// NewConfusionConfig is the config with its defaults.
func NewConfusionConfig() *ConfusionConfig { return &ConfusionConfig{} }

// Build makes the score; it never fails.
func (*ConfusionConfig) Build(string) (tidemill.Score, error) { return Confusion(), nil }

// Confusion counts answers by true and predicted class; Confusion() on it gives the counts [truth][predicted] (of the
// first 1024 classes, if there are more). Its value is the accuracy. Up to 64 classes it takes 32 KiB, beyond that 30
// bytes for each pair of classes that came.
func Confusion() *Total {
	return total(&confusion{label: "confusion", positive: -1, of: func(f *confusion) float64 { return f.c.hits / f.c.n }})
}
