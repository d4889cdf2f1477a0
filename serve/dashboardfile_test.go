package serve

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/picture"
	"github.com/tidemill/tidemill/tidemilltest/chromiumtest"
	"github.com/tidemill/tidemill/tidemilltest/statustest"
)

// A file opened in the dashboard is the model's as by every other way: light ground, proportions and all.
func TestDashboardOpensFile(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 90, 61))
	for i := range img.Pix {
		img.SetGray(i%90, i/90, color.Gray{Y: 255 - uint8(i*i%97)})
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	want := picture.Reduce(img, 28, 28).Bytes()
	f := &fake{now: moving(81204, 900, func(now time.Time,
		rows uint64) *engine.Status {
		return statustest.Digits(mnist(t), now, rows)
	}),
		predict: func(_ *engine.TaskStatus, r tidemill.Row) (engine.Prediction, error) {
			label := "others"
			if b, ok := r["pixels"].([]byte); ok && bytes.Equal(b, want) {
				label = "the file"
			}
			return engine.Prediction{Label: label, Score: statustest.Some(1),
				Probabilities: map[string]float64{label: 1}}, nil
		}}
	url, _ := running(t, f, Config{})
	p := chromiumtest.New(t).Open(url, 1200, 900, "light")
	p.Wait(`Boolean(document.querySelector("canvas.pad"))`)
	p.Eval(fmt.Sprintf(`(() => { const d = new DataTransfer(), f = document.querySelector(".padbuttons input[type=file]");
		d.items.add(new File([Uint8Array.from(atob(%q), (c) => c.charCodeAt(0))], "a.png", {type: "image/png"})); f.files = d.files; f.dispatchEvent(new Event("change")); })()`,
		base64.StdEncoding.EncodeToString(file.Bytes())))
	p.Wait(`document.querySelector(".said .label")?.innerText === "the file"`)
	p.Clean()
}
