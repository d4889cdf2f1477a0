package expr

import (
	"math"
	"strings"
)

// microsOfDay is a day in microseconds.
const microsOfDay = 86_400_000_000

// farthestDay is how many days from 1970 a date may lie: its microseconds fit into an int64.
const farthestDay = math.MaxInt64 / microsOfDay

// ParseTime reads a date or a time by ISO 8601 and RFC 3339, as PostgreSQL and SQLite print them, as microseconds since
// 1970-01-01 UTC:
//
//	2024-02-29
//	2024-02-29T08:30, 2024-02-29 08:30:15, 2024-02-29 08:30:15.123456789
//	2024-02-29 08:30:15Z, 2024-02-29 08:30:15+01, 2024-02-29T08:30+0100, 2024-02-29 08:30:15 +01:00
//
// T, t or one space stands before the clock; a comma may stand for the point; a fraction has 1 to 9 digits and is cut
// to microseconds; 24:00:00 is the next day's midnight and second 60 the next minute's first. A zone is Z, z, ±hh,
// ±hhmm, ±hh:mm or ±hh:mm:ss up to ±15:59:59, after a space or none; without one it is UTC. Years have 4 digits, from
// 10000 on 5 or 6; those before year 0 are written -0043 or, with " BC" at the very end, 0044. Whatever else there is,
// infinity too, is no time.
func ParseTime(s string) (micros int64, ok bool) {
	bc := strings.HasSuffix(s, " BC")
	if bc {
		s = s[:len(s)-3]
	}
	days, s, ok := isoDate(s, bc)
	if !ok || days > farthestDay || days < -farthestDay {
		return 0, false
	}
	if s == "" {
		return days * microsOfDay, true
	}
	if s[0] != ' ' && s[0]|0x20 != 't' {
		return 0, false
	}
	micros, s, ok = isoClock(s[1:])
	if !ok {
		return 0, false
	}
	offset, ok := isoZone(s)
	midnight, rest := days*microsOfDay, micros-offset*1_000_000
	at := midnight + rest
	return at, ok && at < midnight == (rest < 0) // else it does not fit into an int64
}

// ParseClock reads a time of day, hh:mm[:ss[.f]] up to 24:00:00, as microseconds since midnight.
func ParseClock(s string) (micros int64, ok bool) {
	micros, s, ok = isoClock(s)
	return micros, ok && s == ""
}

// two is the number of two digits, or more than 99.
func two(s string) int64 {
	a, b := s[0]-'0', s[1]-'0'
	if a > 9 || b > 9 {
		return 1000
	}
	return int64(a)*10 + int64(b)
}

// isoDate reads [-]yyyy-mm-dd as days since 1970; rest is what follows.
func isoDate(s string, bc bool) (days int64, rest string, ok bool) {
	negative := s != "" && s[0] == '-'
	if negative {
		s = s[1:]
	}
	year, n := int64(0), 0
	for n < len(s) && n < 6 && s[n]-'0' <= 9 {
		year = year*10 + int64(s[n]-'0')
		n++
	}
	if n < 4 || n > 4 && s[0] == '0' || len(s) < n+6 || s[n] != '-' || s[n+3] != '-' {
		return 0, "", false
	}
	if bc || negative {
		if bc && negative || year == 0 {
			return 0, "", false
		}
		if year = -year; bc {
			year++
		}
	}
	month, day := two(s[n+1:]), two(s[n+4:])
	if month < 1 || month > 12 || day < 1 || day > 28 && day > daysIn(year, month) {
		return 0, "", false
	}
	// Days of the proleptic Gregorian calendar, years counted from March (H. Hinnant, "chrono-compatible low-level date
	// algorithms").
	if month <= 2 {
		year--
		month += 9
	} else {
		month -= 3
	}
	era := year / 400
	if year < 0 {
		era = (year - 399) / 400
	}
	ofEra := year - era*400
	ofYear := (153*month+2)/5 + day - 1
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468, s[n+6:], true
}

func daysIn(year, month int64) int64 {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// isoClock reads hh:mm[:ss[.f]] as microseconds since midnight; rest is what follows.
func isoClock(s string) (micros int64, rest string, ok bool) {
	if len(s) < 5 || s[2] != ':' {
		return 0, "", false
	}
	hour, minute, second := two(s), two(s[3:]), int64(0)
	if s = s[5:]; s != "" && s[0] == ':' {
		if len(s) < 3 {
			return 0, "", false
		}
		second = two(s[1:])
		if s = s[3:]; s != "" && (s[0] == '.' || s[0] == ',') {
			n, unit := 1, int64(100_000)
			for ; n < len(s) && s[n]-'0' <= 9; n++ {
				micros += int64(s[n]-'0') * unit
				unit /= 10
			}
			if n < 2 || n > 10 {
				return 0, "", false
			}
			s = s[n:]
		}
	}
	micros += ((hour*60+minute)*60 + second) * 1_000_000
	return micros, s, hour <= 24 && minute <= 59 && second <= 60 && micros <= microsOfDay
}

// isoZone reads the end of a time as seconds east of UTC.
func isoZone(s string) (seconds int64, ok bool) {
	if s == "" {
		return 0, true
	}
	if s[0] == ' ' {
		s = s[1:]
	}
	if len(s) == 1 && s[0]|0x20 == 'z' {
		return 0, true
	}
	if len(s) < 3 || s[0] != '+' && s[0] != '-' {
		return 0, false
	}
	var minute, second int64
	switch {
	case len(s) == 3:
	case len(s) == 5:
		minute = two(s[3:])
	case len(s) == 6 && s[3] == ':':
		minute = two(s[4:])
	case len(s) == 9 && s[3] == ':' && s[6] == ':': // as PostgreSQL prints a place's time before zones
		minute, second = two(s[4:]), two(s[7:])
	default:
		return 0, false
	}
	hour := two(s[1:])
	if hour > 15 || minute > 59 || second > 59 {
		return 0, false
	}
	seconds = (hour*60+minute)*60 + second
	if s[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}
