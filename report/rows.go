package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/tidemill/tidemill/engine"
)

// scattered is how many points a scatter plot has.
const scattered = 600

// misses draws, for numbers, prediction against truth, and how far off the predictions are.
func (p *paper) misses(answers []Answered) {
	var points [][2]float64
	var off []float64
	lo, hi := math.Inf(1), math.Inf(-1)
	for i, a := range answers {
		truth, err := strconv.ParseFloat(a.Truth, 64)
		if err != nil || math.IsNaN(truth+a.Score) || math.IsInf(truth+a.Score, 0) {
			continue
		}
		off = append(off, a.Score-truth)
		if i%(len(answers)/scattered+1) == 0 {
			points = append(points, [2]float64{truth, a.Score})
			lo, hi = min(lo, truth, a.Score), max(hi, truth, a.Score)
		}
	}
	if len(points) < 2 || lo == hi {
		return
	}
	title := "Prediction against truth"
	if len(points) < len(off) {
		title += fmt.Sprintf(", %s of them", group(uint64(len(points))))
	}
	p.plot(title, "truth", "prediction", []line{{"", "grid", [][2]float64{{lo, lo}, {hi, hi}}}, {"", "dot", points}})
	var sum float64
	for _, x := range off {
		sum += math.Abs(x)
	}
	mean := sum / float64(len(off))
	slices.SortFunc(off, func(a, b float64) int {
		if math.Abs(a) < math.Abs(b) {
			return -1
		}
		return 1
	})
	l := line{name: "off by at most", class: "rolling"}
	for i := range 100 {
		l.points = append(l.points, [2]float64{math.Abs(off[min(len(off)-1, i*len(off)/100)]), float64(i) / 100})
	}
	p.plot("Errors, mean "+figure(&mean)+", median "+shortNumber(math.Abs(off[len(off)/2])), "off by",
		"share of the answers", []line{l})
}

// centres is the table of a clustering's centres.
func (p *paper) centres(t *engine.TaskStatus) {
	if len(t.Centres) == 0 || len(t.Centres[0]) > 64 {
		return
	}
	p.write(`<h3>Centres</h3><div class="wide"><table class="num all"><tr><th>cluster</th>`)
	for i := range t.Centres[0] {
		name := strconv.Itoa(i)
		if len(t.Columns) == len(t.Centres[0]) {
			name = t.Columns[i].Name
		}
		p.write(`<th>`, esc(brief(name)), `</th>`)
	}
	p.write(`</tr>`)
	for k, centre := range t.Centres {
		p.write(`<tr><td>`, strconv.Itoa(k), `</td>`)
		for i := range centre {
			p.write(`<td>`, figure(&centre[i]), `</td>`)
		}
		p.write(`</tr>`)
	}
	p.write(`</table></div>`)
}

// examples shows answers: of classes the newest right and wrong ones, of numbers those that are furthest off and
// nearest.
func (p *paper) examples(t *engine.TaskStatus, answers []Answered) {
	if answers == nil {
		for _, l := range t.Latest {
			if l.Truth != "" {
				a := Answered{ID: l.ID, Prediction: l.Label, Truth: l.Truth, Picture: l.Picture}
				if l.Score != nil {
					a.Score = *l.Score
				}
				answers = append(answers, a)
			}
		}
	}
	switch t.Kind {
	case "regress":
		p.furthest(answers)
	case "classify":
		p.write(`<div class="two">`)
		for _, right := range []bool{false, true} {
			var some []Answered
			pictures := false
			for _, a := range answers {
				if (a.Prediction == a.Truth) == right && len(some) < 24 {
					some = append(some, a)
					pictures = pictures || p.pictured(t, a)
				}
			}
			if len(some) == 0 {
				continue
			}
			p.write(`<div><h3>`, map[bool]string{true: "Right", false: "Wrong"}[right], `</h3>`)
			if pictures {
				p.pictures(t, some, right)
			} else {
				p.rows(some[:min(len(some), 12)])
			}
			p.write(`</div>`)
		}
		p.write(`</div>`)
	}
}

func (p *paper) pictured(t *engine.TaskStatus, a Answered) bool {
	return t.Picture != nil && len(a.Picture) > 0 && len(a.Picture) == t.Picture.Width*t.Picture.Height
}

func (p *paper) pictures(t *engine.TaskStatus, some []Answered, right bool) {
	p.write(`<ul class="examples">`)
	for _, a := range some {
		p.write(`<li>`)
		if p.pictured(t, a) {
			img := &image.Gray{Pix: a.Picture, Stride: t.Picture.Width,
				Rect: image.Rect(0, 0, t.Picture.Width, t.Picture.Height)}
			var file bytes.Buffer
			if png.Encode(&file, img) == nil {
				p.write(`<img alt="" src="data:image/png;base64,`, base64.StdEncoding.EncodeToString(file.Bytes()), `">`)
			}
		}
		p.write(`<b>`, esc(brief(a.Prediction)), `</b> `, fmt.Sprintf("%.0f %%", 100*a.Score))
		if !right {
			p.write(` <em>is `, esc(brief(a.Truth)), `</em>`)
		}
		p.write(`<small>`, esc(brief(a.ID)), `</small></li>`)
	}
	p.write(`</ul>`)
}

// rows is a table of answers that have no pictures.
func (p *paper) rows(some []Answered) {
	p.write(`<div class="wide"><table><tr><th>id</th><th>prediction</th><th></th><th>truth</th><th>answered ` +
		`after</th></tr>`)
	for _, a := range some {
		after := "–"
		if a.Delay > 0 {
			after = a.Delay.Round(time.Second).String()
		}
		p.write(`<tr><td>`, esc(brief(a.ID)), `</td><td><b>`, esc(brief(a.Prediction)), `</b></td><td>`,
			fmt.Sprintf("%.0f %%", 100*a.Score), `</td><td>`, esc(brief(a.Truth)), `</td><td>`, after, `</td></tr>`)
	}
	p.write(`</table></div>`)
}

// furthest is the table of the numbers that are furthest off, and of those that are nearest.
func (p *paper) furthest(answers []Answered) {
	type miss struct {
		Answered
		truth, off float64
	}
	var all []miss
	for _, a := range answers {
		if truth, err := strconv.ParseFloat(a.Truth, 64); err == nil && !math.IsNaN(a.Score-truth) {
			all = append(all, miss{a, truth, a.Score - truth})
		}
	}
	if len(all) < 2 {
		return
	}
	slices.SortStableFunc(all, func(a, b miss) int {
		switch x, y := math.Abs(a.off), math.Abs(b.off); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	p.write(`<div class="two">`)
	for _, part := range []struct {
		title string
		list  []miss
	}{{"Furthest off", all[:min(len(all)/2, 12)]}, {"Nearest", all[len(all)-min(len(all)/2, 12):]}} {
		p.write(`<div><h3>`, part.title,
			`</h3><div class="wide"><table class="num all"><tr><th>id</th><th>prediction</th><th>truth</th><th>off by</th></tr>`)
		for _, m := range part.list {
			p.write(`<tr><td>`, esc(brief(m.ID)), `</td><td><b>`, shortNumber(m.Score), `</b></td><td>`, shortNumber(m.truth),
				`</td><td>`, shortNumber(m.off), `</td></tr>`)
		}
		p.write(`</table></div></div>`)
	}
	p.write(`</div>`)
}

// shortNumber is a figure with what digits say something.
func shortNumber(v float64) string {
	if math.Abs(v) >= 1000 {
		return large(v)
	}
	return strconv.FormatFloat(v, 'g', 5, 64)
}
