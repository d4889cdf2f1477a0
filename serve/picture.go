package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"

	"github.com/tidemill/tidemill/engine"
)

// maxSide bounds a PNG or JPEG before it is decoded: a small file can claim a huge picture.
const maxSide = 4096

// grey decodes a PNG or JPEG and scales it to width*height bytes, 0 black to 255 white. Transparent parts are black. Each
// byte is the mean of the area that it covers, so a picture of the right size comes through unchanged.
func grey(file []byte, width, height int) ([]byte, error) {
	var head func() (image.Config, error)
	var body func() (image.Image, error)
	switch {
	case bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")):
		head = func() (image.Config, error) { return png.DecodeConfig(bytes.NewReader(file)) }
		body = func() (image.Image, error) { return png.Decode(bytes.NewReader(file)) }
	case bytes.HasPrefix(file, []byte("\xff\xd8\xff")):
		head = func() (image.Config, error) { return jpeg.DecodeConfig(bytes.NewReader(file)) }
		body = func() (image.Image, error) { return jpeg.Decode(bytes.NewReader(file)) }
	default:
		return nil, fmt.Errorf("the picture is neither PNG nor JPEG")
	}
	c, err := head()
	if err != nil {
		return nil, fmt.Errorf("the picture cannot be read: %w", err)
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxSide || c.Height > maxSide {
		return nil, fmt.Errorf("the picture is %d x %d: at most %d x %d are read", c.Width, c.Height, maxSide, maxSide)
	}
	img, err := body()
	if err != nil {
		return nil, fmt.Errorf("the picture cannot be read: %w", err)
	}
	return scale(img, width, height), nil
}

// scale takes the mean of the source's area under each byte of the result, in whole numbers: an area is counted in units
// of 1/width by 1/height of a source pixel.
func scale(img image.Image, width, height int) []byte {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	luma := make([]uint8, w*h)
	for y := range h {
		for x := range w {
			// GrayModel works on alpha-premultiplied colour: what is transparent is black.
			luma[y*w+x] = color.GrayModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.Gray).Y
		}
	}
	if w == width && h == height {
		return luma
	}
	out := make([]byte, width*height)
	for oy := range height {
		top, bottom := oy*h, (oy+1)*h
		for ox := range width {
			left, right := ox*w, (ox+1)*w
			var sum, area uint64
			for y := top / height; y*height < bottom; y++ {
				dy := min(bottom, (y+1)*height) - max(top, y*height)
				for x := left / width; x*width < right; x++ {
					dx := min(right, (x+1)*width) - max(left, x*width)
					sum += uint64(luma[y*w+x]) * uint64(dx*dy)
					area += uint64(dx * dy)
				}
			}
			out[oy*width+ox] = uint8((sum + area/2) / area)
		}
	}
	return out
}

// pictureOf is the picture that can be posted and drawn. Where the column holds paths there is none: what is asked is a
// row with the path, as in the table.
func pictureOf(t *engine.TaskStatus) *engine.PictureStatus {
	if t.Picture == nil || t.Picture.Holds == "path" {
		return nil
	}
	return t.Picture
}

// drawn is what the column holds for the picture that the model is to see as these grey bytes.
func drawn(grey []byte, pic *engine.PictureStatus) (any, error) {
	if pic.Holds != "file" {
		return grey, nil
	}
	img := image.NewGray(image.Rect(0, 0, pic.Width, pic.Height))
	for i, v := range grey {
		if pic.Inverted {
			v = 255 - v
		}
		img.Pix[i] = v
	}
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.NoCompression}
	if err := e.Encode(&b, img); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// wholePixels is the size up to which a file goes to the model as it is, which reads it exactly as the table's. Reading
// a larger one would keep the flow waiting: it is brought to the model's size first, where a shade may differ by rounding.
const wholePixels = 1 << 16

// pictureFile is what the column holds for a PNG or JPEG.
func pictureFile(file []byte, pic *engine.PictureStatus) (any, error) {
	if pic.Holds == "file" {
		if c, _, err := image.DecodeConfig(bytes.NewReader(file)); err == nil && c.Width > 0 && c.Height > 0 && c.Width <= wholePixels/c.Height {
			return file, nil
		}
	}
	g, err := grey(file, pic.Width, pic.Height)
	if err != nil {
		return nil, err
	}
	if pic.Holds == "file" && pic.Inverted {
		for i := range g {
			g[i] = 255 - g[i] // drawn turns it back: it was a file's
		}
	}
	return drawn(g, pic)
}

func isFile(b []byte) bool {
	return bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) || bytes.HasPrefix(b, []byte("\xff\xd8\xff"))
}

// picture reads a picture column's value: width*height numbers from 0 to 255, flat or in rows; or a text, or {"b64":
// text}, with a PNG, a JPEG or the grey bytes in base64, or the grey bytes as Postgres prints them (\x…). The result is
// what the column holds, or nil for null.
func (p *scanner) picture(pic *engine.PictureStatus) (any, error) {
	switch c := p.peek(); {
	case c == '[':
		return p.drawn(pic)
	case c == '{':
		b64 := ""
		err := p.each(func(name string) (err error) {
			if name != "b64" || p.peek() != '"' {
				return p.fail(`a picture in an object is {"b64": "text"}`)
			}
			b64, err = p.str()
			return err
		})
		if err != nil {
			return nil, err
		}
		return pictureText(b64, pic)
	case c == '"':
		s, err := p.str()
		if err != nil {
			return nil, err
		}
		return pictureText(s, pic)
	case p.word("null"):
		return nil, nil
	}
	return nil, p.unexpected("a picture: an array of numbers or a text in base64")
}

// drawn reads a picture's numbers as what its column holds.
func (p *scanner) drawn(pic *engine.PictureStatus) (any, error) {
	b, err := p.pixels(pic.Width * pic.Height)
	if err != nil {
		return nil, err
	}
	return drawn(b, pic)
}

// pixels reads n numbers from 0 to 255, in arrays nested as the sender likes.
func (p *scanner) pixels(n int) ([]byte, error) {
	b := make([]byte, 0, n)
	var walk func(depth int) error
	walk = func(depth int) error {
		if depth > 4 {
			return p.fail("a picture nested more than 4 deep")
		}
		return p.items(func(int) error {
			if p.peek() == '[' {
				return walk(depth + 1)
			}
			f, err := p.float()
			if err != nil {
				return err
			}
			if f < 0 || f > 255 {
				return p.fail("%g is no shade of grey: 0 is black, 255 is white", f)
			}
			if len(b) == n {
				return p.fail("the picture has more than %d numbers", n)
			}
			b = append(b, byte(f+0.5))
			return nil
		})
	}
	if err := walk(1); err != nil {
		return nil, err
	}
	if len(b) != n {
		return nil, p.fail("the picture has %d numbers, not %d", len(b), n)
	}
	return b, nil
}

func pictureText(s string, pic *engine.PictureStatus) (any, error) {
	var b []byte
	var err error
	if h, ok := strings.CutPrefix(s, `\x`); ok {
		b, err = hex.DecodeString(h)
	} else {
		// A data URL is what a browser's canvas gives.
		if _, data, ok := strings.Cut(s, ";base64,"); ok && strings.HasPrefix(s, "data:image/") {
			s = data
		}
		b, err = base64.StdEncoding.DecodeString(s)
	}
	if err != nil {
		return nil, fmt.Errorf("column %q: the picture's text is neither base64 nor \\x…: %w", pic.Column, err)
	}
	return pictureBytes(b, pic)
}

// pictureBytes takes grey bytes of the right number as they are and decodes everything else.
func pictureBytes(b []byte, pic *engine.PictureStatus) (any, error) {
	if len(b) == pic.Width*pic.Height && (pic.Holds != "file" || !isFile(b)) {
		return drawn(b, pic)
	}
	v, err := pictureFile(b, pic)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w (or send %d x %d grey bytes)", pic.Column, err, pic.Width, pic.Height)
	}
	return v, nil
}
