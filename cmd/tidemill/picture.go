package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // a picture may be a JPEG file
	"image/png"
	"math"
	"strings"

	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/engine"
)

// picture is the column of a task that holds one.
type picture struct {
	column        string
	width, height int
	encoded       bool // the column holds image files, not grey bytes
	inverted      bool // the feature swaps black and white of the file
}

// pictureOf is the picture of the i-th task; nil where no feature reads one, or reads it from a path that the row gives.
func pictureOf(f *config.File, i int) *picture {
	for _, x := range f.Flow.Tasks[i].Features {
		if p := engine.PictureOf(x); p != nil && p.Holds != "path" {
			return &picture{column: p.Column, width: p.Width, height: p.Height, encoded: p.Holds == "file", inverted: p.Inverted}
		}
	}
	return nil
}

func isImage(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")) || bytes.HasPrefix(data, []byte("\xff\xd8\xff"))
}

// maxSide bounds a picture before it is decoded: a small file can claim a huge one.
const maxSide = 8192

// decode reads a PNG or JPEG as width*height grey bytes, 0 black to 255 white; each is the mean of the area that it
// covers. A light ground is turned dark, as the pictures that are drawn on paper are.
func (p *picture) decode(file []byte) ([]byte, error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("the picture cannot be read: %w", err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxSide || c.Height > maxSide {
		return nil, fmt.Errorf("the picture is %d x %d; at most %d x %d are read", c.Width, c.Height, maxSide, maxSide)
	}
	img, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("the picture cannot be read: %w", err)
	}
	grey := p.scale(img)
	if p.lightGround(grey) {
		for i := range grey {
			grey[i] = 255 - grey[i]
		}
	}
	return grey, nil
}

// scale takes the mean of the source's area under each pixel.
func (p *picture) scale(img image.Image) []byte {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	out := make([]byte, p.width*p.height)
	for oy := range p.height {
		for ox := range p.width {
			var sum, area float64
			y0, y1 := float64(oy*h)/float64(p.height), float64((oy+1)*h)/float64(p.height)
			x0, x1 := float64(ox*w)/float64(p.width), float64((ox+1)*w)/float64(p.width)
			for y := int(y0); float64(y) < y1 && y < h; y++ {
				dy := math.Min(y1, float64(y+1)) - math.Max(y0, float64(y))
				for x := int(x0); float64(x) < x1 && x < w; x++ {
					dx := math.Min(x1, float64(x+1)) - math.Max(x0, float64(x))
					v := color.GrayModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.Gray).Y
					sum += float64(dx*dy) * float64(v)
					area += float64(dx * dy)
				}
			}
			out[oy*p.width+ox] = byte(sum/area + 0.5)
		}
	}
	return out
}

// lightGround is true where the picture's edge is bright.
func (p *picture) lightGround(grey []byte) bool {
	sum, n := 0, 0
	for y := range p.height {
		for x := range p.width {
			if x == 0 || y == 0 || x == p.width-1 || y == p.height-1 {
				sum += int(grey[y*p.width+x])
				n++
			}
		}
	}
	return sum > 127*n
}

// numbers reads width*height numbers, flat or in rows: from 0 to 255, or from 0 to 1 where none is larger and one has a
// fraction.
func (p *picture) numbers(list []any) ([]byte, error) {
	var flat []float64
	fraction := false
	var walk func(list []any, depth int) error
	walk = func(list []any, depth int) error {
		for _, x := range list {
			switch x := x.(type) {
			case json.Number:
				v, err := x.Float64()
				if err != nil || v < 0 || v > 255 {
					return fmt.Errorf("%s is no shade of grey: 0 is black, 255 is white", x)
				}
				fraction = fraction || strings.ContainsAny(string(x), ".eE")
				flat = append(flat, v)
			case []any:
				if depth == 3 {
					return fmt.Errorf("the picture's numbers are nested too deep")
				}
				if err := walk(x, depth+1); err != nil {
					return err
				}
			default:
				return fmt.Errorf("a picture is an array of numbers, not of %T", x)
			}
		}
		return nil
	}
	if err := walk(list, 0); err != nil {
		return nil, err
	}
	if len(flat) != p.width*p.height {
		return nil, fmt.Errorf("the picture has %d numbers, not %d x %d = %d", len(flat), p.width, p.height, p.width*p.height)
	}
	most := 0.0
	for _, v := range flat {
		most = math.Max(most, v)
	}
	factor := 1.0
	if fraction && most <= 1 {
		factor = 255
	}
	grey := make([]byte, len(flat))
	for i, v := range flat {
		grey[i] = byte(v*factor + 0.5)
	}
	return grey, nil
}

// value is what the feature's column holds for the picture.
func (p *picture) value(grey []byte) ([]byte, error) {
	if !p.encoded {
		return grey, nil
	}
	if p.inverted {
		turned := make([]byte, len(grey))
		for i, v := range grey {
			turned[i] = 255 - v
		}
		grey = turned
	}
	var b bytes.Buffer
	err := png.Encode(&b, &image.Gray{Pix: grey, Stride: p.width, Rect: image.Rect(0, 0, p.width, p.height)})
	return b.Bytes(), err
}
