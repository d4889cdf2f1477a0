package feature

import (
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
)

// ratio divides one column by another; see Ratio.
type ratio struct{ columnar }

// RatioConfig divides one column by another.
type RatioConfig struct {
	Of string `yaml:"of" like:"amount" required:"true" doc:"The column that is divided, read as numeric reads it."`
	To string `yaml:"to" like:"items" required:"true" doc:"The column that it is divided by; where this is 0 the ratio is unknown."`
}

// NewRatioConfig is the config with its defaults.
func NewRatioConfig() *RatioConfig { return &RatioConfig{} }

// Build makes the feature; a column that does not exist is an error of Bind.
func (c *RatioConfig) Build(string) (tidemill.Feature, error) {
	if c.Of == "" || c.To == "" {
		return nil, fmt.Errorf("ratio: name both columns, of and to")
	}
	return Ratio(c.Of, c.To), nil
}

// Ratio is column of divided by column to, NaN where one of them is NULL, where to is 0, and where the quotient is
// beyond float64. The columns are read as Numeric reads them.
func Ratio(of, to string) tidemill.Feature {
	return &ratio{columnar{kind: "ratio", cols: []string{of, to}, fits: fitsNumber,
		out: []tidemill.FeatureColumn{{Name: of + " / " + to}}}}
}

// Describe implements tidemill.Feature.
func (f *ratio) Describe() string { return "ratio " + f.cols[0] + " / " + f.cols[1] }

// Append implements tidemill.Feature.
func (f *ratio) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	row, at, err := f.row(c)
	if err != nil {
		return err
	}
	var v [2]float64
	for k, i := range at {
		if v[k], err = number(row[i]); err != nil {
			return reject(c, i, err)
		}
	}
	q := v[0] / v[1]
	if math.IsInf(q, 0) {
		q = math.NaN()
	}
	dst.Dense = append(dst.Dense, q)
	return nil
}
