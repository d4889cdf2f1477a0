package file

import (
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/tidemill/tidemill"
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

// digits reads n digits at b[i:]; -1 if they are none.
func digits(b []byte, i, n int) int {
	if i+n > len(b) {
		return -1
	}
	v := 0
	for _, c := range b[i : i+n] {
		if c < '0' || c > '9' {
			return -1
		}
		v = v*10 + int(c-'0')
	}
	return v
}

// parseTime reads ISO 8601 as microseconds: 2024-02-29, with a time of day after "T" or a space, seconds and their
// fraction optional, and Z or an offset; without one it is UTC.
func parseTime(b []byte) (micros int64, ok bool) {
	year, month, day := digits(b, 0, 4), digits(b, 5, 2), digits(b, 8, 2)
	if year < 0 || month < 1 || month > 12 || day < 1 || day > 31 || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	var hour, minute, second, fraction, offset int
	i := 10
	if i < len(b) {
		if b[i] != 'T' && b[i] != ' ' && b[i] != 't' {
			return 0, false
		}
		hour, minute = digits(b, 11, 2), digits(b, 14, 2)
		if hour < 0 || hour > 23 || minute < 0 || minute > 59 || b[13] != ':' {
			return 0, false
		}
		i = 16
		if i < len(b) && b[i] == ':' {
			if second = digits(b, 17, 2); second < 0 || second > 59 {
				return 0, false
			}
			i = 19
			if i < len(b) && (b[i] == '.' || b[i] == ',') {
				scale := 100_000
				from := i + 1
				for i++; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
					fraction += int(b[i]-'0') * scale
					scale /= 10
				}
				if i == from {
					return 0, false
				}
			}
		}
		if i < len(b) {
			if offset, ok = parseOffset(b[i:]); !ok {
				return 0, false
			}
		}
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	return t.UnixMicro() + int64(fraction) - int64(offset)*1_000_000, t.Day() == day
}

// parseOffset reads Z, +hh, +hhmm or +hh:mm as seconds east of UTC.
func parseOffset(b []byte) (seconds int, ok bool) {
	if len(b) == 1 && (b[0] == 'Z' || b[0] == 'z') {
		return 0, true
	}
	if b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hour, minute := digits(b, 1, 2), 0
	switch {
	case len(b) == 5:
		minute = digits(b, 3, 2)
	case len(b) == 6 && b[3] == ':':
		minute = digits(b, 4, 2)
	case len(b) != 3:
		return 0, false
	}
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	seconds = hour*3600 + minute*60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}
