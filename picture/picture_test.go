package picture

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"slices"
	"testing"
)

func slope(width, height int) *image.Gray {
	img := image.NewGray(image.Rect(2, 3, 2+width, 3+height))
	for i := range img.Pix {
		img.Pix[i] = byte(i * 5)
	}
	return img
}

// What was reduced and written down is read again, exactly, and not for another size or beyond a limit.
func TestReduced(t *testing.T) {
	g := Reduce(slope(11, 7), 4, 3)
	b, err := g.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseReduced(b, 4, 3, 77)
	if err != nil || !slices.Equal(again.sums, g.sums) || again.OfWidth != 11 || again.OfHeight != 7 {
		t.Fatalf("%+v, %v", again, err)
	}
	var size *SizeError
	if _, err := ParseReduced(b, 4, 3, 76); !errors.As(err, &size) || size.Width != 11 {
		t.Errorf("beyond the limit: %v", err)
	}
	if _, err := ParseReduced(b, 3, 4, 77); err == nil {
		t.Error("another size is read")
	}
	if _, err := ParseReduced(b[:len(b)-1], 4, 3, 77); err == nil {
		t.Error("a cut one is read")
	}
	if !IsReduced(b) || IsFile(b) || IsReduced([]byte(pngHead)) {
		t.Error("a reduced picture is taken for a file")
	}
	grey := []byte{0, 9, 255, 128}
	if got := FromBytes(grey, 2, 2).Bytes(); !bytes.Equal(got, grey) {
		t.Errorf("%v became %v", grey, got)
	}
}

func TestDecodeLimit(t *testing.T) {
	var b bytes.Buffer
	if err := png.Encode(&b, slope(5, 4)); err != nil {
		t.Fatal(err)
	}
	var size *SizeError
	if _, err := Decode(b.Bytes(), 19); !errors.As(err, &size) || size.Width != 5 || size.Height != 4 {
		t.Errorf("error %v", err)
	}
	if img, err := Decode(b.Bytes(), 20); err != nil || !bytes.Equal(Reduce(img, 5, 4).Bytes(), slope(5, 4).Pix) {
		t.Errorf("error %v", err)
	}
	if _, err := Decode([]byte("GIF89a"), 20); !errors.Is(err, ErrFormat) {
		t.Errorf("error %v", err)
	}
}

func TestShades(t *testing.T) {
	for _, c := range []struct {
		in       []float64
		fraction bool
		want     []byte
	}{
		{[]float64{0, 1, 255}, false, []byte{0, 1, 255}}, {[]float64{0, 1}, false, []byte{0, 1}}, {[]float64{0, 1}, true, []byte{0, 255}},
		{[]float64{0.5, 1}, true, []byte{128, 255}}, {[]float64{0.5, 2}, true, []byte{1, 2}}, {[]float64{256}, false, nil}, {[]float64{-1}, false, nil},
	} {
		got, err := Shades(c.in, c.fraction)
		if !bytes.Equal(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%v, %v: %v, %v", c.in, c.fraction, got, err)
		}
	}
}

func FuzzReduced(f *testing.F) {
	b, _ := Reduce(slope(3, 5), 2, 2).AppendBinary(nil)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := ParseReduced(b, 2, 2, 1<<24)
		if err != nil {
			return
		}
		var out [4]float64
		g.Floats(out[:])
		for _, v := range out {
			if !(v >= 0 && v <= 1) {
				t.Fatalf("a pixel of %v", v)
			}
		}
	})
}
