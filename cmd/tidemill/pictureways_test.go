package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/serve"
)

// eye is a model that keeps what it was asked about.
type eye struct {
	tidemill.Model
	seen *seen
}

type seen struct {
	sync.Mutex
	last []float64
}

func (e *eye) New() tidemill.Model { return &eye{e.Model.New(), e.seen} }

func (e *eye) Predict(dst []float64, x *tidemill.Vector) []float64 {
	e.seen.Lock()
	e.seen.last = slices.Clone(x.Dense)
	e.seen.Unlock()
	return append(dst, 0)
}

// take is what was seen last.
func (s *seen) take() []float64 {
	s.Lock()
	defer s.Unlock()
	last := s.last
	s.last = nil
	return last
}

// album is a source of one row with a label, and then one that asks.
type album struct{ value tidemill.Value }

func (s album) Release(context.Context, tidemill.Position) error { return nil }

func (s album) Changes(context.Context, tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	table := tidemill.NewTable("", "album", []tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "scan", Kind: s.value.Kind()}, {Name: "y", Kind: tidemill.KindFloat}}, []int{0})
	return func(yield func(tidemill.Batch, error) bool) {
		var b tidemill.Batch
		for i, y := range []tidemill.Value{tidemill.Float(1), tidemill.Null()} {
			b.Changes = append(b.Changes, tidemill.Change{Op: tidemill.Insert, Table: table, Tx: &tidemill.Tx{Order: uint64(i + 1)},
				After: []tidemill.Value{tidemill.Int(int64(i)), s.value, y}})
		}
		b.Upto, b.Live, b.CaughtUp = "a:2", true, true
		yield(b, nil)
	}
}

// gallery is the flow that has read the value, and what its model sees.
func gallery(t *testing.T, f tidemill.Feature, v tidemill.Value) (*engine.Mill, *seen) {
	s := &seen{}
	m, err := engine.Start(t.Context(), tidemill.Flow{Name: "album", Source: album{v}, Tasks: []tidemill.Task{{Name: "y",
		Predict: tidemill.On{Op: tidemill.Insert, Table: "album"}, Learn: tidemill.On{Op: tidemill.Update, Table: "album", Label: "y"},
		Features: []tidemill.Feature{f}, Model: &eye{model.Mean(), s}}}})
	if err == nil {
		err = m.Wait()
	}
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

// writing is a picture in colours with soft edges, of a size that no model has.
func writing(light bool, side int) image.Image {
	img := image.NewNRGBA(image.Rect(3, 4, 3+side, 4+side*3/4))
	for y := range side * 3 / 4 {
		for x := range side {
			v := uint8((x*x + 3*y*y) * 7 / side % 100)
			if light {
				v = 255 - v
			}
			img.SetNRGBA(3+x, 4+y, color.NRGBA{v, v / 2, 255 - v/3, 255})
		}
	}
	return img
}

// TestPicturesByEveryWay: a model sees the same numbers of a picture, whichever way it came.
func TestPicturesByEveryWay(t *testing.T) {
	for name, write := range map[string]func(*bytes.Buffer, image.Image) error{
		"png": func(b *bytes.Buffer, m image.Image) error { return png.Encode(b, m) },
		"jpeg": func(b *bytes.Buffer, m image.Image) error {
			return jpeg.Encode(b, m, &jpeg.Options{Quality: 90})
		},
	} {
		for _, light := range []bool{false, true} {
			for _, side := range []int{7, 41, 600} {
				for _, invert := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s light=%v side=%d invert=%v", name, light, side, invert), func(t *testing.T) {
						var b bytes.Buffer
						must(t, write(&b, writing(light, side)))
						pictureByEveryWay(t, b.Bytes(), "image/"+name, invert)
					})
				}
			}
		}
	}
}

func pictureByEveryWay(t *testing.T, file []byte, kind string, invert bool) {
	c := feature.NewImageConfig()
	c.Column, c.Width, c.Height, c.Invert = "scan", 9, 8, invert
	f, err := c.Build("")
	must(t, err)
	m, eye := gallery(t, f, tidemill.Blob(file))
	want := eye.take()
	if len(want) != 72 {
		t.Fatalf("the column gives %d numbers", len(want))
	}
	grey := make([]byte, len(want)) // as a person sees what the model sees
	for i, v := range want {
		grey[i] = byte(v*255 + 0.5)
	}

	c.Root = t.TempDir()
	must(t, os.WriteFile(filepath.Join(c.Root, "a"), file, 0o600))
	f, err = c.Build("")
	must(t, err)
	_, other := gallery(t, f, tidemill.Text("a"))
	same(t, "path", other.take(), want)

	numbers := strings.ReplaceAll(fmt.Sprint(grey), " ", ",")
	shades := make([]float64, len(grey))
	for i, v := range grey {
		shades[i] = float64(v) / 255
	}
	canvas := make([]float64, len(grey))
	copy(canvas, shades)
	if invert { // the file that would be seen so
		for i, v := range grey {
			canvas[i] = 1 - float64(255-v)/255
		}
	}
	of := &pictureColumn{column: "scan", width: 9, height: 8, encoded: true, inverted: invert}
	everyRequest(t, m, eye, file, kind, of, want, grey, numbers, canvas)

	if invert {
		return
	}
	m, eye = gallery(t, feature.Pixels("scan", 9, 8), tidemill.Blob(grey))
	same(t, "a column of pixels", eye.take(), shades)
	of.encoded = false
	everyRequest(t, m, eye, file, kind, of, shades, grey, numbers, shades)
}

// everyRequest asks about the file, and about its grey bytes, over REST and as the command does.
func everyRequest(t *testing.T, m *engine.Mill, eye *seen, file []byte, kind string, of *pictureColumn, want []float64, grey []byte, numbers string, canvas []float64) {
	h := serve.Handler(m, serve.Config{})
	ask := func(kind, body string) []float64 {
		r := httptest.NewRequest(http.MethodPost, "/predict/y", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Errorf("%.40q: %d %s", body, w.Code, w.Body)
		}
		return eye.take()
	}
	b64 := base64.StdEncoding.EncodeToString
	same(t, "REST, the file", ask(kind, string(file)), want)
	same(t, "REST, base64", ask("application/json", `{"scan": "`+b64(file)+`"}`), want)
	same(t, "REST, b64", ask("application/json", `{"scan": {"b64": "`+b64(file)+`"}}`), want)
	same(t, "REST, data URL", ask("application/json", `{"scan": "data:`+kind+`;base64,`+b64(file)+`"}`), want)
	same(t, "canvas", ask("application/json", `{"scan": `+numbers+`}`), canvas)
	same(t, "grey bytes in base64", ask("application/json", `{"scan": "`+b64(grey)+`"}`), canvas)

	command := func(data []byte, invert bool) *input {
		in, err := readRows(data, of, "file", invert)
		must(t, err)
		_, err = m.Predict("y", in.rows[0])
		must(t, err)
		return in
	}
	in := command(file, false)
	same(t, "predict", eye.take(), want)
	if !bytes.Equal(in.pictures[0], grey) {
		t.Errorf("predict shows\n%v\nof\n%v", in.pictures[0], grey)
	}
	value, err := json.Marshal(in.rows[0])
	must(t, err)
	same(t, "predict --url", ask("application/json", string(value)), want)
	command([]byte(numbers), false)
	same(t, "predict, numbers", eye.take(), canvas)
	fractions, err := json.Marshal(canvas)
	must(t, err)
	if strings.Contains(string(fractions), ".") {
		same(t, "REST, numbers up to 1", ask("application/json", string(fractions)), canvas)
		command(fractions, false)
		same(t, "predict, numbers up to 1", eye.take(), canvas)
	}
	command(file, true)
	for i, v := range eye.take() {
		if d := v + want[i] - 1; d > 1e-9 || d < -1e-9 {
			t.Fatalf("--invert: %v where the file is %v", v, want[i])
		}
	}
}

func same(t *testing.T, way string, got, want []float64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: the model sees\n%.4v\nnot\n%.4v", way, got, want)
	}
}
