package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/picture"
)

// pictureColumn is the column of a task that holds a picture.
type pictureColumn struct {
	column        string
	width, height int
	encoded       bool // the column holds image files, not grey bytes
	inverted      bool // the feature swaps black and white of the file
}

// pictureOf is the picture of the i-th task; nil where no feature reads one, or reads it from a path that the row
// gives.
func pictureOf(f *config.File, i int) *pictureColumn {
	for _, x := range f.Flow.Tasks[i].Features {
		if p := engine.PictureOf(x); p != nil && p.Holds != "path" {
			return &pictureColumn{column: p.Column, width: p.Width, height: p.Height, encoded: p.Holds == "file",
				inverted: p.Inverted}
		}
	}
	return nil
}

// maxPixels bounds a picture before it is decoded, as the server does.
const maxPixels = 1 << 24

// file is what the column holds for a PNG or JPEG, and the grey bytes that the model sees of it.
func (p *pictureColumn) file(data []byte, invert bool) (value, grey []byte, err error) {
	img, err := picture.Decode(data, maxPixels)
	if err != nil {
		return nil, nil, fmt.Errorf("the picture cannot be read: %w", err)
	}
	g := picture.Reduce(img, p.width, p.height)
	if invert {
		g.Invert()
	}
	if !p.encoded {
		return g.Bytes(), g.Bytes(), nil
	}
	if value, err = g.AppendBinary(nil); p.inverted {
		g.Invert()
	}
	return value, g.Bytes(), err
}

// numbers reads width*height numbers, flat or in rows: from 0 to 255, or from 0 to 1 where none is larger and one has a
// fraction.
func (p *pictureColumn) numbers(list []any) ([]byte, error) {
	var flat []float64
	fraction := false
	var walk func(list []any, depth int) error
	walk = func(list []any, depth int) error {
		for _, x := range list {
			switch x := x.(type) {
			case json.Number:
				v, err := x.Float64()
				if err != nil {
					return fmt.Errorf("%s is no shade of grey: 0 is black, 255 is white", x)
				}
				fraction = fraction || picture.Fraction(string(x))
				flat = append(flat, v)
			case []any:
				if depth == 3 {
					return errors.New("the picture's numbers are nested too deep")
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
	return picture.Shades(flat, fraction)
}

// value is what the column holds for the picture that the model is to see as these grey bytes.
func (p *pictureColumn) value(grey []byte) ([]byte, error) {
	if !p.encoded {
		return grey, nil
	}
	g := picture.FromBytes(grey, p.width, p.height)
	if p.inverted {
		g.Invert()
	}
	return g.AppendBinary(nil)
}
