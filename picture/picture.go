// Package picture reads PNG and JPEG files as grey pixels of one size. It is the one decoder of pictures: a column of
// files, a path, a file given to `tidemill predict` and one sent over REST become the same numbers.
package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"strings"
)

// ErrFormat is a file that is neither PNG nor JPEG.
var ErrFormat = errors.New("neither PNG nor JPEG")

// SizeError is a file whose picture has more pixels than are read, or none.
type SizeError struct{ Width, Height, Limit int }

// Error names the size and the limit.
func (e *SizeError) Error() string {
	return fmt.Sprintf("%d x %d pixels, the limit is %d", e.Width, e.Height, e.Limit)
}

const pngHead, jpegHead = "\x89PNG\r\n\x1a\n", "\xff\xd8\xff"

// IsFile reports whether b begins as a PNG or a JPEG file does.
func IsFile(b []byte) bool {
	return bytes.HasPrefix(b, []byte(pngHead)) || bytes.HasPrefix(b, []byte(jpegHead))
}

// Decode reads a PNG or JPEG of at most limit pixels. It looks at the size first: a small file can claim a picture that
// would fill the memory. The error is ErrFormat, a *SizeError, or the decoder's.
func Decode(file []byte, limit int) (image.Image, error) {
	head, body := jpeg.DecodeConfig, jpeg.Decode
	switch {
	case !IsFile(file):
		return nil, ErrFormat
	case file[0] == pngHead[0]:
		head, body = png.DecodeConfig, png.Decode
	}
	size, err := head(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	w, h := size.Width, size.Height
	if w < 1 || h < 1 || h > math.MaxInt/w || w*h > limit {
		return nil, &SizeError{w, h, limit}
	}
	return body(bytes.NewReader(file))
}

// Grey is a picture of Width x Height grey pixels, each the mean of the area of a larger or smaller picture that it
// covers, kept exactly.
type Grey struct {
	Width, Height int
	OfWidth       int // the size of the picture that it was made of
	OfHeight      int
	sums          []uint64 // a mean is sum/(OfWidth*OfHeight), from 0, black, to 255, white
}

// Reduce makes a picture of width*height pixels, in whole numbers: an old pixel is width*height units large, a new one
// as many as there are old pixels. Proportions are not kept. Colours become grey by the weights of ITU-R BT.601, what
// is transparent becomes black.
func Reduce(img image.Image, width, height int) *Grey {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	g := &Grey{Width: width, Height: height, OfWidth: w, OfHeight: h, sums: make([]uint64, width*height)}
	line := make([]byte, w)
	across := make([]uint64, width) // one line of the picture, summed into new columns
	for y := range h {
		greyLine(line, img, b.Min.X, b.Min.Y+y)
		clear(across)
		for x, p := range line {
			overlap(x, width, w, func(k int, part uint64) { across[k] += part * uint64(p) })
		}
		overlap(y, height, h, func(k int, part uint64) {
			row := g.sums[k*width : (k+1)*width]
			for x, s := range across {
				row[x] += part * s
			}
		})
	}
	return g
}

// FromBytes is the picture of these grey bytes.
func FromBytes(grey []byte, width, height int) *Grey {
	g := &Grey{Width: width, Height: height, OfWidth: 1, OfHeight: 1, sums: make([]uint64, width*height)}
	for i, v := range grey[:width*height] {
		g.sums[i] = uint64(v)
	}
	return g
}

func (g *Grey) area() uint64 { return uint64(g.OfWidth) * uint64(g.OfHeight) }

// Invert swaps black and white.
func (g *Grey) Invert() {
	for i, s := range g.sums {
		g.sums[i] = 255*g.area() - s
	}
}

// Floats writes the pixels as numbers from 0, black, to 1, white.
func (g *Grey) Floats(out []float64) {
	whole := float64(255 * g.area())
	for i, s := range g.sums {
		out[i] = float64(s) / whole
	}
}

// Bytes is the pixels as bytes, rounded.
func (g *Grey) Bytes() []byte {
	out := make([]byte, len(g.sums))
	for i, s := range g.sums {
		out[i] = byte((s + g.area()/2) / g.area())
	}
	return out
}

// LightGround is true where the picture's edge is bright.
func (g *Grey) LightGround() bool {
	sum, n := uint64(0), uint64(0)
	for i, s := range g.sums {
		if x, y := i%g.Width, i/g.Width; x == 0 || y == 0 || x == g.Width-1 || y == g.Height-1 {
			sum += s / g.area()
			n++
		}
	}
	return sum > 127*n
}

// Shades makes grey bytes of numbers: from 0 to 255, or from 0 to 1 where none is larger and fraction says that one was
// written with a point or an exponent.
func Shades(numbers []float64, fraction bool) ([]byte, error) {
	most := 0.0
	for _, v := range numbers {
		if !(v >= 0 && v <= 255) {
			return nil, fmt.Errorf("%g is no shade of grey: 0 is black, 255 is white", v)
		}
		most = max(most, v)
	}
	factor := 1.0
	if fraction && most <= 1 {
		factor = 255
	}
	grey := make([]byte, len(numbers))
	for i, v := range numbers {
		grey[i] = byte(v*factor + 0.5)
	}
	return grey, nil
}

// Fraction reports whether a number's text is written with a point or an exponent.
func Fraction(number string) bool { return strings.ContainsAny(number, ".eE") }

// overlap calls f with each of n new pixels that old pixel i of w lies in, and how many of its n parts do.
func overlap(i, n, w int, f func(k int, part uint64)) {
	from, to := i*n, (i+1)*n // in units of which a new pixel has w
	for k := from / w; k*w < to; k++ {
		f(k, uint64(min(to, (k+1)*w)-max(from, k*w)))
	}
}

// greyLine reads one line as grey bytes, straight from the formats that the decoders give.
func greyLine(dst []byte, img image.Image, x, y int) {
	switch m := img.(type) {
	case *image.Gray:
		copy(dst, m.Pix[m.PixOffset(x, y):])
	case *image.YCbCr:
		copy(dst, m.Y[m.YOffset(x, y):])
	default:
		for i := range dst {
			dst[i] = color.GrayModel.Convert(m.At(x+i, y)).(color.Gray).Y
		}
	}
}
