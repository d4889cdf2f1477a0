package feature

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

// one is a table of one column and a row of it.
func one(kind tidemill.Kind, v tidemill.Value) *tidemill.Change {
	t := tidemill.NewTable("", "t", []tidemill.Column{{Name: "x", Kind: kind}}, nil)
	return &tidemill.Change{Op: tidemill.Insert, Table: t, After: []tidemill.Value{v}}
}

// read binds f to the change's table and appends.
func read(t *testing.T, f tidemill.Feature, c *tidemill.Change) (tidemill.Vector, error) {
	t.Helper()
	if err := f.Bind(c.Table, tidemill.Asks); err != nil {
		t.Fatal(err)
	}
	var v tidemill.Vector
	err := f.Append(&v, c, 0)
	return v, err
}

// built builds a config that must be valid.
func built(t testing.TB, c interface {
	Build(string) (tidemill.Feature, error)
}) tidemill.Feature {
	t.Helper()
	f, err := c.Build("flow")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLaws(t *testing.T) {
	for _, made := range []func() tidemill.Feature{
		func() tidemill.Feature { return Numeric("count", "amount", "price", "paid_at", "flag") },
		func() tidemill.Feature { return Boolean("flag", "count") },
		func() tidemill.Feature { return OneHot("card", "count", "note") },
		func() tidemill.Feature { return Category("card") },
		func() tidemill.Feature { return Pixels("picture", 2, 2) },
	} {
		t.Run(made().Describe(), func(t *testing.T) { tidemilltest.Feature(t, made) })
	}
}

func TestNumeric(t *testing.T) {
	for _, c := range []struct {
		kind tidemill.Kind
		v    tidemill.Value
		want float64
		err  string
	}{
		{tidemill.KindInt, tidemill.Int(-3), -3, ""},
		{tidemill.KindFloat, tidemill.Float(2.5), 2.5, ""},
		{tidemill.KindFloat, tidemill.Float(math.NaN()), math.NaN(), ""},
		{tidemill.KindDecimal, tidemill.Decimal("12.75"), 12.75, ""},
		{tidemill.KindBool, tidemill.Bool(true), 1, ""},
		{tidemill.KindText, tidemill.Text(" 1e3 "), 1000, ""},
		{tidemill.KindTime, tidemill.Timestamp(1_500_000), 1.5, ""},
		{tidemill.KindInt, tidemill.Null(), math.NaN(), ""},
		{tidemill.KindDecimal, tidemill.Other("NaN"), math.NaN(), ""},
		{tidemill.KindFloat, tidemill.Float(math.Inf(1)), 0, "t row, column x: the number is infinite; correct the row, or use another column"},
		{tidemill.KindDecimal, tidemill.Other("-Infinity"), 0, "infinite"},
		{tidemill.KindDecimal, tidemill.Decimal("1e999"), 0, "infinite"},
		{tidemill.KindText, tidemill.Text("twelve"), 0, `column x: "twelve" is no number`},
		{tidemill.KindText, tidemill.Value{}, 0, "REPLICA IDENTITY FULL"},
		{tidemill.KindText, tidemill.Blob([]byte{1}), 0, "bytes are no number"},
	} {
		v, err := read(t, Numeric("x"), one(c.kind, c.v))
		if c.err != "" {
			var row *tidemill.RowError
			if err == nil || !strings.Contains(err.Error(), c.err) || !errors.As(err, &row) || row.Column != "x" {
				t.Errorf("%v: error %v, not %q", c.v, err, c.err)
			}
			continue
		}
		if err != nil || len(v.Dense) != 1 || v.Dense[0] != c.want && !(v.Dense[0] != v.Dense[0] && c.want != c.want) {
			t.Errorf("%v: %v, %v, not %v", c.v, v.Dense, err, c.want)
		}
	}
}

func TestBindErrors(t *testing.T) {
	table := tidemilltest.FeatureTable()
	for _, c := range []struct {
		f    tidemill.Feature
		want string
	}{
		{Numeric("amuont"), `numeric: table public.payments has no column "amuont"; did you mean "amount"?`},
		{Numeric("zzz"), `has no column "zzz"; it has id, flag, count`},
		{Numeric("picture"), `numeric: column "picture" of table public.payments holds bytes`},
		{Numeric(), `no column is named`},
		{Pixels("count", 2, 2), "holds int, not bytes"},
		{Pixels("picture", 0, 2), "the size is 0 x 2"},
		{Pixels("picture", 1<<30, 1<<30), "the size is"},
		{Image("card", 2, 2), "holds text, not bytes"},
	} {
		if err := c.f.Bind(table, tidemill.Asks); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, not %q", err, c.want)
		}
	}
	if _, err := (&PixelsConfig{Column: "x", Width: 3}).Build(""); err == nil {
		t.Error("a picture without height is built")
	}
}

func TestBoolean(t *testing.T) {
	for _, c := range []struct {
		v    tidemill.Value
		want float64
		ok   bool
	}{
		{tidemill.Bool(true), 1, true}, {tidemill.Bool(false), 0, true}, {tidemill.Int(7), 1, true}, {tidemill.Int(0), 0, true},
		{tidemill.Text("Yes"), 1, true}, {tidemill.Text("f"), 0, true}, {tidemill.Text("perhaps"), 0, false},
	} {
		v, err := read(t, Boolean("x"), one(tidemill.KindText, c.v))
		if (err == nil) != c.ok || c.ok && v.Dense[0] != c.want {
			t.Errorf("%v: %v, %v", c.v, v.Dense, err)
		}
	}
}

func TestCategoriesAreCodes(t *testing.T) {
	for _, c := range []struct {
		v    tidemill.Value
		text string
	}{
		{tidemill.Text("UA"), "UA"}, {tidemill.Int(7), "7"}, {tidemill.Bool(true), "true"}, {tidemill.Text(""), ""},
	} {
		v, err := read(t, OneHot("x"), one(tidemill.KindText, c.v))
		if err != nil || v.Dense[0] != tidemill.Code([]byte(c.text)) {
			t.Errorf("%v: %v, %v", c.v, v.Dense, err)
		}
	}
	if cs, _ := OneHot("x").Columns(); !cs[0].OneHot || !cs[0].Nominal {
		t.Errorf("columns %v", cs)
	}
	if cs, _ := Category("x").Columns(); cs[0].OneHot || !cs[0].Nominal {
		t.Errorf("columns %v", cs)
	}
}

func TestPixels(t *testing.T) {
	v, err := read(t, Pixels("x", 2, 1), one(tidemill.KindBytes, tidemill.Blob([]byte{0, 255})))
	if err != nil || fmt.Sprint(v.Dense) != "[0 1]" {
		t.Errorf("%v, %v", v.Dense, err)
	}
	v, err = read(t, built(t, &PixelsConfig{Column: "x", Width: 2, Height: 1, Scale: 2}), one(tidemill.KindBytes, tidemill.Blob([]byte{3, 255})))
	if err != nil || fmt.Sprint(v.Dense) != "[6 510]" {
		t.Errorf("%v, %v", v.Dense, err)
	}
	_, err = read(t, Pixels("x", 28, 28), one(tidemill.KindBytes, tidemill.Blob(make([]byte, 783))))
	if err == nil || !strings.Contains(err.Error(), "has 784 bytes, this value has 783") {
		t.Errorf("error %v", err)
	}
	f := Pixels("x", 2, 1)
	c := one(tidemill.KindBytes, tidemill.Blob([]byte{9, 8}))
	if err := f.Bind(c.Table, tidemill.Asks); err != nil {
		t.Fatal(err)
	}
	if b, err := f.(tidemill.Pictured).Pixels(nil, c); err != nil || !bytes.Equal(b, []byte{9, 8}) {
		t.Errorf("picture %v, %v", b, err)
	}
}

// halves is a picture of 4 x 4: the left half black, the right half white.
func halves() *image.Gray {
	m := image.NewGray(image.Rect(0, 0, 4, 4))
	for y := range 4 {
		m.SetGray(2, y, color.Gray{Y: 255})
		m.SetGray(3, y, color.Gray{Y: 255})
	}
	return m
}

func pngBytes(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestImage(t *testing.T) {
	blob := func(b []byte) *tidemill.Change { return one(tidemill.KindBytes, tidemill.Blob(b)) }
	for _, c := range []struct {
		w, h int
		want string
	}{
		{4, 4, "[0 0 1 1 0 0 1 1 0 0 1 1 0 0 1 1]"}, {2, 1, "[0 1]"}, {1, 1, "[0.5]"}, {3, 1, "[0 0.5 1]"}, {8, 1, "[0 0 0 0 1 1 1 1]"},
	} {
		v, err := read(t, Image("x", c.w, c.h), blob(pngBytes(t, halves())))
		if err != nil || fmt.Sprint(v.Dense) != c.want {
			t.Errorf("%d x %d: %v, %v, not %s", c.w, c.h, v.Dense, err, c.want)
		}
	}
	inverted := NewImageConfig()
	inverted.Column, inverted.Width, inverted.Height, inverted.Invert = "x", 2, 1, true
	if v, err := read(t, built(t, inverted), blob(pngBytes(t, halves()))); err != nil || fmt.Sprint(v.Dense) != "[1 0]" {
		t.Errorf("inverted: %v, %v", v.Dense, err)
	}

	red := image.NewNRGBA(image.Rect(5, 5, 7, 7)) // an odd origin, and a transparent half
	red.SetNRGBA(5, 5, color.NRGBA{255, 0, 0, 255})
	red.SetNRGBA(5, 6, color.NRGBA{255, 0, 0, 255})
	if v, err := read(t, Image("x", 2, 1), blob(pngBytes(t, red))); err != nil || math.Abs(v.Dense[0]-76.0/255) > 1e-9 || v.Dense[1] != 0 {
		t.Errorf("red: %v, %v", v.Dense, err)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, halves(), &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	if v, err := read(t, Image("x", 2, 1), blob(b.Bytes())); err != nil || v.Dense[0] > .02 || v.Dense[1] < .98 {
		t.Errorf("jpeg: %v, %v", v.Dense, err)
	}
	for what, c := range map[string]struct {
		b    []byte
		want string
	}{
		"no image": {[]byte("hello"), "neither a PNG nor a JPEG"},
		"cut":      {pngBytes(t, halves())[:40], "cannot be decoded"},
		"nothing":  {nil, "neither"},
		"a bomb":   {pngBytes(t, image.NewGray(image.Rect(0, 0, 5000, 5000))), "the image is 5000 x 5000 pixels, the limit max_pixels is 16777216"},
	} {
		if _, err := read(t, Image("x", 2, 1), blob(c.b)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, not %q", what, err, c.want)
		}
	}
}

func TestImageFiles(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(filepath.Join(root, "in"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"root/in/a.png", "outside.png"} {
		if err := os.WriteFile(filepath.Join(dir, name), pngBytes(t, halves()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "outside.png"), filepath.Join(root, "link.png")); err != nil {
		t.Fatal(err)
	}
	c := NewImageConfig()
	c.Column, c.Width, c.Height, c.Root = "x", 2, 1, root
	path := func(s string) (tidemill.Vector, error) {
		return read(t, built(t, c), one(tidemill.KindText, tidemill.Text(s)))
	}
	if v, err := path("in/a.png"); err != nil || fmt.Sprint(v.Dense) != "[0 1]" {
		t.Errorf("%v, %v", v.Dense, err)
	}
	for _, s := range []string{"../outside.png", filepath.Join(dir, "outside.png"), "link.png", "in", "none.png", "", "in/../../outside.png"} {
		_, err := path(s)
		if err == nil {
			t.Errorf("%q was read", s)
		} else if strings.Contains(err.Error(), root) {
			t.Errorf("%q: the error %v tells where the folder is", s, err)
		}
	}
	c.MaxBytes = 10
	if _, err := path("in/a.png"); err == nil || !strings.Contains(err.Error(), "max_bytes") {
		t.Errorf("error %v", err)
	}
}

func FuzzImage(f *testing.F) {
	f.Add(pngBytes(f, halves()))
	var b bytes.Buffer
	if err := jpeg.Encode(&b, halves(), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	c := NewImageConfig()
	c.Column, c.Width, c.Height, c.MaxPixels = "x", 3, 3, 1<<16
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := read(t, built(t, c), one(tidemill.KindBytes, tidemill.Blob(b)))
		if err == nil && len(v.Dense) != 9 {
			t.Fatalf("%d pixels", len(v.Dense))
		}
		for _, p := range v.Dense {
			if !(p >= 0 && p <= 1) {
				t.Fatalf("pixel %v", p)
			}
		}
	})
}

func ExampleNumeric() {
	flights := tidemill.NewTable("", "flights", []tidemill.Column{
		{Name: "carrier", Kind: tidemill.KindText}, {Name: "distance", Kind: tidemill.KindInt}}, nil)
	f := Numeric("distance")
	if err := f.Bind(flights, tidemill.Asks); err != nil {
		fmt.Println(err)
		return
	}
	var x tidemill.Vector
	err := f.Append(&x, &tidemill.Change{Op: tidemill.Insert, Table: flights,
		After: []tidemill.Value{tidemill.Text("UA"), tidemill.Int(1400)}}, 0)
	fmt.Println(x.Dense, err)
	// Output: [1400] <nil>
}

func BenchmarkPixels(b *testing.B) {
	f := Pixels("x", 28, 28)
	c := one(tidemill.KindBytes, tidemill.Blob(make([]byte, 784)))
	if err := f.Bind(c.Table, tidemill.Asks); err != nil {
		b.Fatal(err)
	}
	var v tidemill.Vector
	for b.Loop() {
		v.Reset()
		if err := f.Append(&v, c, 0); err != nil {
			b.Fatal(err)
		}
	}
}
