package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
)

var errStateEnds = errors.New("the bytes end too early")

// stateReader reads a state. After the first mistake every read gives zero; done tells of it.
type stateReader struct {
	b   []byte
	err error
}

func (r *stateReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *stateReader) failf(format string, a ...any) { r.fail(fmt.Errorf(format, a...)) }

func (r *stateReader) u8() byte {
	if len(r.b) < 1 {
		r.fail(errStateEnds)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *stateReader) u64() uint64 {
	if len(r.b) < 8 {
		r.fail(errStateEnds)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *stateReader) f64() float64 { return math.Float64frombits(r.u64()) }

// number is a float64 that is not NaN.
func (r *stateReader) number() float64 {
	f := r.f64()
	if f != f {
		r.fail(errors.New("a number in it is NaN"))
		return 0
	}
	return f
}

// weight is a finite number that is not negative.
func (r *stateReader) weight() float64 {
	f := r.f64()
	if !(f >= 0) || math.IsInf(f, 1) {
		r.failf("a weight in it is %v", f)
		return 0
	}
	return f
}

func (r *stateReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errStateEnds)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// below is an uvarint that must be less than n.
func (r *stateReader) below(n int, what string) int {
	v := r.uvarint()
	if v >= uint64(n) {
		r.failf("%s is %d of %d", what, v, n)
		return 0
	}
	return int(v)
}

// count is a number of items of at least size bytes each: more than the bytes can hold is a mistake, so that nothing is
// allocated for bytes that are not there.
func (r *stateReader) count(size int) int {
	v := r.uvarint()
	if v > uint64(len(r.b)/size) {
		r.fail(errStateEnds)
		return 0
	}
	return int(v)
}

// floats reads n numbers; it allocates only what the bytes hold.
func (r *stateReader) floats(n int) []float64 {
	if n < 0 || n > len(r.b)/8 {
		r.fail(errStateEnds)
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

// version reads the kind's own version, the first byte of every state.
func (r *stateReader) version(want byte) {
	v := r.u8()
	switch {
	case r.err != nil:
	case v > want:
		r.fail(fmt.Errorf("its version is %d, this program reads up to %d: %w", v, want, tidemill.ErrNewer))
	case v != want:
		r.failf("its version is %d, this program reads %d", v, want)
	}
}

func (r *stateReader) done(kind string) error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d bytes are left over", len(r.b))
	}
	if r.err != nil {
		return fmt.Errorf("model: state of %s cannot be read; restore an older checkpoint or run with --fresh: %w", kind, r.err)
	}
	return nil
}

func appendFloat(b []byte, f float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
}

func appendFloats(b []byte, f []float64) []byte {
	for _, v := range f {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// hugeNumber bounds the values and weights that models take: beyond it a value counts as unknown and a weight teaches
// nothing, as their squares would drown whatever else was learned.
const hugeNumber = 1e100

// known says that v is a number that a model can use; NaN is not.
func known(v float64) bool { return v >= -hugeNumber && v <= hugeNumber }

// teaches says that w is the weight of a row that is to be learned.
func teaches(w float64) bool { return w > 0 && w <= hugeNumber }

// maxClasses bounds how far a class index may grow a model.
const maxClasses = 1 << 16

// class is the class index that y holds, or -1 if it holds none.
func class(y []float64) int {
	if len(y) == 0 || !(y[0] >= 0 && y[0] < maxClasses) {
		return -1
	}
	return int(y[0])
}

// appendUnknown appends n NaN: the prediction of a model that is not ready.
func appendUnknown(dst []float64, n int) []float64 {
	for range n {
		dst = append(dst, math.NaN())
	}
	return dst
}
