package expr

import (
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
)

// Micros reads a value as a moment in microseconds since 1970-01-01 UTC: a time, text that ParseTime reads, or a
// number that counts seconds or milliseconds since then where unix is "s" or "ms". A number alone is no moment.
func Micros(v tidemill.Value, unix string) (micros int64, ok bool) {
	switch v.Kind() {
	case tidemill.KindTime:
		return v.Int(), true
	case tidemill.KindText, tidemill.KindOther:
		if unix == "" {
			return ParseTime(v.Str())
		}
	case tidemill.KindInt, tidemill.KindFloat, tidemill.KindDecimal:
		if unix == "" {
			return 0, false
		}
	default:
		return 0, false
	}
	scale := int64(1_000_000)
	if unix == "ms" {
		scale = 1_000
	}
	if v.Kind() == tidemill.KindInt {
		i := v.Int()
		limit := math.MaxInt64 / scale
		return i * scale, i <= limit && i >= -limit
	}
	if v.Kind() == tidemill.KindOther {
		v = tidemill.Text(v.Str())
	}
	f, ok := v.Number()
	f = math.Round(f * float64(scale))
	if !ok || !(math.Abs(f) < math.MaxInt64) {
		return 0, false
	}
	return int64(f), true
}

// CheckTime says why a column cannot tell times: it holds numbers, and unix ("s", "ms") does not say what they count.
func CheckTime(c *tidemill.Column, unix string) error {
	if unix != "" || c.Kind != tidemill.KindInt && c.Kind != tidemill.KindFloat && c.Kind != tidemill.KindDecimal {
		return nil
	}
	return fmt.Errorf("column %s holds numbers (%s): say `unix: s` or `unix: ms` beside `at:`, as what they count from "+
		"1970", c.Name, c.Kind)
}
