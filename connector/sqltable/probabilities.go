package sqltable

import (
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/jsontext"
)

// AppendProbabilities appends the prediction as JSON: an object by class for a classifier, else an array where there
// are several numbers. Nothing where the score says it all. JSON has no NaN and no infinities: null.
func AppendProbabilities(b []byte, o *tidemill.Output) []byte {
	switch {
	case o.Labels != nil:
		return jsontext.Plain.AppendProbabilities(b, o.Labels, o.Prediction)
	case len(o.Prediction) < 2:
		return b
	}
	return jsontext.Plain.AppendNumbers(b, o.Prediction)
}
