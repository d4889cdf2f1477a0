package statebytes

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
)

// ErrShort is the mistake of bytes that end before what they promise.
var ErrShort = errors.New("the bytes end too early")

// Reader reads a state, one value after the other. After the first mistake every read gives zero; [Reader.Done] tells
// of it. It is for one goroutine.
type Reader struct {
	b   []byte
	err error
}

// Read begins to read data, which it does not copy.
func Read(data []byte) *Reader { return &Reader{b: data} }

// Err is the first mistake so far, or nil.
func (r *Reader) Err() error { return r.err }

// Left is how many bytes are still to be read.
func (r *Reader) Left() int { return len(r.b) }

// Fail takes err as the mistake, unless there was one before it.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

// Failf is Fail with a text.
func (r *Reader) Failf(format string, a ...any) { r.Fail(fmt.Errorf(format, a...)) }

// Next reads n bytes as they are; they share the memory of what is read.
func (r *Reader) Next(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.Fail(ErrShort)
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.b) < 1 {
		r.Fail(ErrShort)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// Uint reads eight bytes, as [AppendUint] wrote them.
func (r *Reader) Uint() uint64 {
	if len(r.b) < 8 {
		r.Fail(ErrShort)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// Uvarint reads what [binary.AppendUvarint] wrote.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.Fail(ErrShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Varint reads what [binary.AppendVarint] wrote.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.Fail(ErrShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Uint32 reads four bytes, as [AppendUint32] wrote them.
func (r *Reader) Uint32() uint32 {
	b := r.Next(4)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint32(b)
}

// Bool reads what [AppendBool] wrote.
func (r *Reader) Bool() bool { return r.Byte() != 0 }

// Bytes reads what [AppendBytes] or [AppendText] wrote; it shares the memory of what is read.
func (r *Reader) Bytes() []byte {
	n := r.Uvarint()
	if n > uint64(len(r.b)) {
		r.Fail(ErrShort)
		return nil
	}
	return r.Next(int(n))
}

// Text reads what [AppendText] wrote, as a string with memory of its own.
func (r *Reader) Text() string { return string(r.Bytes()) }

// Below reads a varint that must be less than n; what names it in the mistake.
func (r *Reader) Below(n int, what string) int {
	v := r.Uvarint()
	if v >= uint64(n) {
		r.Failf("%s is %d of %d", what, v, n)
		return 0
	}
	return int(v)
}

// Count reads a number of items of at least size bytes each: more than the bytes can hold is a mistake, so that nothing
// is allocated for bytes that are not there.
func (r *Reader) Count(size int) int {
	v := r.Uvarint()
	if v > uint64(len(r.b)/size) {
		r.Fail(ErrShort)
		return 0
	}
	return int(v)
}

// Float reads a number, NaN and infinities too.
func (r *Reader) Float() float64 { return math.Float64frombits(r.Uint()) }

// Number reads a number that is not NaN.
func (r *Reader) Number() float64 {
	f := r.Float()
	if f != f {
		r.Fail(errors.New("a number in it is NaN"))
		return 0
	}
	return f
}

// Finite reads a number that is neither NaN nor infinite.
func (r *Reader) Finite() float64 {
	f := r.Float()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		r.Fail(errors.New("a number in it is not finite"))
		return 0
	}
	return f
}

// Weight reads a finite number that is not negative.
func (r *Reader) Weight() float64 {
	f := r.Float()
	if !(f >= 0) || math.IsInf(f, 1) {
		r.Failf("a weight in it is %v", f)
		return 0
	}
	return f
}

// Floats reads n numbers, as [AppendFloats] wrote them; nil if n is 0.
func (r *Reader) Floats(n int) []float64 {
	if n < 0 || n > len(r.b)/8 {
		r.Fail(ErrShort)
		return nil
	}
	if n == 0 {
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(r.b[8*i:]))
	}
	r.b = r.b[8*n:]
	return out
}

// Version reads the kind's own version, the first byte of every state. A later one is [tidemill.ErrNewer].
func (r *Reader) Version(want byte) {
	v := r.Byte()
	switch {
	case r.err != nil:
	case v > want:
		r.Fail(fmt.Errorf("its version is %d, this program reads up to %d: %w", v, want, tidemill.ErrNewer))
	case v != want:
		r.Failf("its version is %d, this program reads %d", v, want)
	}
}

// End is the first mistake, or that bytes are left over.
func (r *Reader) End() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d bytes are left over", len(r.b))
	}
	return r.err
}

// Done is End in a sentence for people; kind says whose state it is ("model: mlp").
func (r *Reader) Done(kind string) error {
	if r.End() != nil {
		return fmt.Errorf("%s: its state cannot be read; restore an older checkpoint or run with --fresh: %w", kind, r.err)
	}
	return nil
}
