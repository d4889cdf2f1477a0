package feature

import (
	"encoding/binary"
	"errors"
	"fmt"
)

var errShort = errors.New("the bytes end too early")

// reader reads a state. After the first mistake every read gives zero; done tells of it.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.b = nil
}

func (r *reader) u8() byte {
	if len(r.b) < 1 {
		r.fail(errShort)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) u64() uint64 {
	if len(r.b) < 8 {
		r.fail(errShort)
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail(errShort)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is a number of items of at least size bytes each: more than the bytes hold is a mistake, so that nothing is
// allocated for bytes that are not there.
func (r *reader) count(size int) int {
	v := r.uvarint()
	if v > uint64(len(r.b)/size) {
		r.fail(errShort)
		return 0
	}
	return int(v)
}

// version reads the kind's own version, the first byte of every state.
func (r *reader) version(want byte) {
	if v := r.u8(); r.err == nil && v != want {
		r.fail(fmt.Errorf("its version is %d, this program reads %d", v, want))
	}
}

func (r *reader) done(kind string) error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%d bytes are left over", len(r.b))
	}
	if r.err != nil {
		return fmt.Errorf("feature: state of %s cannot be read; restore an older checkpoint or run with --fresh: %w", kind, r.err)
	}
	return nil
}
