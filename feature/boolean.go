package feature

import (
	"fmt"
	"math"
	"strings"

	"github.com/tidemill/tidemill"
)

// boolean reads columns as 0 and 1; see Boolean.
type boolean struct{ columnar }

// BooleanConfig reads columns as 0 (false) and 1 (true).
type BooleanConfig struct {
	Columns []string `yaml:"columns" like:"express" short:"true" required:"true" doc:"The columns: booleans, numbers (0 is false), or text such as true, f, yes, off."`
}

// NewBooleanConfig is the config with its defaults.
func NewBooleanConfig() *BooleanConfig { return &BooleanConfig{} }

// Build makes the feature; a column that does not exist is an error of Bind.
func (c *BooleanConfig) Build(string) (tidemill.Feature, error) { return Boolean(c.Columns...), nil }

// Boolean reads columns as 0 and 1: booleans, numbers (0 is false, all else true), and the words true, t, yes, y, on, 1
// and false, f, no, n, off, 0 in any case. NULL is NaN; anything else rejects the row. Scalers leave the columns alone.
func Boolean(cols ...string) tidemill.Feature {
	f := &boolean{columnar{kind: "boolean", cols: cols, fits: fitsNumber}}
	for _, c := range cols {
		f.out = append(f.out, tidemill.FeatureColumn{Name: c, Scaled: true})
	}
	return f
}

// Describe implements tidemill.Feature.
func (f *boolean) Describe() string { return "boolean " + strings.Join(f.cols, ",") }

// Append implements tidemill.Feature.
func (f *boolean) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	row, at, err := f.row(c)
	if err != nil {
		return err
	}
	for _, i := range at {
		v, err := truth(row[i])
		if err != nil {
			return reject(c, i, err)
		}
		dst.Dense = append(dst.Dense, v)
	}
	return nil
}

func truth(v tidemill.Value) (float64, error) {
	switch v.Kind() {
	case tidemill.KindNull:
		return math.NaN(), nil
	case tidemill.KindUnknown:
		return 0, errNotSent
	case tidemill.KindBool, tidemill.KindInt, tidemill.KindFloat, tidemill.KindDecimal:
		f, err := number(v)
		if err == nil && f == f && f != 0 {
			f = 1
		}
		return f, err
	case tidemill.KindText, tidemill.KindOther:
		switch strings.ToLower(strings.TrimSpace(v.Str())) {
		case "true", "t", "yes", "y", "on", "1":
			return 1, nil
		case "false", "f", "no", "n", "off", "0":
			return 0, nil
		}
	}
	return 0, fmt.Errorf("%s is neither true nor false", quoted(v))
}
