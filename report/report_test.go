package report

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill/tidemilltest/chromiumtest"
	"github.com/tidemill/tidemill/tidemilltest/statustest"
)

func answersOf(n int) []Answered {
	r := rand.New(rand.NewPCG(1, 2))
	var out []Answered
	for i := range n {
		p := r.Float64()
		a := Answered{ID: fmt.Sprint(i), Truth: fmt.Sprint(r.Float64() < p), Prediction: fmt.Sprint(p > 0.5), Score: max(p, 1-p), Probabilities: map[string]float64{"true": p, "false": 1 - p},
			Delay: time.Duration(r.ExpFloat64() * float64(time.Hour))}
		out = append(out, a)
	}
	return out
}

func TestReport(t *testing.T) {
	m := statustest.MNIST(t, "../examples/mnist")
	var b bytes.Buffer
	if err := Write(&b, statustest.Flights(statustest.Began(), 141200), map[string][]Answered{"late": answersOf(4000)}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"<h1>late-flights</h1>", "Learning curve, stream: auc", "ROC", "Precision and recall", "Calibration, expected error 0.0", "Label delay, median", "Largest weights", "&lt;img src=x onerror=", "84,720", "Wrong", "Right"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report has no %q", want)
		}
	}
	for _, bad := range []string{"<script", "<img src=x", "NaN", ">-0<", "http://", "https://"} {
		if strings.Contains(text, bad) {
			t.Errorf("the report has %q", bad)
		}
	}
	if m := regexp.MustCompile(`true \(area (0\.\d+)\)`).FindStringSubmatch(text); m == nil || m[1] < "0.80" || m[1] > "0.87" {
		t.Errorf("area under the ROC curve: %v, want 5/6", m)
	}
	b.Reset()
	if err := Write(&b, statustest.Digits(m, statustest.Began(), 81204), nil); err != nil || strings.Count(b.String(), "data:image/png;base64,") < 10 {
		t.Errorf("%v: no pictures", err)
	}
	again := bytes.Buffer{}
	if Write(&again, statustest.Digits(m, statustest.Began(), 81204), nil); !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("the same run gave two reports")
	}
}

func TestCurves(t *testing.T) {
	// The example of Fawcett, An introduction to ROC analysis (2006), figure 3: 20 instances, area 0.68.
	p := []float64{.9, .8, .7, .6, .55, .54, .53, .52, .51, .505, .4, .39, .38, .37, .36, .35, .34, .33, .30, .1}
	hit := "ppnpppnnpnpnpnnnpnpn"
	var all []outcome
	for i := range p {
		all = append(all, outcome{p[i], hit[i] == 'p'})
	}
	roc, pr, area := curves(all)
	if math.Abs(area-0.68) > 1e-12 || len(roc) != 21 || roc[20] != [2]float64{1, 1} || pr[19] != [2]float64{1, 0.5} {
		t.Errorf("area %g, %v", area, roc)
	}
	same := []outcome{{0.5, true}, {0.5, false}, {0.5, true}, {0.5, false}}
	if _, _, area := curves(same); area != 0.5 {
		t.Errorf("equal probabilities: %g", area)
	}
}

// The report opens in a browser without a fault and is not wider than a phone.
func TestReportInBrowser(t *testing.T) {
	m := statustest.MNIST(t, "../examples/mnist")
	for name, write := range map[string]func(b *bytes.Buffer) error{
		"flights": func(b *bytes.Buffer) error {
			return Write(b, statustest.Flights(statustest.Began(), 141200), map[string][]Answered{"late": answersOf(4000)})
		},
		"digits": func(b *bytes.Buffer) error { return Write(b, statustest.Digits(m, statustest.Began(), 81204), nil) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name+".html")
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		p := chromiumtest.New(t).Open("file://"+file, 1100, 900, "light")
		p.Wait(`document.querySelectorAll("svg polyline").length > 2`)
		p.Shot("report-" + name)
		p.Look(375, 812, "dark")
		p.Fits()
		p.Shot("report-" + name + "-375")
		p.Clean()
	}
}
