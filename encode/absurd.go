package encode

import (
	"fmt"
	"math"
)

// A value is absurd where it lies farther from what its column has learned than FarBy times (1 + the size of that): one
// such would take a scaler's column from all others for good. It is left out and counted as long as absurd values are
// no more than one in rareOf of those learned; when they are more they are the data, and are learned.
const (
	FarBy  = 1e9 // no value is absurd that is nearer than this
	rareOf = 100
)

// Rare says that one more absurd value beside n learned ones is to be left out.
func Rare(refused, n float64) bool { return (refused+1)*rareOf <= n }

// Absurd says that a value at a distance from what was learned is absurd; size is the largest magnitude of that.
func Absurd(distance, size float64) bool { return math.Abs(distance) > FarBy*(1+size) }

// leftOut warns of columns of which absurd values were left out.
func leftOut(kind string, names []string, refused func(k int) float64) []string {
	var out []string
	for k, name := range names {
		if n := refused(k); n > 0 {
			out = append(out, fmt.Sprintf("encoder %s: column %s: %.0f values left out of the scale, a billion times beyond "+
				"all others", kind, name, n))
		}
	}
	return out
}
