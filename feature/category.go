package feature

import (
	"math"
	"strings"

	"github.com/tidemill/tidemill"
)

// category reads columns as categories; see OneHot and Category.
type category struct{ columnar }

// OneHotConfig reads columns as categories that numeric models see as one column per category.
type OneHotConfig struct {
	Columns []string `yaml:"columns" like:"country" short:"true" required:"true" doc:"The columns; every distinct value is a category."`
}

// NewOneHotConfig is the config with its defaults.
func NewOneHotConfig() *OneHotConfig { return &OneHotConfig{} }

// Build makes the feature; a column that does not exist is an error of Bind.
func (c *OneHotConfig) Build(string) (tidemill.Feature, error) { return OneHot(c.Columns...), nil }

// CategoryConfig reads columns as categories for models that split on them (trees, Bayes).
type CategoryConfig struct {
	Columns []string `yaml:"columns" like:"country" short:"true" required:"true" doc:"The columns; every distinct value is a category."`
}

// NewCategoryConfig is the config with its defaults.
func NewCategoryConfig() *CategoryConfig { return &CategoryConfig{} }

// Build makes the feature; a column that does not exist is an error of Bind.
func (c *CategoryConfig) Build(string) (tidemill.Feature, error) { return Category(c.Columns...), nil }

// OneHot reads columns as categories: each becomes one nominal dense column that holds tidemill.Code of the value's
// canonical text, marked so that encode.OneHot makes one weight per category of it. It keeps no list of categories:
// those that count are the ones that the encoder learned. NULL is NaN; the empty text is a category.
func OneHot(cols ...string) tidemill.Feature { return newCategory("onehot", true, cols) }

// Category is OneHot without the mark: the column stays one nominal column, for models that know what to do with it.
func Category(cols ...string) tidemill.Feature { return newCategory("category", false, cols) }

func newCategory(kind string, onehot bool, cols []string) tidemill.Feature {
	f := &category{columnar{kind: kind, cols: cols}}
	for _, c := range cols {
		f.out = append(f.out, tidemill.FeatureColumn{Name: c, Nominal: true, OneHot: onehot})
	}
	return f
}

// Describe implements tidemill.Feature.
func (f *category) Describe() string { return f.kind + " " + strings.Join(f.cols, ",") }

// Append implements tidemill.Feature.
func (f *category) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	row, at, err := f.row(c)
	if err != nil {
		return err
	}
	var scratch [64]byte
	for _, i := range at {
		switch v := row[i]; v.Kind() {
		case tidemill.KindNull:
			dst.Dense = append(dst.Dense, math.NaN())
		case tidemill.KindUnknown:
			return reject(c, i, errNotSent)
		default:
			dst.Dense = append(dst.Dense, tidemill.Code(text(v, &scratch)))
		}
	}
	return nil
}

// text is the value's canonical text, without copying where it is bytes already.
func text(v tidemill.Value, scratch *[64]byte) []byte {
	switch v.Kind() {
	case tidemill.KindText, tidemill.KindBytes, tidemill.KindDecimal, tidemill.KindOther:
		return v.Bytes()
	}
	return v.AppendText(scratch[:0])
}
