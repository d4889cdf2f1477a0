package feature

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/tidemill/tidemill"
)

// picture decodes images; see Image.
type picture struct {
	columnar
	config ImageConfig
}

// ImageConfig decodes PNG and JPEG images to grey pixels of one size, as numbers from 0 to 1.
type ImageConfig struct {
	Column    string `yaml:"column" like:"photo" required:"true" doc:"The column: the file's bytes, or, with root, the file's path in a text column."`
	Width     int    `yaml:"width" like:"28" required:"true" doc:"The width in pixels that every image is brought to."`
	Height    int    `yaml:"height" like:"28" required:"true" doc:"The height in pixels that every image is brought to; proportions are not kept."`
	Root      string `yaml:"root" doc:"The folder under which paths are looked up; nothing outside of it is ever read. Default none: the column holds bytes."`
	Invert    bool   `yaml:"invert" doc:"Swap black and white: for dark writing on light paper. Default false."`
	MaxPixels int    `yaml:"max_pixels" doc:"Images with more pixels are rejected before they are decoded. Default 16777216."`
	MaxBytes  int    `yaml:"max_bytes" doc:"Larger files are rejected before they are decoded. Default 16777216."`
}

// NewImageConfig is the config with its defaults.
func NewImageConfig() *ImageConfig { return &ImageConfig{MaxPixels: 1 << 24, MaxBytes: 1 << 24} }

// Build makes the feature. It fails for sizes below 1 or above 16777216 pixels, and for limits below 1.
func (c *ImageConfig) Build(string) (tidemill.Feature, error) {
	if err := pictureSize("image", c.Width, c.Height); err != nil {
		return nil, err
	}
	if c.MaxPixels < 1 || c.MaxBytes < 1 {
		return nil, fmt.Errorf("image: max_pixels is %d and max_bytes %d; say numbers of at least 1", c.MaxPixels, c.MaxBytes)
	}
	return newImage(*c), nil
}

// Image decodes a column of PNG or JPEG files to width*height grey pixels, as one dense column per pixel from 0 (black) to
// 1 (white), row by row from the top left. Colours become grey by the weights of ITU-R BT.601, what is transparent becomes
// black, and each pixel of the result is the mean of the area of the image that it covers. Images of more than 2^24 pixels
// or bytes are rejected before they are decoded (ImageConfig sets other limits, and a folder for paths). NULL is NaN.
func Image(column string, width, height int) tidemill.Feature {
	c := NewImageConfig()
	c.Column, c.Width, c.Height = column, width, height
	return newImage(*c)
}

func newImage(c ImageConfig) *picture {
	f := &picture{columnar: columnar{kind: "image", cols: []string{c.Column}}, config: c}
	if c.Root == "" {
		f.fits = fitsBytes
	} else {
		f.fits = fitsPath
	}
	f.out = pictureColumns(c.Column, c.Width, c.Height)
	return f
}

func fitsPath(k tidemill.Kind) string {
	switch k {
	case tidemill.KindText, tidemill.KindOther, tidemill.KindUnknown, tidemill.KindNull:
		return ""
	}
	return "holds " + k.String() + ", not the text of a path; leave root out if it holds the images themselves"
}

// Describe implements tidemill.Feature.
func (f *picture) Describe() string {
	c := &f.config
	s := fmt.Sprintf("image %s %dx%d max_pixels=%d max_bytes=%d", c.Column, c.Width, c.Height, c.MaxPixels, c.MaxBytes)
	if c.Invert {
		s += " invert"
	}
	if c.Root != "" {
		s += " files"
	}
	return s
}

// Bind implements tidemill.Feature.
func (f *picture) Bind(t *tidemill.Table, role tidemill.Role) error {
	if err := pictureSize("image", f.config.Width, f.config.Height); err != nil {
		return err
	}
	return f.columnar.Bind(t, role)
}

// Picture implements tidemill.Pictured.
func (f *picture) Picture() tidemill.Picture {
	p := tidemill.Picture{Column: f.config.Column, Width: f.config.Width, Height: f.config.Height, Holds: "file", Inverted: f.config.Invert}
	if f.config.Root != "" {
		p.Holds = "path"
	}
	return p
}

// Pixels implements tidemill.Pictured: the decoded picture, rounded to bytes; nothing for NULL.
func (f *picture) Pixels(dst []byte, c *tidemill.Change) ([]byte, error) {
	var v tidemill.Vector
	if err := f.Append(&v, c, 0); err != nil {
		return dst, err
	}
	for _, p := range v.Dense {
		if p != p {
			return dst, nil
		}
		dst = append(dst, byte(p*255+.5))
	}
	return dst, nil
}

// Append implements tidemill.Feature.
func (f *picture) Append(dst *tidemill.Vector, c *tidemill.Change, _ int64) error {
	row, at, err := f.row(c)
	if err != nil {
		return err
	}
	v := row[at[0]]
	if v.IsNull() {
		appendNaN(dst, len(f.out))
		return nil
	}
	if !v.Known() {
		return reject(c, at[0], errNotSent)
	}
	data, err := f.file(v)
	if err != nil {
		return reject(c, at[0], err)
	}
	img, err := f.decode(data)
	if err != nil {
		return reject(c, at[0], err)
	}
	shrink(grow(dst, len(f.out)), img, f.config.Width, f.config.Height, f.config.Invert)
	return nil
}

// file is the image's bytes: the value, or the file that it names.
func (f *picture) file(v tidemill.Value) ([]byte, error) {
	c := &f.config
	if c.Root == "" {
		if v.Kind() != tidemill.KindBytes {
			return nil, fmt.Errorf("it is %s, not bytes; for paths name their folder with root", v.Kind())
		}
		if len(v.Bytes()) > c.MaxBytes {
			return nil, tooLarge(int64(len(v.Bytes())), c.MaxBytes)
		}
		return v.Bytes(), nil
	}
	if v.Kind() != tidemill.KindText && v.Kind() != tidemill.KindOther {
		return nil, fmt.Errorf("it is %s, not a path", v.Kind())
	}
	root, err := os.OpenRoot(c.Root)
	if err != nil {
		return nil, fmt.Errorf("the folder of the images cannot be opened: %w", bare(err))
	}
	defer root.Close()
	in, err := root.Open(filepath.FromSlash(v.Str()))
	if err != nil {
		return nil, fmt.Errorf("the file %s cannot be opened under the folder of the images: %w", quoted(v), bare(err))
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", quoted(v))
	}
	b, err := io.ReadAll(io.LimitReader(in, int64(c.MaxBytes)+1))
	if err != nil {
		return nil, fmt.Errorf("the file %s cannot be read: %w", quoted(v), bare(err))
	}
	if len(b) > c.MaxBytes {
		return nil, tooLarge(int64(len(b)), c.MaxBytes)
	}
	return b, nil
}

func tooLarge(have int64, limit int) error {
	return fmt.Errorf("the image has %d bytes or more, the limit max_bytes is %d", have, limit)
}

// bare is the cause of a path error, without the path.
func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// decode looks at the size first: a small file can claim a picture that would fill the memory.
func (f *picture) decode(b []byte) (image.Image, error) {
	var size image.Config
	var err error
	isPNG := bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n"))
	switch {
	case isPNG:
		size, err = png.DecodeConfig(bytes.NewReader(b))
	case bytes.HasPrefix(b, []byte("\xff\xd8")):
		size, err = jpeg.DecodeConfig(bytes.NewReader(b))
	default:
		return nil, errors.New("the bytes are neither a PNG nor a JPEG file; use pixels for raw bytes")
	}
	if err != nil {
		return nil, fmt.Errorf("the image cannot be decoded: %w", err)
	}
	if size.Width < 1 || size.Height < 1 || size.Height > math.MaxInt/size.Width || size.Width*size.Height > f.config.MaxPixels {
		return nil, fmt.Errorf("the image is %d x %d pixels, the limit max_pixels is %d", size.Width, size.Height, f.config.MaxPixels)
	}
	var img image.Image
	if isPNG {
		img, err = png.Decode(bytes.NewReader(b))
	} else {
		img, err = jpeg.Decode(bytes.NewReader(b))
	}
	if err != nil {
		return nil, fmt.Errorf("the image cannot be decoded: %w", err)
	}
	return img, nil
}

// shrink writes the image as width*height means of the areas that the new pixels cover, in whole numbers until the end: an
// old pixel is width*height units large, a new one w*h.
func shrink(out []float64, img image.Image, width, height int, invert bool) {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	line := make([]byte, w)
	across := make([]uint64, width) // one line of the image, summed into new columns
	sums := make([]uint64, width*height)
	for y := range h {
		greyLine(line, img, b.Min.X, b.Min.Y+y)
		clear(across)
		for x, p := range line {
			overlap(x, width, w, func(k int, part uint64) { across[k] += part * uint64(p) })
		}
		overlap(y, height, h, func(k int, part uint64) {
			row := sums[k*width : (k+1)*width]
			for x, s := range across {
				row[x] += part * s
			}
		})
	}
	whole := float64(w) * float64(h) * 255
	for i, s := range sums {
		out[i] = float64(s) / whole
		if invert {
			out[i] = 1 - out[i]
		}
	}
}

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
