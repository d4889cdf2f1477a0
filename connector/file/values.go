package file

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// misfit says that a text is not of a column's kind.
func misfit(k tidemill.Kind, b []byte) string {
	if len(b) > 40 {
		b = append(b[:37:37], "..."...)
	}
	if k == tidemill.KindText {
		return fmt.Sprintf("%q is not UTF-8; convert the file", b)
	}
	return fmt.Sprintf("%q is no %s; declare the column under columns if it is of another kind", b, k)
}

// textValue is b as a value of kind k, sharing its memory.
func textValue(k tidemill.Kind, b []byte) (tidemill.Value, bool) {
	switch k {
	case tidemill.KindInt:
		n, ok := parseInt(b)
		return tidemill.Int(n), ok
	case tidemill.KindFloat:
		f, ok := parseFloat(b)
		return tidemill.Float(f), ok
	case tidemill.KindBool:
		v, ok := parseBool(b)
		return tidemill.Bool(v), ok
	case tidemill.KindTime:
		t, ok := parseTime(b)
		return tidemill.Timestamp(t), ok
	}
	return tidemill.TextBytes(b), utf8.Valid(b)
}

// parseInt reads a decimal int64.
func parseInt(b []byte) (int64, bool) {
	i, negative := 0, false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		i, negative = 1, b[0] == '-'
	}
	if n := len(b) - i; n == 0 || n > 19 {
		return 0, false
	}
	var n uint64
	for ; i < len(b); i++ {
		d := b[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + uint64(d)
	}
	if negative {
		return -int64(n), n <= 1<<63
	}
	return int64(n), n <= math.MaxInt64
}

// parseFloat reads a decimal number, or inf and nan; neither hexadecimal digits nor underscores.
func parseFloat(b []byte) (float64, bool) {
	for _, c := range b {
		if c == '_' || c == 'x' || c == 'X' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64)
	return f, err == nil
}

// parseBool reads true and false in any case, and 1 and 0.
func parseBool(b []byte) (v, ok bool) {
	switch string(b) {
	case "true", "True", "TRUE", "1", "t", "T":
		return true, true
	case "false", "False", "FALSE", "0", "f", "F":
		return false, true
	}
	return false, false
}

func parseTime(b []byte) (micros int64, ok bool) {
	return expr.ParseTime(unsafe.String(unsafe.SliceData(b), len(b)))
}
