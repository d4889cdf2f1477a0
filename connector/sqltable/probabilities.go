package sqltable

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/tidemill/tidemill"
)

// AppendProbabilities appends the prediction as JSON: an object by class for a classifier, else an array where
// there are several numbers. Nothing where the score says it all. JSON has no NaN and no infinities: null.
func AppendProbabilities(b []byte, o *tidemill.Output) []byte {
	open, end := byte('['), byte(']')
	if o.Labels != nil {
		open, end = '{', '}'
	} else if len(o.Prediction) < 2 {
		return b
	}
	b = append(b, open)
	for i, v := range o.Prediction {
		if i > 0 {
			b = append(b, ',')
		}
		if o.Labels != nil {
			if i >= len(o.Labels) {
				break
			}
			b = appendString(b, o.Labels[i])
			b = append(b, ':')
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
		}
	}
	return append(b, end)
}

// appendString appends a JSON string; plain ones, which labels nearly always are, without the detour.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c > '~' {
			q, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...)
			}
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
