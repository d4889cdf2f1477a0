package model

import (
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
)

// noTerms refuses sparse terms for a model that would not read them. with is what stands before hasheddense in the
// mend.
func noTerms(in *tidemill.Input, kind, with string) error {
	if !in.Terms {
		return nil
	}
	return fmt.Errorf("%s takes no sparse terms, which the features hashed and text and the encoder onehot make: turn "+
		"them into columns with encoders: [%shasheddense], or leave them out", kind, with)
}

// hugeNumber bounds the values and weights that models take: beyond it a value counts as unknown and a weight teaches
// nothing, as their squares would drown whatever else was learned.
const hugeNumber = 1e100

// fullColumns warns of nominal columns of which no further category is taken.
func fullColumns(names []string, full func(i int) bool) []string {
	var out []string
	for i, name := range names {
		if full(i) {
			out = append(out, fmt.Sprintf("column %s has %d categories, the bound: further ones are not told apart",
				name, maxCategories))
		}
	}
	return out
}

// known says that v is a number that a model can use; NaN is not.
func known(v float64) bool { return v >= -hugeNumber && v <= hugeNumber }

// teaches says that w is the weight of a row that is to be learned.
func teaches(w float64) bool { return w > 0 && w <= hugeNumber }

// maxClasses bounds how far a class index may grow a model.
const maxClasses = 1 << 16

// class is the class index that y holds, or -1 if it holds none.
func class(y []float64) int {
	if len(y) == 0 || !(y[0] >= 0 && y[0] < maxClasses) {
		return -1
	}
	return int(y[0])
}

// appendUnknown appends n NaN: the prediction of a model that is not ready.
func appendUnknown(dst []float64, n int) []float64 {
	for range n {
		dst = append(dst, math.NaN())
	}
	return dst
}
