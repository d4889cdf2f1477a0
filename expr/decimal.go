package expr

import (
	"strconv"

	"github.com/tidemill/tidemill"
)

// decimal is the digits of a number: sign, whole part without leading zeros, fraction without trailing ones.
type decimal struct {
	negative        bool
	whole, fraction []byte
}

// orderDecimals compares decimals and integers digit by digit; ok is false for texts with an exponent or none at all.
func orderDecimals(x, y tidemill.Value) (c int, ok bool) {
	var xb, yb [20]byte
	a, ok1 := splitDecimal(decimalText(x, xb[:0]))
	b, ok2 := splitDecimal(decimalText(y, yb[:0]))
	if !ok1 || !ok2 {
		return 0, false
	}
	if a.negative != b.negative {
		if a.negative {
			return -1, true
		}
		return 1, true
	}
	if c = cmp3(len(a.whole), len(b.whole)); c == 0 {
		if c = compareBytes(a.whole, b.whole); c == 0 {
			c = compareBytes(a.fraction, b.fraction)
		}
	}
	if a.negative {
		c = -c
	}
	return c, true
}

func decimalText(v tidemill.Value, dst []byte) []byte {
	if v.Kind() == tidemill.KindInt {
		return strconv.AppendInt(dst, v.Int(), 10)
	}
	return v.Bytes()
}

func splitDecimal(s []byte) (d decimal, ok bool) {
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		d.negative = s[0] == '-'
		s = s[1:]
	}
	dot := -1
	for i, c := range s {
		if c == '.' && dot < 0 {
			dot = i
		} else if c-'0' > 9 {
			return d, false
		}
	}
	if dot >= 0 {
		d.whole, d.fraction = s[:dot], s[dot+1:]
	} else {
		d.whole = s
	}
	ok = len(d.whole)+len(d.fraction) > 0
	for len(d.whole) > 0 && d.whole[0] == '0' {
		d.whole = d.whole[1:]
	}
	for n := len(d.fraction); n > 0 && d.fraction[n-1] == '0'; n-- {
		d.fraction = d.fraction[:n-1]
	}
	if len(d.whole)+len(d.fraction) == 0 {
		d.negative = false // minus zero is zero
	}
	return d, ok
}

// compareBytes orders digits; where one is the other's beginning, the longer is the larger.
func compareBytes(a, b []byte) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if a[i] != b[i] {
			return cmp3(int(a[i]), int(b[i]))
		}
	}
	return cmp3(len(a), len(b))
}
