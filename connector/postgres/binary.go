package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"strings"

	"github.com/tidemill/tidemill"
)

const dayMicros = 86400 * 1_000_000

// pgoutput can send values as their types' binary send functions write them. bytea then takes half the bytes, in the
// server, on the way and here; other types gain little. So binary is asked for where a table has a bytea column and
// every type is one whose Value is surely the same as that of the text, and never where one is not.

// hasBinary reports whether values of the type are decoded from binary too: bool bytea int8 int2 int4 text json float8
// bpchar varchar date timestamp timestamptz.
func hasBinary(oid uint32) bool {
	switch oid {
	case 16, 17, 20, 21, 23, 25, 114, 701, 1042, 1043, 1082, 1114, 1184:
		return true
	}
	return false
}

// errText says that a value came whose binary form is not decoded: the tables have changed. The stream goes on in text.
var errText = errors.New("postgres: a column's type is not read in binary; going on in text")

// wantsBinary looks at the tables as they are now.
func (u *run) wantsBinary(ctx context.Context, s *session) (bool, error) {
	if u.version < streams || u.text.Load() {
		return false, nil
	}
	names := make([]string, len(u.tables))
	for i, t := range u.tables {
		names[i] = "to_regclass(" + quoting.Text(t.sql()) + ")"
	}
	rows, err := s.ask(ctx, "SELECT DISTINCT atttypid FROM pg_attribute WHERE attrelid IN ("+strings.Join(names, ", ")+
		") AND attnum > 0 AND NOT attisdropped")
	if err != nil {
		return false, err
	}
	bytea := false
	for _, r := range rows {
		oid := number(r[0])
		if !hasBinary(oid) {
			return false, nil
		}
		bytea = bytea || oid == 17
	}
	return bytea, nil
}

// decodeBinary makes the Value that decode makes of the same value's text; ok is false where it cannot. b is not kept.
func (s *slab) decodeBinary(f form, b []byte) (v tidemill.Value, ok bool) {
	switch f {
	case formInt:
		switch len(b) {
		case 2:
			return tidemill.Int(int64(int16(binary.BigEndian.Uint16(b)))), true
		case 4:
			return tidemill.Int(int64(int32(binary.BigEndian.Uint32(b)))), true
		case 8:
			return tidemill.Int(int64(binary.BigEndian.Uint64(b))), true
		}
	case formText:
		return tidemill.TextBytes(s.keep(b)), true
	case formBytea:
		return tidemill.Blob(s.keep(b)), true
	case formFloat:
		if len(b) == 8 {
			x := math.Float64frombits(binary.BigEndian.Uint64(b))
			if math.IsNaN(x) {
				x = math.NaN()
			}
			return tidemill.Float(x), true
		}
	case formBool:
		if len(b) == 1 && b[0] <= 1 {
			return tidemill.Bool(b[0] == 1), true
		}
	case formDate:
		if len(b) == 4 {
			days := int32(binary.BigEndian.Uint32(b))
			if days == math.MaxInt32 || days == math.MinInt32 {
				return s.endless(days > 0), true
			}
			if d := int64(days) + epoch2000/dayMicros; d <= math.MaxInt64/dayMicros {
				return tidemill.Timestamp(d * dayMicros), true
			}
		}
	case formTimestamp:
		if len(b) == 8 {
			us := int64(binary.BigEndian.Uint64(b))
			if us == math.MaxInt64 || us == math.MinInt64 {
				return s.endless(us > 0), true
			}
			// The text of a time beyond int64's microseconds since 1970 is kept as text.
			if us <= math.MaxInt64-epoch2000 {
				return tidemill.Timestamp(us + epoch2000), true
			}
		}
	}
	return tidemill.Value{}, false
}

func (s *slab) endless(future bool) tidemill.Value {
	if future {
		return tidemill.OtherBytes(s.keep([]byte("infinity")))
	}
	return tidemill.OtherBytes(s.keep([]byte("-infinity")))
}
