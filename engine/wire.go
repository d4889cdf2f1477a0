package engine

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/tidemill/tidemill"
)

// errShort says that state bytes end too early or hold an impossible length.
var errShort = errors.New("state bytes are cut short or damaged")

func putU64(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }
func putF64(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}
func putUvarint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }
func putVarint(b []byte, v int64) []byte   { return binary.AppendVarint(b, v) }
func putString(b []byte, s string) []byte  { return append(putUvarint(b, uint64(len(s))), s...) }
func putBytes(b, s []byte) []byte          { return append(putUvarint(b, uint64(len(s))), s...) }
func putBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// decoder reads what the put functions wrote. The first failure sticks in err and later reads return zeros.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() {
	if d.err == nil {
		d.err = errShort
	}
	d.b = nil
}

func (d *decoder) u64() uint64 {
	if len(d.b) < 8 {
		d.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) f64() float64 { return math.Float64frombits(d.u64()) }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool() bool { return d.byte() != 0 }

// bytes returns a part of the input, not a copy.
func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes()) }

// count reads a length of things that take at least size bytes each, so that damaged bytes cannot ask for memory that
// they do not fill.
func (d *decoder) count(size int) int {
	n := d.uvarint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

// done reports the first failure, or bytes that are left over.
func (d *decoder) done() error {
	if d.err == nil && len(d.b) > 0 {
		return errors.New("state bytes are longer than they should be")
	}
	return d.err
}

// putValue appends one value; value reads it back. It is the format of the journal and of held rows.
func putValue(b []byte, v tidemill.Value) []byte {
	b = append(b, byte(v.Kind()))
	switch v.Kind() {
	case tidemill.KindUnknown, tidemill.KindNull:
	case tidemill.KindBool:
		b = append(b, byte(v.Int()))
	case tidemill.KindInt, tidemill.KindTime:
		b = putVarint(b, v.Int())
	case tidemill.KindFloat:
		b = putF64(b, v.Float())
	default:
		b = putBytes(b, v.Bytes())
	}
	return b
}

// value reads a value that shares d's memory.
func (d *decoder) value() tidemill.Value {
	switch k := tidemill.Kind(d.byte()); k {
	case tidemill.KindUnknown:
		return tidemill.Value{}
	case tidemill.KindNull:
		return tidemill.Null()
	case tidemill.KindBool:
		return tidemill.Bool(d.byte()&1 == 1)
	case tidemill.KindInt:
		return tidemill.Int(d.varint())
	case tidemill.KindTime:
		return tidemill.Timestamp(d.varint())
	case tidemill.KindFloat:
		return tidemill.Float(d.f64())
	case tidemill.KindDecimal:
		return tidemill.DecimalBytes(d.bytes())
	case tidemill.KindText:
		return tidemill.TextBytes(d.bytes())
	case tidemill.KindBytes:
		return tidemill.Blob(d.bytes())
	case tidemill.KindOther:
		return tidemill.OtherBytes(d.bytes())
	}
	d.fail()
	return tidemill.Value{}
}

// putTable appends a table's shape; table reads it.
func putTable(b []byte, t *tidemill.Table) []byte {
	b = putString(b, t.Schema)
	b = putString(b, t.Name)
	b = putUvarint(b, uint64(len(t.Columns)))
	for _, c := range t.Columns {
		b = putString(b, c.Name)
		b = append(b, byte(c.Kind))
		b = putString(b, c.Native)
		b = putUvarint(b, uint64(c.OID))
		b = putUvarint(b, uint64(c.Mod))
		b = putBool(b, c.Nullable)
	}
	b = putUvarint(b, uint64(len(t.Key)))
	for _, k := range t.Key {
		b = putUvarint(b, uint64(k))
	}
	return b
}

func (d *decoder) table() *tidemill.Table {
	schema, name := d.string(), d.string()
	cols := make([]tidemill.Column, d.count(6))
	for i := range cols {
		cols[i] = tidemill.Column{Name: d.string(), Kind: tidemill.Kind(d.byte()), Native: d.string(), OID: uint32(d.uvarint()),
			Mod: uint32(d.uvarint()), Nullable: d.bool()}
	}
	key := make([]int, d.count(1))
	for i := range key {
		key[i] = int(d.uvarint())
		if key[i] >= len(cols) {
			d.fail()
			return nil
		}
	}
	if d.err != nil {
		return nil
	}
	return tidemill.NewTable(schema, name, cols, key)
}
