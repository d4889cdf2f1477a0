// Package mnist holds the MNIST images of handwritten digits: 60,000 to learn from and 10,000 to be tested on, each
// 28 by 28 grey bytes with its label. They are embedded, so that the demo needs no network
// and no file beside the binary.
package mnist

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/binary"
	"fmt"
	"io"
)

// Width and Height are the size of an image in pixels.
const (
	Width  = 28
	Height = 28
)

//go:embed train-images-idx3-ubyte.gz
var trainImages []byte

//go:embed train-labels-idx1-ubyte.gz
var trainLabels []byte

//go:embed t10k-images-idx3-ubyte.gz
var testImages []byte

//go:embed t10k-labels-idx1-ubyte.gz
var testLabels []byte

// Set is images with their labels.
type Set struct {
	N      int
	Pixels []byte // N × Height × Width, 0 is black
	Labels []byte // N, 0 to 9
}

// Image is image i; it shares the set's memory.
func (s *Set) Image(i int) []byte {
	const size = Width * Height
	return s.Pixels[i*size : (i+1)*size : (i+1)*size]
}

// Train is the 60,000 training images.
func Train() (*Set, error) { return unpack(trainImages, trainLabels) }

// Test is the 10,000 test images.
func Test() (*Set, error) { return unpack(testImages, testLabels) }

func unpack(images, labels []byte) (*Set, error) {
	i, err := gzip.NewReader(bytes.NewReader(images))
	if err != nil {
		return nil, fmt.Errorf("mnist images: %w", err)
	}
	l, err := gzip.NewReader(bytes.NewReader(labels))
	if err != nil {
		return nil, fmt.Errorf("mnist labels: %w", err)
	}
	return Read(i, l)
}

// maxImages bounds what Read believes of a header.
const maxImages = 1 << 20

// Read decodes a pair of IDX files (the format of yann.lecun.com/exdb/mnist): images of 28
// by 28 bytes, and their labels.
func Read(images, labels io.Reader) (*Set, error) {
	n, err := header(images, "images", 0x803, Height, Width)
	if err != nil {
		return nil, err
	}
	m, err := header(labels, "labels", 0x801)
	if err != nil {
		return nil, err
	}
	if n != m {
		return nil, fmt.Errorf("idx: %d images but %d labels", n, m)
	}
	s := &Set{N: n}
	if s.Pixels, err = body(images, n*Width*Height); err != nil {
		return nil, fmt.Errorf("idx images: %w", err)
	}
	if s.Labels, err = body(labels, n); err != nil {
		return nil, fmt.Errorf("idx labels: %w", err)
	}
	for i, l := range s.Labels {
		if l > 9 {
			return nil, fmt.Errorf("idx labels: label %d of row %d is no digit", l, i)
		}
	}
	return s, nil
}

func header(r io.Reader, what string, magic uint32, dims ...uint32) (int, error) {
	head := make([]uint32, 2+len(dims))
	if err := binary.Read(r, binary.BigEndian, head); err != nil {
		return 0, fmt.Errorf("idx %s: header: %w", what, err)
	}
	if head[0] != magic {
		return 0, fmt.Errorf("idx %s: magic number %#x, want %#x", what, head[0], magic)
	}
	for i, d := range dims {
		if head[2+i] != d {
			return 0, fmt.Errorf("idx %s: dimension %d is %d, want %d", what, i+1, head[2+i], d)
		}
	}
	if head[1] > maxImages {
		return 0, fmt.Errorf("idx %s: %d rows are more than %d", what, head[1], maxImages)
	}
	return int(head[1]), nil
}

// body reads n bytes, growing with what really comes, and refuses more.
func body(r io.Reader, n int) ([]byte, error) {
	var b bytes.Buffer
	got, err := io.Copy(&b, io.LimitReader(r, int64(n)+1))
	if err != nil {
		return nil, err
	}
	if got != int64(n) {
		return nil, fmt.Errorf("%d bytes where %d should be", got, n)
	}
	return b.Bytes(), nil
}

// FlowSQLite and FlowPostgres are the demo's flow files.
var (
	//go:embed flow.yaml
	FlowSQLite string
	//go:embed flow.postgres.yaml
	FlowPostgres string
)
