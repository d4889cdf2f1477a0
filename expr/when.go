package expr

import (
	"fmt"
	"time"

	"github.com/tidemill/tidemill"
)

// timeOf reads a value as the flow's time in microseconds: a time, ISO text ("2013-01-01", "2013-01-01 05:15[:00[.5]]", with
// T or a zone), or a number of seconds or milliseconds where unix says so. Text without a zone is UTC.
func Micros(v tidemill.Value, unix string) (int64, bool) {
	switch v.Kind() {
	case tidemill.KindTime:
		return v.Int(), true
	case tidemill.KindInt, tidemill.KindFloat, tidemill.KindDecimal:
		if unix == "" {
			return 0, false
		}
		f, ok := v.Number()
		if !ok || f != f || f > 9e15 || f < -9e15 {
			return 0, false
		}
		if v.Kind() == tidemill.KindInt {
			if unix == "ms" {
				return v.Int() * 1e3, true
			}
			if i := v.Int(); i < 9e12 && i > -9e12 {
				return i * 1e6, true
			}
			return 0, false
		}
		if unix == "ms" {
			return int64(f * 1e3), true
		}
		if f > 9e12 || f < -9e12 {
			return 0, false
		}
		return int64(f * 1e6), true
	case tidemill.KindText:
		if unix != "" {
			if f, ok := v.Number(); ok {
				return Micros(tidemill.Float(f), unix)
			}
			return 0, false
		}
		return ParseTime(v.Str())
	}
	return 0, false
}

// CheckTime says why a column cannot tell times: it holds numbers, and unix ("s", "ms") does not say what they count.
func CheckTime(c *tidemill.Column, unix string) error {
	if unix != "" || c.Kind != tidemill.KindInt && c.Kind != tidemill.KindFloat && c.Kind != tidemill.KindDecimal {
		return nil
	}
	return fmt.Errorf("column %s holds numbers (%s): say `unix: s` or `unix: ms` beside `at:`, as what they count from 1970", c.Name, c.Kind)
}

// ParseTime reads ISO text as microseconds since 1970-01-01 UTC; without a zone it is UTC.

func ParseTime(s string) (int64, bool) {
	digits := func(from, n int) (int, bool) {
		if len(s) < from+n {
			return 0, false
		}
		v := 0
		for _, c := range []byte(s[from : from+n]) {
			if c < '0' || c > '9' {
				return 0, false
			}
			v = v*10 + int(c-'0')
		}
		return v, true
	}
	y, ok1 := digits(0, 4)
	m, ok2 := digits(5, 2)
	d, ok3 := digits(8, 2)
	if !ok1 || !ok2 || !ok3 || s[4] != '-' || s[7] != '-' || m < 1 || m > 12 || d < 1 || d > 31 {
		return 0, false
	}
	var hh, mm, ss, micros int
	i := 10
	if len(s) > 10 {
		if s[10] != ' ' && s[10] != 'T' {
			return 0, false
		}
		var ok bool
		if hh, ok = digits(11, 2); !ok || hh > 23 {
			return 0, false
		}
		if mm, ok = digits(14, 2); !ok || s[13] != ':' || mm > 59 {
			return 0, false
		}
		i = 16
		if len(s) > i && s[i] == ':' {
			if ss, ok = digits(17, 2); !ok || ss > 60 {
				return 0, false
			}
			i = 19
			if len(s) > i && s[i] == '.' {
				i++
				scale := 100000
				for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
					micros += int(s[i]-'0') * scale
					scale /= 10
				}
			}
		}
	}
	if t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC); t.Day() != d {
		return 0, false
	}
	t := time.Date(y, time.Month(m), d, hh, mm, ss, 0, time.UTC).Unix()*1e6 + int64(micros)
	switch rest := s[i:]; {
	case rest == "" || rest == "Z" || rest == "z":
	case rest[0] == '+' || rest[0] == '-':
		zh, ok := digits(i+1, 2)
		if !ok {
			return 0, false
		}
		zm := 0
		if len(rest) > 3 {
			j := i + 3
			if s[j] == ':' {
				j++
			}
			if zm, ok = digits(j, 2); !ok || j+2 != len(s) {
				return 0, false
			}
		}
		off := int64(zh*3600+zm*60) * 1e6
		if rest[0] == '+' {
			off = -off
		}
		t += off
	default:
		return 0, false
	}
	return t, true
}
