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
