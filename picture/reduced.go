package picture

import (
	"encoding/binary"
	"errors"
)

// reducedHead is what a reduced picture's bytes begin with; no PNG and no JPEG does.
const reducedHead = "\x00grey picture 1\n"

// AppendBinary appends the picture as bytes that a column of picture files may hold in a file's place: what a file was
// reduced to before it was asked about, exactly.
func (g *Grey) AppendBinary(dst []byte) ([]byte, error) {
	dst = append(dst, reducedHead...)
	for _, n := range []int{g.Width, g.Height, g.OfWidth, g.OfHeight} {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	for _, s := range g.sums {
		dst = binary.AppendUvarint(dst, s)
	}
	return dst, nil
}

// IsReduced reports whether b begins as a reduced picture does.
func IsReduced(b []byte) bool {
	return len(b) >= len(reducedHead) && string(b[:len(reducedHead)]) == reducedHead
}

var errReduced = errors.New("the reduced picture is damaged")

// ParseReduced reads what AppendBinary wrote, for a picture of width*height made of at most limit pixels.
func ParseReduced(b []byte, width, height, limit int) (*Grey, error) {
	if !IsReduced(b) {
		return nil, ErrFormat
	}
	b = b[len(reducedHead):]
	next := func() uint64 {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			b = nil
			return 1 << 63
		}
		b = b[n:]
		return v
	}
	size := [4]uint64{next(), next(), next(), next()}
	for _, n := range size {
		if n < 1 || n > 1<<31 {
			return nil, errReduced
		}
	}
	g := &Grey{Width: int(size[0]), Height: int(size[1]), OfWidth: int(size[2]), OfHeight: int(size[3])}
	if size[2]*size[3] > uint64(limit) {
		return nil, &SizeError{g.OfWidth, g.OfHeight, limit}
	}
	if g.Width != width || g.Height != height || len(b) < width*height {
		return nil, errReduced
	}
	g.sums = make([]uint64, width*height)
	for i := range g.sums {
		if g.sums[i] = next(); g.sums[i] > 255*g.area() {
			return nil, errReduced
		}
	}
	if len(b) > 0 {
		return nil, errReduced
	}
	return g, nil
}
