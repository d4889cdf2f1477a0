package statebytes

import (
	"encoding/binary"
	"math"
)

// AppendUint appends v in eight bytes.
func AppendUint(b []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(b, v) }

// AppendFloat appends the bits of f in eight bytes.
func AppendFloat(b []byte, f float64) []byte { return AppendUint(b, math.Float64bits(f)) }

// AppendFloats appends the bits of each number; how many they are is not written.
func AppendFloats(b []byte, f []float64) []byte {
	for _, v := range f {
		b = AppendFloat(b, v)
	}
	return b
}

// AppendUint32 appends v in four bytes.
func AppendUint32(b []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(b, v) }

// AppendUvarint appends v as a varint.
func AppendUvarint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// AppendVarint appends v as a zigzag varint.
func AppendVarint(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

// AppendText appends s behind its length.
func AppendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// AppendBytes appends s behind its length.
func AppendBytes(b, s []byte) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }

// AppendBool appends one byte, 0 or 1.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}
