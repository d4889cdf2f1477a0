package encode

import (
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
)

// pick is the indexes of the columns named by names; of those for which ok is true when names is empty.
func pick(kind string, in []tidemill.FeatureColumn, names []string,
	ok func(c *tidemill.FeatureColumn) bool) ([]int, error) {
	var cols []int
	if len(names) == 0 {
		for i := range in {
			if ok(&in[i]) {
				cols = append(cols, i)
			}
		}
		return cols, nil
	}
	for _, name := range names {
		found := -1
		for i := range in {
			if in[i].Name == name {
				found = i
			}
		}
		if found < 0 {
			return nil, fmt.Errorf("%s: no feature column is named %q; there are %s", kind, name, columnNames(in))
		}
		if !ok(&in[found]) {
			return nil, fmt.Errorf("%s: feature column %q is of the wrong sort; leave it out", kind, name)
		}
		cols = append(cols, found)
	}
	return cols, nil
}

// columnNames lists the first columns for a message.
func columnNames(in []tidemill.FeatureColumn) string {
	if len(in) == 0 {
		return "none"
	}
	var names []string
	for i := range in {
		if i == 12 {
			names = append(names, "…")
			break
		}
		names = append(names, in[i].Name)
	}
	return strings.Join(names, ", ")
}

func isNumber(c *tidemill.FeatureColumn) bool  { return !c.Nominal }
func isNominal(c *tidemill.FeatureColumn) bool { return c.Nominal }
func isOneHot(c *tidemill.FeatureColumn) bool  { return c.Nominal && c.OneHot }
func scales(c *tidemill.FeatureColumn) bool    { return !c.Nominal && !c.Scaled }

// unsupervised is the part of an Encoder that does not look at answers.
type unsupervised struct{}

// Supervised implements tidemill.Encoder.
func (unsupervised) Supervised() bool { return false }

// pass copies the vector without changing a number.
func pass(dst, x *tidemill.Vector) {
	dst.Dense = append(dst.Dense[:0], x.Dense...)
	dst.Terms = append(dst.Terms[:0], x.Terms...)
}

func isFinite(f float64) bool { return f-f == 0 }
