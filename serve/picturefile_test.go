package serve_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"iter"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/feature"
	"github.com/tidemill/tidemill/model"
	"github.com/tidemill/tidemill/score"
	"github.com/tidemill/tidemill/serve"
)

// scans is a source of 40 pictures as PNG files, dark on the left or on the right half.
type scans struct{ light bool }

func (s scans) grey(i int) []byte {
	b := make([]byte, 16)
	for k := range b {
		if (k%4 < 2) == (i%2 == 0) {
			b[k] = byte(200 + i)
		}
	}
	return b
}

func (s scans) file(grey []byte, times int) []byte {
	img := image.NewGray(image.Rect(0, 0, 4*times, 4*times))
	for y := range 4 * times {
		for x := range 4 * times {
			v := grey[y/times*4+x/times]
			if s.light {
				v = 255 - v
			}
			img.SetGray(x, y, color.Gray{Y: v})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func (s scans) Release(context.Context, tidemill.Position) error { return nil }

func (s scans) Changes(context.Context, tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		table := tidemill.NewTable("", "scans",
			[]tidemill.Column{{Name: "id", Kind: tidemill.KindInt}, {Name: "scan", Kind: tidemill.KindBytes},
				{Name: "side", Kind: tidemill.KindText}}, []int{0})
		var b tidemill.Batch
		for i := range 40 {
			side := []string{"left", "right"}[i%2]
			b.Changes = append(b.Changes,
				tidemill.Change{Op: tidemill.Read, Table: table, Tx: &tidemill.Tx{Order: 1}, N: uint64(i),
					After: []tidemill.Value{tidemill.Int(int64(i)), tidemill.Blob(s.file(s.grey(i), 1)),
						tidemill.Text(side)}})
		}
		b.Upto, b.Live, b.CaughtUp = "s:1", true, true
		yield(b, nil)
	}
}

// A column of picture files is asked about with a file, with grey bytes and with numbers, and the answer is the same.
func TestPictureFiles(t *testing.T) {
	for _, light := range []bool{false, true} {
		c := feature.NewImageConfig()
		c.Column, c.Width, c.Height, c.Invert = "scan", 4, 4, light
		f, err := c.Build("sides")
		if err != nil {
			t.Fatal(err)
		}
		src := scans{light}
		mill, err := engine.Start(t.Context(),
			tidemill.Flow{Name: "sides", Source: src, Tasks: []tidemill.Task{{Name: "side",
				Predict:  tidemill.On{Op: tidemill.Insert, Table: "scans"},
				Learn:    tidemill.On{Op: tidemill.Insert, Table: "scans", Label: "side"},
				Features: []tidemill.Feature{f}, Model: model.Logistic(model.SGD(0.1)),
				Scores: []tidemill.Score{score.Accuracy()}}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := mill.Wait(); err != nil {
			t.Fatal(err)
		}
		st := mill.Status()
		if p := st.Tasks[0].Picture; p == nil || p.Holds != "file" || p.Inverted != light {
			t.Fatalf("picture %+v", p)
		}
		h := serve.Handler(mill, serve.Config{})
		ask := func(kind, body string) string {
			r := httptest.NewRequest(http.MethodPost, "/predict/side", strings.NewReader(body))
			r.Header.Set("Content-Type", kind)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return fmt.Sprint(w.Code, w.Body)
		}
		for i, want := range []string{"left", "right"} {
			grey := src.grey(i)
			file := src.file(grey, 1)
			list := strings.ReplaceAll(fmt.Sprint(grey), " ", ",")
			b64 := base64.StdEncoding.EncodeToString
			whole := ask("image/png", string(file))
			if !strings.HasPrefix(whole, `200{"prediction":"`+want+`"`) &&
				!strings.HasPrefix(whole, `200 {"prediction":"`+want+`"`) {
				t.Errorf("light %v: %s, want %s", light, whole, want)
			}
			for name, got := range map[string]string{
				"numbers": ask("application/json", list), "column": ask("application/json", `{"scan":`+list+`}`),
				"grey in base64": ask("application/json", `{"scan":"`+b64(grey)+`"}`),
				"file in base64": ask("application/json", `{"scan":{"b64":"`+b64(file)+`"}}`),
				"large file":     ask("image/png", string(src.file(grey, 100))),
				"small file":     ask("image/png", string(src.file(grey, 3))),
			} {
				if got != whole {
					t.Errorf("light %v: %s: %s, the file %s", light, name, got, whole)
				}
			}
		}
		if got := ask("application/json", `{"scam":1}`); !strings.HasPrefix(got, "400") ||
			!strings.Contains(got, `did you mean \"scan\"?`) {
			t.Errorf("an unknown column: %s", got)
		}
		if got := ask("application/json", `{"scan":"AAAA"}`); !strings.HasPrefix(got, "400") {
			t.Errorf("no picture: %s", got)
		}
	}
}
