package postgres

import (
	"bytes"
	"encoding/hex"
	"math"
	"strconv"
	"unsafe"

	"github.com/tidemill/tidemill"
)

// form is how a column's text is read. Snapshot (COPY in text format) and stream (pgoutput, text format) both carry what
// the type's output function prints, with the same session settings, and both are read by decode: so the same stored
// value gives the same Value.
type form uint8

const (
	formOther form = iota // the exact text
	formText
	formBool
	formInt
	formFloat
	formNumeric
	formBytea
	formDate
	formTime
	formTimestamp // with or without a zone: sessions run in UTC
)

var formKinds = [...]tidemill.Kind{
	formOther: tidemill.KindOther, formText: tidemill.KindText, formBool: tidemill.KindBool, formInt: tidemill.KindInt,
	formFloat: tidemill.KindFloat, formNumeric: tidemill.KindDecimal, formBytea: tidemill.KindBytes,
	formDate: tidemill.KindTime, formTime: tidemill.KindTime, formTimestamp: tidemill.KindTime,
}

// builtin is the form of PostgreSQL's own types by OID (src/include/catalog/pg_type.dat); ok is false for types that the
// catalog must tell about.
func builtin(oid uint32) (f form, ok bool) {
	switch oid {
	case 16:
		return formBool, true
	case 17:
		return formBytea, true
	case 18, 19, 25, 114, 142, 1042, 1043, 2950, 3802: // "char" name text json xml bpchar varchar uuid jsonb
		return formText, true
	case 20, 21, 23, 26: // int8 int2 int4 oid
		return formInt, true
	case 700, 701:
		return formFloat, true
	case 1082:
		return formDate, true
	case 1083:
		return formTime, true
	case 1114, 1184:
		return formTimestamp, true
	case 1700:
		return formNumeric, true
	}
	return formOther, oid < 10000 // OIDs below 10000 are assigned by hand: never a domain or an enumeration
}

// decode makes a Value of a type's output text. b is not kept. A text that the form cannot hold (infinity, a year beyond
// int64's microseconds) is Other with the exact text.
func (s *slab) decode(f form, b []byte) tidemill.Value {
	switch f {
	case formInt:
		if n, ok := parseInt(b); ok {
			return tidemill.Int(n)
		}
	case formText:
		return tidemill.TextBytes(s.keep(b))
	case formFloat:
		// A real's shortest text is read as people read it: 0.1, not 0.10000000149011612.
		if x, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64); err == nil {
			return tidemill.Float(x)
		}
	case formNumeric:
		if len(b) > 0 && (b[len(b)-1] <= '9') { // neither NaN nor Infinity
			return tidemill.DecimalBytes(s.keep(b))
		}
	case formBool:
		if len(b) == 1 {
			return tidemill.Bool(b[0] == 't')
		}
	case formTimestamp:
		if us, ok := parseTimestamp(b); ok {
			return tidemill.Timestamp(us)
		}
	case formDate:
		if days, rest, ok := parseDays(b); ok && len(rest) == 0 && days > math.MinInt64/dayMicros && days < math.MaxInt64/dayMicros {
			return tidemill.Timestamp(days * dayMicros)
		}
	case formTime:
		if us, rest, ok := parseClock(b); ok && len(rest) == 0 {
			return tidemill.Timestamp(us)
		}
	case formBytea:
		if len(b) >= 2 && b[0] == '\\' && b[1] == 'x' {
			k := s.room((len(b) - 2) / 2)
			if _, err := hex.Decode(k, b[2:]); err == nil {
				return tidemill.Blob(k)
			}
		}
	}
	return tidemill.OtherBytes(s.keep(b))
}

func parseInt(b []byte) (n int64, ok bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	var u uint64
	for _, c := range b {
		if c -= '0'; c > 9 {
			return 0, false
		}
		u = u*10 + uint64(c)
	}
	if neg {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u < 1<<63
}

const dayMicros = 86400 * 1_000_000

// parseDays reads a date in ISO style, "2016-11-04" or "0044-03-15 BC", as days since 1970; rest is what follows the
// date where that is not BC.
func parseDays(b []byte) (days int64, rest []byte, ok bool) {
	var year int64
	i := 0
	for i < len(b) && i < 8 && b[i]-'0' <= 9 {
		year = year*10 + int64(b[i]-'0')
		i++
	}
	if i < 4 || len(b) < i+6 || b[i] != '-' || b[i+3] != '-' {
		return 0, nil, false
	}
	month, ok1 := two(b[i+1:])
	day, ok2 := two(b[i+4:])
	if !ok1 || !ok2 || month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, nil, false
	}
	rest = b[i+6:]
	if n := len(rest) - 3; n >= 0 && rest[n] == ' ' && rest[n+1] == 'B' && rest[n+2] == 'C' {
		year, rest = 1-year, rest[:n]
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
	yoe := year - era*400
	doy := (153*month+2)/5 + day - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468, rest, true
}

func two(b []byte) (int64, bool) {
	x, y := b[0]-'0', b[1]-'0'
	return int64(x)*10 + int64(y), x <= 9 && y <= 9
}

// parseClock reads "12:30:05.123456" as microseconds since midnight.
func parseClock(b []byte) (us int64, rest []byte, ok bool) {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return 0, nil, false
	}
	h, ok1 := two(b)
	m, ok2 := two(b[3:])
	sec, ok3 := two(b[6:])
	if !ok1 || !ok2 || !ok3 {
		return 0, nil, false
	}
	us = (h*3600 + m*60 + sec) * 1_000_000
	b = b[8:]
	if len(b) > 0 && b[0] == '.' {
		b = b[1:]
		for unit := int64(100_000); len(b) > 0 && b[0]-'0' <= 9; unit /= 10 {
			us += int64(b[0]-'0') * unit
			b = b[1:]
		}
	}
	return us, b, true
}

// parseTimestamp reads "2016-11-04 13:51:30.123456", with "+00" where there is a zone, and with " BC" at the very end.
func parseTimestamp(b []byte) (us int64, ok bool) {
	days, rest, ok := parseDays(b)
	if !ok || len(rest) < 9 || rest[0] != ' ' {
		return 0, false
	}
	clock, rest, ok := parseClock(rest[1:])
	if !ok || (len(rest) > 0 && !bytes.Equal(rest, []byte("+00"))) {
		return 0, false
	}
	if days >= math.MaxInt64/dayMicros || days <= math.MinInt64/dayMicros {
		return 0, false
	}
	return days*dayMicros + clock, true
}
