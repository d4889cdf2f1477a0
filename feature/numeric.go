package feature

import (
	"strings"

	"github.com/tidemill/tidemill"
)

// numeric reads columns as numbers; see Numeric.
type numeric struct{ columnar }

// NumericConfig reads columns as numbers.
type NumericConfig struct {
	Columns []string `yaml:"columns" like:"items,amount" short:"true" required:"true" doc:"The columns: integers, floats, decimals, booleans, times (seconds since 1970) or text that is a number."`
}

// NewNumericConfig is the config with its defaults.
func NewNumericConfig() *NumericConfig { return &NumericConfig{} }

// Build makes the feature; a column that does not exist is an error of Bind.
func (c *NumericConfig) Build(string) (tidemill.Feature, error) { return Numeric(c.Columns...), nil }

// Numeric reads columns as numbers: integers, floats, decimals, booleans (0 and 1), times (seconds since 1970) and text
// that is a number. NULL and a NaN of the database are NaN. A row with an infinite number, with text that is no number
// or with bytes is rejected.
func Numeric(cols ...string) tidemill.Feature {
	f := &numeric{columnar{kind: "numeric", cols: cols, fits: fitsNumber}}
	for _, c := range cols {
		f.out = append(f.out, tidemill.FeatureColumn{Name: c})
	}
	return f
}

// Describe implements tidemill.Feature.
func (f *numeric) Describe() string { return "numeric " + strings.Join(f.cols, ",") }

// Append implements tidemill.Feature.
func (f *numeric) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	row, at, err := f.row(c)
	if err != nil {
		return err
	}
	for _, i := range at {
		v, err := number(row[i])
		if err != nil {
			return reject(c, i, err)
		}
		dst.Dense = append(dst.Dense, v)
	}
	return nil
}
