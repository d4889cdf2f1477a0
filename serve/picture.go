package serve

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/picture"
)

// maxSide is the side of the largest square picture that is read.
const maxSide = 4096

// reduced brings a PNG or JPEG to the size of the model's pictures. It is done here, for a large picture keeps whoever
// decodes it waiting.
func reduced(file []byte, width, height int) (*picture.Grey, error) {
	img, err := picture.Decode(file, maxSide*maxSide)
	var size *picture.SizeError
	switch {
	case errors.Is(err, picture.ErrFormat):
		return nil, errors.New("the picture is neither PNG nor JPEG")
	case errors.As(err, &size):
		return nil, fmt.Errorf("the picture is %d x %d: at most %d x %d pixels are read", size.Width, size.Height,
			maxSide, maxSide)
	case err != nil:
		return nil, fmt.Errorf("the picture cannot be read: %w", err)
	}
	return picture.Reduce(img, width, height), nil
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
	if pic.Inverted {
		file := make([]byte, len(grey))
		for i, v := range grey {
			file[i] = 255 - v
		}
		grey = file
	}
	return picture.FromBytes(grey, pic.Width, pic.Height).AppendBinary(nil)
}

// pictureFile is what the column holds for a PNG or JPEG: the model sees of it what it sees of a file in the table.
func pictureFile(file []byte, pic *engine.PictureStatus) (any, error) {
	g, err := reduced(file, pic.Width, pic.Height)
	if err != nil {
		return nil, err
	}
	if pic.Holds == "file" {
		return g.AppendBinary(nil)
	}
	return g.Bytes(), nil
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

// pixels reads n numbers from 0 to 255, or from 0 to 1, in arrays nested as the sender likes.
func (p *scanner) pixels(n int) ([]byte, error) {
	shades, fraction := make([]float64, 0, n), false
	var walk func(depth int) error
	walk = func(depth int) error {
		if depth > 4 {
			return p.fail("a picture nested more than 4 deep")
		}
		return p.items(func(int) error {
			if p.peek() == '[' {
				return walk(depth + 1)
			}
			from := p.i
			f, err := p.float()
			if err != nil {
				return err
			}
			if f < 0 || f > 255 {
				return p.fail("%g is no shade of grey: 0 is black, 255 is white", f)
			}
			if len(shades) == n {
				return p.fail("the picture has more than %d numbers", n)
			}
			shades, fraction = append(shades, f), fraction || picture.Fraction(p.s[from:p.i])
			return nil
		})
	}
	if err := walk(1); err != nil {
		return nil, err
	}
	if len(shades) != n {
		return nil, p.fail("the picture has %d numbers, not %d", len(shades), n)
	}
	return picture.Shades(shades, fraction)
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
	switch {
	case pic.Holds == "file" && picture.IsReduced(b):
		return b, nil // as `tidemill predict --url` sends it
	case len(b) == pic.Width*pic.Height && (pic.Holds != "file" || !picture.IsFile(b)):
		return drawn(b, pic)
	}
	v, err := pictureFile(b, pic)
	if err != nil {
		return nil, fmt.Errorf("column %q: %w (or send %d x %d grey bytes)", pic.Column, err, pic.Width, pic.Height)
	}
	return v, nil
}
