package engine

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// ValueOf reads what JSON and Go callers give for a column: nil, booleans, numbers, strings (for times ISO text, for
// bytes base64), []byte, lists of numbers for bytes, time.Time, Value.
func ValueOf(v any, col tidemill.Column) (tidemill.Value, error) {
	switch v := v.(type) {
	case nil:
		return tidemill.Null(), nil
	case tidemill.Value:
		return v, nil
	case bool:
		return tidemill.Bool(v), nil
	case int:
		return tidemill.Int(int64(v)), nil
	case int64:
		return tidemill.Int(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return tidemill.Value{}, errors.New("not a finite number")
		}
		if col.Kind == tidemill.KindInt && v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return tidemill.Int(int64(v)), nil
		}
		if col.Kind == tidemill.KindBool && (v == 0 || v == 1) {
			return tidemill.Bool(v == 1), nil
		}
		return tidemill.Float(v), nil
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			if col.Kind == tidemill.KindFloat {
				return tidemill.Float(float64(i)), nil
			}
			return tidemill.Int(i), nil
		}
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return tidemill.Value{}, fmt.Errorf("%q is not a finite number", string(v))
		}
		return ValueOf(f, col)
	case []byte:
		return tidemill.Blob(v), nil
	case time.Time:
		return tidemill.TimeOf(v), nil
	case string:
		return textFor(v, col)
	case []any:
		if col.Kind != tidemill.KindBytes && col.Kind != tidemill.KindUnknown && col.Kind != tidemill.KindOther {
			return tidemill.Value{}, fmt.Errorf("a list, where the column is %s", col.Kind)
		}
		b := make([]byte, len(v))
		for i, x := range v {
			val, err := ValueOf(x, tidemill.Column{Kind: tidemill.KindInt})
			if err != nil {
				return tidemill.Value{}, err
			}
			f, ok := val.Number()
			if !ok || f < 0 || f > 255 || f != math.Trunc(f) {
				return tidemill.Value{}, fmt.Errorf("element %d is not a byte (0 to 255)", i)
			}
			b[i] = byte(f)
		}
		return tidemill.Blob(b), nil
	}
	return tidemill.Value{}, fmt.Errorf("cannot read a %T", v)
}

func textFor(s string, col tidemill.Column) (tidemill.Value, error) {
	switch col.Kind {
	case tidemill.KindBytes:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return tidemill.Value{}, fmt.Errorf("text, where the column is bytes: give base64 or a list of numbers: %w", err)
		}
		return tidemill.Blob(b), nil
	case tidemill.KindTime:
		if at, ok := expr.ParseTime(s); ok {
			return tidemill.Timestamp(at), nil
		}
		return tidemill.Value{}, fmt.Errorf("%q is not a time like 2013-01-01T05:15:00Z", s)
	case tidemill.KindInt:
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return tidemill.Int(i), nil
		}
		return tidemill.Value{}, fmt.Errorf("%q is not an integer", s)
	case tidemill.KindFloat:
		if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) && f == f {
			return tidemill.Float(f), nil
		}
		return tidemill.Value{}, fmt.Errorf("%q is not a finite number", s)
	case tidemill.KindBool:
		if b, err := strconv.ParseBool(s); err == nil {
			return tidemill.Bool(b), nil
		}
		return tidemill.Value{}, fmt.Errorf("%q is not true or false", s)
	case tidemill.KindDecimal:
		return tidemill.Decimal(s), nil
	}
	return tidemill.Text(s), nil
}
