package feature

import (
	"fmt"
	"math"

	"github.com/tidemill/tidemill"
)

// pixels reads a column of raw grey bytes; see Pixels.
type pixels struct {
	columnar
	width, height int
	scale         float64 // 0: 1/255
	value         [256]float64
}

// PixelsConfig reads a column of raw grey bytes, one per pixel, as numbers from 0 to 1.
type PixelsConfig struct {
	Column string  `yaml:"column" like:"pixels" required:"true" doc:"The column of bytes: row by row from the top left, 0 is black."`
	Width  int     `yaml:"width" like:"28" required:"true" doc:"Pixels in a row."`
	Height int     `yaml:"height" like:"28" required:"true" doc:"Rows of pixels."`
	Scale  float64 `yaml:"scale" doc:"What each byte is multiplied by. Default 1/255."`
}

// NewPixelsConfig is the config with its defaults.
func NewPixelsConfig() *PixelsConfig { return &PixelsConfig{} }

// Build makes the feature. It fails for a size below 1 or above 16777216 pixels, and for a scale that is no number.
func (c *PixelsConfig) Build(string) (tidemill.Feature, error) {
	if err := pictureSize("pixels", c.Width, c.Height); err != nil {
		return nil, err
	}
	if math.IsNaN(c.Scale) || math.IsInf(c.Scale, 0) {
		return nil, fmt.Errorf("pixels: scale is %v; say a number", c.Scale)
	}
	return newPixels(c.Column, c.Width, c.Height, c.Scale), nil
}

// Pixels reads a column of width*height raw grey bytes, row by row from the top left, as one dense column per pixel:
// the byte divided by 255 (PixelsConfig sets another scale). A value of another length rejects the row; NULL is NaN in
// every column. Scalers leave the columns alone.
func Pixels(column string, width, height int) tidemill.Feature {
	return newPixels(column, width, height, 0)
}

func newPixels(column string, width, height int, scale float64) *pixels {
	f := &pixels{columnar: columnar{kind: "pixels", cols: []string{column}, fits: fitsBytes}, width: width,
		height: height, scale: scale}
	for i := range f.value {
		if scale == 0 {
			f.value[i] = float64(i) / 255
		} else {
			f.value[i] = float64(i) * scale
		}
	}
	f.out = pictureColumns(column, width, height)
	return f
}

func fitsBytes(k tidemill.Kind) string {
	switch k {
	case tidemill.KindBytes, tidemill.KindOther, tidemill.KindUnknown, tidemill.KindNull:
		return ""
	}
	return "holds " + k.String() + ", not bytes"
}

// maxPicture bounds a picture's pixels.
const maxPicture = 1 << 24

func pictureSize(kind string, width, height int) error {
	if width < 1 || height < 1 || width > maxPicture || height > maxPicture || width*height > maxPicture {
		return fmt.Errorf("%s: the size is %d x %d pixels; say a width and a height of at least 1, together at "+
			"most %d pixels", kind, width, height, maxPicture)
	}
	return nil
}

func pictureColumns(column string, width, height int) []tidemill.FeatureColumn {
	if pictureSize("", width, height) != nil {
		return nil
	}
	out := make([]tidemill.FeatureColumn, width*height)
	for i := range out {
		out[i] = tidemill.FeatureColumn{Name: fmt.Sprintf("%s[%d]", column, i), Scaled: true}
	}
	return out
}

// Describe implements tidemill.Feature.
func (f *pixels) Describe() string {
	if f.scale == 0 {
		return fmt.Sprintf("pixels %s %dx%d", f.cols[0], f.width, f.height)
	}
	return fmt.Sprintf("pixels %s %dx%d scale=%v", f.cols[0], f.width, f.height, f.scale)
}

// Bind implements tidemill.Feature.
func (f *pixels) Bind(t *tidemill.Table, role tidemill.Role) error {
	if err := pictureSize("pixels", f.width, f.height); err != nil {
		return err
	}
	return f.columnar.Bind(t, role)
}

// Picture implements tidemill.Pictured.
func (f *pixels) Picture() tidemill.Picture {
	return tidemill.Picture{Column: f.cols[0], Width: f.width, Height: f.height, Holds: "pixels"}
}

// bytes is the picture of a row, nil for NULL. It points into the change.
func (f *pixels) bytes(c *tidemill.Change) ([]byte, error) {
	row, at, err := f.row(c)
	if err != nil {
		return nil, err
	}
	i := at[0]
	v := row[i]
	switch v.Kind() {
	case tidemill.KindNull:
		return nil, nil
	case tidemill.KindUnknown:
		return nil, reject(c, i, errNotSent)
	case tidemill.KindBytes:
	default:
		return nil, reject(c, i, fmt.Errorf("it is %s, not bytes", v.Kind()))
	}
	if want := f.width * f.height; len(v.Bytes()) != want {
		return nil, reject(c, i, fmt.Errorf("a picture of %d x %d pixels has %d bytes, this value has %d",
			f.width, f.height, want, len(v.Bytes())))
	}
	return v.Bytes(), nil
}

// Pixels implements tidemill.Pictured: the bytes as they are; nothing for NULL.
func (f *pixels) Pixels(dst []byte, c *tidemill.Change) ([]byte, error) {
	b, err := f.bytes(c)
	return append(dst, b...), err
}

// Append implements tidemill.Feature.
func (f *pixels) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	b, err := f.bytes(c)
	if err != nil {
		return err
	}
	if b == nil {
		appendNaN(dst, f.width*f.height)
		return nil
	}
	out := grow(dst, len(b))
	for i, p := range b {
		out[i] = f.value[p]
	}
	return nil
}

// grow appends n dense columns and returns them.
func grow(dst *tidemill.Vector, n int) []float64 {
	from := len(dst.Dense)
	if cap(dst.Dense)-from < n {
		bigger := make([]float64, from, max(2*cap(dst.Dense), from+n))
		copy(bigger, dst.Dense)
		dst.Dense = bigger
	}
	dst.Dense = dst.Dense[:from+n]
	return dst.Dense[from:]
}

func appendNaN(dst *tidemill.Vector, n int) {
	for range n {
		dst.Dense = append(dst.Dense, math.NaN())
	}
}
