package feature

import (
	"math"
	"strings"

	"github.com/tidemill/tidemill"
)

// logarithm reads columns on a log scale; see Log.
type logarithm struct{ columnar }

// LogConfig reads columns as numbers on a logarithmic scale that keeps 0 and the sign.
type LogConfig struct {
	Columns []string `yaml:"columns" like:"amount" short:"true" required:"true" doc:"The columns, read as numeric reads them."`
}

// NewLogConfig is the config with its defaults.
func NewLogConfig() *LogConfig { return &LogConfig{} }

// Build makes the feature; a column that does not exist is an error of Bind.
func (c *LogConfig) Build(string) (tidemill.Feature, error) { return Log(c.Columns...), nil }

// Log reads columns as sign(x)·ln(1+|x|): amounts over many sizes come near to each other, 0 stays 0, and negative
// numbers mirror positive ones. The columns are read as Numeric reads them.
func Log(cols ...string) tidemill.Feature {
	f := &logarithm{columnar{kind: "log", cols: cols, fits: fitsNumber}}
	for _, c := range cols {
		f.out = append(f.out, tidemill.FeatureColumn{Name: "log " + c})
	}
	return f
}

// Describe implements tidemill.Feature.
func (f *logarithm) Describe() string { return "log " + strings.Join(f.cols, ",") }

// Append implements tidemill.Feature.
func (f *logarithm) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	row, at, err := f.row(c)
	if err != nil {
		return err
	}
	for _, i := range at {
		v, err := number(row[i])
		if err != nil {
			return reject(c, i, err)
		}
		dst.Dense = append(dst.Dense, math.Copysign(math.Log1p(math.Abs(v)), v))
	}
	return nil
}
