package postgres

import (
	"encoding/hex"
	"strconv"
	"unsafe"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// form is how a column's text is read. Snapshot (COPY in text format) and stream (pgoutput, text format) both carry
// what the type's output function prints, with the same session settings, and both are read by decode: so the same
// stored value gives the same Value.
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

// builtin is the form of PostgreSQL's own types by OID (src/include/catalog/pg_type.dat); ok is false for types that
// the catalog must tell about.
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

// decode makes a Value of a type's output text. b is not kept. A text that the form cannot hold (infinity, a year
// beyond int64's microseconds) is Other with the exact text.
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
	case formTimestamp, formDate:
		if us, ok := expr.ParseTime(unsafe.String(unsafe.SliceData(b), len(b))); ok {
			return tidemill.Timestamp(us)
		}
	case formTime:
		if us, ok := expr.ParseClock(unsafe.String(unsafe.SliceData(b), len(b))); ok {
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
