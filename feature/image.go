package feature

import (
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"

	"github.com/tidemill/tidemill"
	picturefile "github.com/tidemill/tidemill/picture"
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

// Image decodes a column of PNG or JPEG files to width*height grey pixels, as one dense column per pixel from 0 (black)
// to 1 (white), row by row from the top left. Colours become grey by the weights of ITU-R BT.601, what is transparent
// becomes black, and each pixel of the result is the mean of the area of the image that it covers. Images of more than
// 2^24 pixels or bytes are rejected before they are decoded (ImageConfig sets other limits, and a folder for paths).
// NULL is NaN.
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
	p := tidemill.Picture{Column: f.config.Column, Width: f.config.Width, Height: f.config.Height, Holds: "file",
		Inverted: f.config.Invert}
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
	grey, err := f.decode(data)
	if err != nil {
		return reject(c, at[0], err)
	}
	out := grow(dst, len(f.out))
	grey.Floats(out)
	if f.config.Invert {
		for i, v := range out {
			out[i] = 1 - v
		}
	}
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

// decode brings the file to the feature's size, or takes what a file was reduced to before.
func (f *picture) decode(b []byte) (*picturefile.Grey, error) {
	c := &f.config
	var grey *picturefile.Grey
	var err error
	if picturefile.IsReduced(b) {
		grey, err = picturefile.ParseReduced(b, c.Width, c.Height, c.MaxPixels)
	} else {
		var img image.Image
		if img, err = picturefile.Decode(b, c.MaxPixels); err == nil {
			grey = picturefile.Reduce(img, c.Width, c.Height)
		}
	}
	var size *picturefile.SizeError
	switch {
	case errors.Is(err, picturefile.ErrFormat):
		return nil, errors.New("the bytes are neither a PNG nor a JPEG file; use pixels for raw bytes")
	case errors.As(err, &size):
		return nil, fmt.Errorf("the image is %d x %d pixels, the limit max_pixels is %d", size.Width, size.Height, size.Limit)
	case err != nil:
		return nil, fmt.Errorf("the image cannot be decoded: %w", err)
	}
	return grey, nil
}
