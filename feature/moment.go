package feature

import (
	"math"
	"time"

	"github.com/tidemill/tidemill"
)

// momentOf is a value as microseconds since 1970 UTC: a time, ISO 8601 text (UTC without a zone), or a number that counts
// seconds or milliseconds where unix is "s" or "ms".
func momentOf(v tidemill.Value, unix string) (micros int64, ok bool) {
	switch v.Kind() {
	case tidemill.KindTime:
		return v.Int(), true
	case tidemill.KindNull, tidemill.KindUnknown, tidemill.KindBytes, tidemill.KindBool:
		return 0, false
	}
	if unix != "" {
		scale := 1e6
		if unix == "ms" {
			scale = 1e3
		}
		if v.Kind() == tidemill.KindInt {
			i := v.Int()
			if limit := int64(math.MaxInt64 / scale); i > limit || i < -limit {
				return 0, false
			}
			return i * int64(scale), true
		}
		f, err := number(v)
		if f *= scale; err != nil || !(math.Abs(f) < 1<<62) {
			return 0, false
		}
		return int64(math.Round(f)), true
	}
	if v.Kind() != tidemill.KindText && v.Kind() != tidemill.KindOther {
		return 0, false
	}
	return parseMoment(v.Str())
}

// parseMoment reads 2024-03-01, 2024-03-01 08:30, 2024-03-01T08:30:15.25Z, …+01:00.
func parseMoment(s string) (micros int64, ok bool) {
	var at [3]int // hour, minute, second
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	year, month, day := digits(s[:4]), digits(s[5:7]), digits(s[8:10])
	if year < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	fraction, offset := 0, 0
	if s = s[10:]; s != "" {
		if s[0] != 'T' && s[0] != 't' && s[0] != ' ' {
			return 0, false
		}
		n := 0
		for s = s[1:]; n < 3; n++ {
			if n > 0 {
				if s == "" || s[0] != ':' {
					break
				}
				s = s[1:]
			}
			if len(s) < 2 {
				return 0, false
			}
			at[n] = digits(s[:2])
			s = s[2:]
		}
		if n < 2 || at[0] < 0 || at[0] > 23 || at[1] < 0 || at[1] > 59 || at[2] < 0 || at[2] > 59 {
			return 0, false
		}
		if n == 3 && len(s) > 1 && s[0] == '.' {
			scale := 100000
			i := 1
			for ; i < len(s) && s[i]-'0' < 10; i++ {
				fraction += int(s[i]-'0') * scale
				scale /= 10
			}
			if i == 1 {
				return 0, false
			}
			s = s[i:]
		}
		if offset, ok = zoneOf(s); !ok {
			return 0, false
		}
	}
	t := time.Date(year, time.Month(month), day, at[0], at[1], at[2], 0, time.UTC)
	return (t.Unix()-int64(offset))*1e6 + int64(fraction), true
}

// zoneOf reads the end of a time: nothing, Z, +hh, +hhmm or +hh:mm, in seconds.
func zoneOf(s string) (offset int, ok bool) {
	if len(s) > 0 && s[0] == ' ' {
		s = s[1:]
	}
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	hours, minutes := digits(s[1:3]), 0
	rest := s[3:]
	if len(rest) == 3 && rest[0] == ':' {
		rest = rest[1:]
	}
	switch len(rest) {
	case 0:
	case 2:
		minutes = digits(rest)
	default:
		return 0, false
	}
	if hours < 0 || hours > 18 || minutes < 0 || minutes > 59 {
		return 0, false
	}
	offset = hours*3600 + minutes*60
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

// digits is the number that the text's digits make, or -1.
func digits(s string) (n int) {
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 {
			return -1
		}
		n = n*10 + int(d)
	}
	return n
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
