package tidemill

import (
	"math"
	"strconv"
	"time"
	"unsafe"
)

// Kind is the kind of a Value, and of a Column's values.
type Kind uint8

// The kinds. Unknown is the zero kind: the source did not send the value (an unchanged TOAST column, a Before that
// holds the key only). It is never mixed with Null.
const (
	KindUnknown Kind = iota
	KindNull
	KindBool
	KindInt     // int64
	KindFloat   // float64
	KindDecimal // the source's exact decimal text
	KindText    // UTF-8
	KindBytes
	KindTime  // microseconds since 1970-01-01 UTC
	KindOther // the source's exact text: infinities, intervals, foreign types
)

var kindNames = [...]string{"unknown", "null", "bool", "int", "float", "decimal", "text", "bytes", "time", "other"}

// String is the kind's name as messages print it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// Value is one column's value: 24 bytes, no interface. Text, Bytes, Decimal and Other point into memory that the batch
// owns (its slab); whoever keeps one past its batch calls Clone. The zero Value is Unknown. Values are immutable.
type Value struct {
	ptr  *byte
	num  uint64
	n    uint32
	kind Kind
}

// Null is SQL's NULL.
func Null() Value { return Value{kind: KindNull} }

// Bool makes a boolean.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.num = 1
	}
	return v
}

// Int makes an integer.
func Int(i int64) Value { return Value{kind: KindInt, num: uint64(i)} }

// Float makes a float64; NaN and the infinities are carried as they are.
func Float(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// Text makes a text that shares s's memory.
func Text(s string) Value { return stringValue(KindText, s) }

// Blob makes a byte string that shares b's memory.
func Blob(b []byte) Value {
	return Value{kind: KindBytes, ptr: unsafe.SliceData(b), n: uint32(len(b))}
}

// Decimal makes a decimal from its exact text; it shares s's memory.
func Decimal(s string) Value { return stringValue(KindDecimal, s) }

// Other makes a value of a foreign type from the source's text; it shares s's memory.
func Other(s string) Value { return stringValue(KindOther, s) }

// Timestamp makes a time from microseconds since 1970-01-01 UTC.
func Timestamp(micros int64) Value { return Value{kind: KindTime, num: uint64(micros)} }

// TimeOf makes a time, cut to microseconds.
func TimeOf(t time.Time) Value { return Timestamp(t.UnixMicro()) }

// TextBytes is Text over bytes that will not change.
func TextBytes(b []byte) Value {
	return Value{kind: KindText, ptr: unsafe.SliceData(b), n: uint32(len(b))}
}

// DecimalBytes is Decimal over bytes that will not change.
func DecimalBytes(b []byte) Value {
	return Value{kind: KindDecimal, ptr: unsafe.SliceData(b), n: uint32(len(b))}
}

// OtherBytes is Other over bytes that will not change.
func OtherBytes(b []byte) Value {
	return Value{kind: KindOther, ptr: unsafe.SliceData(b), n: uint32(len(b))}
}

func stringValue(k Kind, s string) Value {
	return Value{kind: k, ptr: unsafe.StringData(s), n: uint32(len(s))}
}

// Kind says what the value is.
func (v Value) Kind() Kind { return v.kind }

// IsNull is true for NULL alone.
func (v Value) IsNull() bool { return v.kind == KindNull }

// Known is false where the source did not send the value.
func (v Value) Known() bool { return v.kind != KindUnknown }

// Bool is the boolean of a KindBool.
func (v Value) Bool() bool { return v.num != 0 }

// Int is the integer of a KindInt, the microseconds of a KindTime.
func (v Value) Int() int64 { return int64(v.num) }

// Float is the float64 of a KindFloat. Number converts from any kind.
func (v Value) Float() float64 { return math.Float64frombits(v.num) }

// Bytes is the memory of a Text, Bytes, Decimal or Other; nil for the other kinds. It must not be changed.
func (v Value) Bytes() []byte {
	if v.ptr == nil {
		return nil
	}
	return unsafe.Slice(v.ptr, v.n)
}

// Str is Bytes as a string that shares the memory.
func (v Value) Str() string {
	if v.ptr == nil {
		return ""
	}
	return unsafe.String(v.ptr, v.n)
}

// Time is the time of a KindTime.
func (v Value) Time() time.Time { return time.UnixMicro(int64(v.num)).UTC() }

// Number is the value as a float64: booleans are 0 and 1, decimals and texts are parsed, times are seconds since 1970.
// ok is false for NULL, Unknown, bytes and text that is no number.
func (v Value) Number() (f float64, ok bool) {
	switch v.kind {
	case KindInt:
		return float64(int64(v.num)), true
	case KindFloat:
		return math.Float64frombits(v.num), true
	case KindBool:
		return float64(v.num), true
	case KindTime:
		return float64(int64(v.num)) / 1e6, true
	case KindDecimal, KindText:
		f, err := strconv.ParseFloat(v.Str(), 64)
		return f, err == nil
	}
	return 0, false
}

// AppendText appends the value's canonical text: what a class label, an id and a category are made from. NULL and
// Unknown append nothing.
func (v Value) AppendText(dst []byte) []byte {
	switch v.kind {
	case KindBool:
		return strconv.AppendBool(dst, v.num != 0)
	case KindInt:
		return strconv.AppendInt(dst, int64(v.num), 10)
	case KindFloat:
		return strconv.AppendFloat(dst, v.Float(), 'g', -1, 64)
	case KindTime:
		return v.Time().AppendFormat(dst, "2006-01-02T15:04:05.999999Z07:00")
	case KindDecimal, KindText, KindBytes, KindOther:
		return append(dst, v.Bytes()...)
	}
	return dst
}

// String is the canonical text for people; NULL prints as NULL, Unknown as "?".
func (v Value) String() string {
	switch v.kind {
	case KindNull:
		return "NULL"
	case KindUnknown:
		return "?"
	}
	return string(v.AppendText(nil))
}

// Clone is the value with memory of its own.
func (v Value) Clone() Value {
	if v.ptr == nil || v.n == 0 {
		return v
	}
	b := make([]byte, v.n)
	copy(b, v.Bytes())
	v.ptr = unsafe.SliceData(b)
	return v
}

// Equal is true for the same kind and the same content; NaN equals NaN.
func (v Value) Equal(w Value) bool {
	return v.kind == w.kind && v.num == w.num && v.n == w.n && v.Str() == w.Str()
}
