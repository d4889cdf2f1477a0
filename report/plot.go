package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/tidemill/tidemill/engine"
)

// line is one line of a plot; class is its style.
type line struct {
	name, class string
	points      [][2]float64
}

// plot draws lines as SVG, with a legend. x and y name the axes.
func (p *paper) plot(title, x, y string, lines []line) {
	const w, h, left, right, top, bottom = 460.0, 280.0, 52.0, 12.0, 10.0, 34.0
	lo, hi := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	for _, l := range lines {
		for _, q := range l.points {
			for k := range q {
				lo[k], hi[k] = min(lo[k], q[k]), max(hi[k], q[k])
			}
		}
	}
	if math.IsInf(lo[0], 1) {
		return
	}
	for k := range lo {
		if hi[k] == lo[k] {
			lo[k], hi[k] = lo[k]-0.5, hi[k]+0.5
		}
	}
	px := func(v float64) string {
		return strconv.FormatFloat(left+(v-lo[0])/(hi[0]-lo[0])*(w-left-right), 'f', 1, 64)
	}
	py := func(v float64) string {
		return strconv.FormatFloat(h-bottom-(v-lo[1])/(hi[1]-lo[1])*(h-top-bottom), 'f', 1, 64)
	}
	if y != "" {
		y = " <small>" + esc(y) + "</small>"
	}
	p.write(`<figure><figcaption>`, esc(title), y, `</figcaption><svg viewBox="0 0 460 280" role="img" aria-label="`,
		esc(title), `">`)
	for _, v := range ticks(lo[1], hi[1]) {
		p.write(`<line class="grid" x1="52" x2="448" y1="`, py(v), `" y2="`, py(v), `"/><text x="46" y="`, py(v),
			`" dy="4" text-anchor="end">`, short(v), `</text>`)
	}
	for _, v := range ticks(lo[0], hi[0]) {
		anchor := "middle"
		if v > lo[0]+0.95*(hi[0]-lo[0]) {
			anchor = "end"
		}
		p.write(`<text x="`, px(v), `" y="262" text-anchor="`, anchor, `">`, short(v), `</text>`)
	}
	p.write(`<text x="448" y="277" text-anchor="end">`, esc(x), `</text>`)
	legend := ""
	for _, l := range lines {
		if len(l.points) == 0 {
			continue
		}
		if l.class == "dot" {
			for _, q := range l.points {
				p.write(`<circle r="2.4" cx="`, px(q[0]), `" cy="`, py(q[1]), `"/>`)
			}
			continue
		}
		p.write(`<polyline class="`, l.class, `" points="`)
		for _, q := range l.points {
			p.write(px(q[0]), ",", py(q[1]), " ")
		}
		p.write(`"/>`)
		if l.name != "" {
			legend += `<span><i class="` + l.class + `"></i>` + esc(l.name) + `</span>`
		}
	}
	p.write(`</svg><p class="legend">`, legend, `</p></figure>`)
}

// ticks are round numbers between lo and hi, some five of them.
func ticks(lo, hi float64) (out []float64) {
	raw := (hi - lo) / 5
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*step >= raw*0.999 {
			step *= m
			break
		}
	}
	for k := math.Ceil(lo/step-1e-9) + 0; k*step <= hi+step*1e-9 && len(out) < 20; k++ {
		out = append(out, k*step)
	}
	return out
}

// short is a tick's text.
func short(v float64) string {
	unit := ""
	switch a := math.Abs(v); {
	case a >= 1e6:
		v, unit = v/1e6, "M"
	case a >= 1e4:
		v, unit = v/1e3, "k"
	}
	v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 5, 64), 64)
	return strconv.FormatFloat(v, 'f', -1, 64) + unit
}

// corners makes a plot reach from 0 to 1 on both axes.
func corners() line { return line{"", "none", [][2]float64{{0, 0}, {1, 1}}} }

// answered draws what needs single answers: ROC, precision and recall, calibration, label delays; prediction against
// truth for numbers.
func (p *paper) answered(t *engine.TaskStatus, answers []Answered) {
	if len(answers) < 2 {
		return
	}
	p.write(`<h3>`)
	if n := uint64(len(answers)); n < t.Counts.Answered {
		p.write(`The newest `, group(n), ` of `, group(t.Counts.Answered), ` answers in detail</h3><div class="plots">`)
	} else {
		p.write(group(n), ` answers in detail</h3><div class="plots">`)
	}
	defer func() { p.write(`</div>`) }()
	if t.Kind == "classify" {
		p.ranking(t, answers)
		p.calibration(answers)
	}
	if t.Kind == "regress" {
		p.misses(answers)
	}
	var delays []float64
	for _, a := range answers {
		if a.Delay > 0 {
			delays = append(delays, a.Delay.Seconds())
		}
	}
	if len(delays) > 1 {
		slices.Sort(delays)
		unit, name := 1.0, "seconds"
		switch last := delays[len(delays)*99/100]; {
		case last > 2*86400:
			unit, name = 86400, "days"
		case last > 2*3600:
			unit, name = 3600, "hours"
		case last > 120:
			unit, name = 60, "minutes"
		}
		l := line{name: "answered within", class: "rolling"}
		for i := range 100 {
			at := delays[min(len(delays)-1, i*len(delays)/100)] / unit
			l.points = append(l.points, [2]float64{at, float64(i) / 100})
		}
		median := time.Duration(delays[len(delays)/2] * float64(time.Second))
		p.plot("Label delay, median "+median.Round(time.Second/10).String(), name, "share of the answers", []line{l})
	}
}

// outcome is a probability and whether it came true.
type outcome struct {
	p   float64
	hit bool
}

// ranking draws ROC and precision against recall, one class against the rest: true or 1 or the second of two classes,
// or each of the up to five commonest.
func (p *paper) ranking(t *engine.TaskStatus, answers []Answered) {
	n := map[string]int{}
	for _, a := range answers {
		n[a.Truth]++
	}
	var shown []string
	for _, c := range t.Classes {
		if n[c] > 0 && n[c] < len(answers) {
			shown = append(shown, c)
		}
	}
	slices.SortStableFunc(shown, func(a, b string) int { return n[b] - n[a] })
	if len(t.Classes) == 2 {
		positive := t.Classes[1]
		if first := t.Classes[0]; first == "true" || first == "1" {
			positive = first
		}
		shown = slices.DeleteFunc(shown, func(c string) bool { return c != positive })
	}
	shown = shown[:min(len(shown), 5)]
	styles := []string{"rolling", "frozen", "same", "base", "own"}
	var roc, pr []line
	for i, c := range shown {
		var all []outcome
		for _, a := range answers {
			if q, ok := a.Probabilities[c]; ok && !math.IsNaN(q) {
				all = append(all, outcome{q, a.Truth == c})
			}
		}
		r, q, area := curves(all)
		if r == nil {
			continue
		}
		roc = append(roc, line{fmt.Sprintf("%s (area %.4f)", brief(c), area), styles[i], r})
		pr = append(pr, line{brief(c), styles[i], q})
	}
	if roc != nil {
		p.plot("ROC", "false positive rate", "true positive rate",
			append(roc, line{"", "grid", [][2]float64{{0, 0}, {1, 1}}}))
		p.plot("Precision and recall", "recall", "precision", append(pr, corners()))
	}
}

// curves are the ROC curve, precision against recall, and the area under the first (equal probabilities count as one
// step).
func curves(all []outcome) (roc, pr [][2]float64, area float64) {
	var pos, neg float64
	for _, o := range all {
		if o.hit {
			pos++
		} else {
			neg++
		}
	}
	if pos == 0 || neg == 0 {
		return nil, nil, 0
	}
	slices.SortStableFunc(all, func(a, b outcome) int {
		switch {
		case a.p > b.p:
			return -1
		case a.p < b.p:
			return 1
		}
		return 0
	})
	roc = append(roc, [2]float64{0, 0})
	var tp, fp float64
	for i, o := range all {
		if o.hit {
			tp++
		} else {
			fp++
		}
		if i+1 < len(all) && all[i+1].p == o.p {
			continue
		}
		last := roc[len(roc)-1]
		next := [2]float64{fp / neg, tp / pos}
		area += (next[0] - last[0]) * (next[1] + last[1]) / 2
		roc = append(roc, next)
		pr = append(pr, [2]float64{tp / pos, tp / (tp + fp)})
	}
	return thin(roc), thin(pr), area
}

// thin keeps at most some 300 points, the ends among them.
func thin(points [][2]float64) [][2]float64 {
	step := len(points)/300 + 1
	var out [][2]float64
	for i := 0; i < len(points); i += step {
		out = append(out, points[i])
	}
	if (len(points)-1)%step != 0 {
		out = append(out, points[len(points)-1])
	}
	return out
}

// calibration draws how often the predicted label was right, by the probability that it was given, in ten bins.
func (p *paper) calibration(answers []Answered) {
	var sum, hit, n [10]float64
	for _, a := range answers {
		if !(a.Score >= 0 && a.Score <= 1) {
			continue
		}
		k := min(9, int(a.Score*10))
		sum[k] += a.Score
		n[k]++
		if a.Prediction == a.Truth {
			hit[k]++
		}
	}
	l := line{name: "right, by the probability given", class: "rolling"}
	total, off := 0.0, 0.0
	for k := range n {
		if n[k] > 0 {
			if n[k] >= 10 || len(answers) < 200 { // the share of a handful says nothing
				l.points = append(l.points, [2]float64{sum[k] / n[k], hit[k] / n[k]})
			}
			total += n[k]
			off += math.Abs(sum[k] - hit[k])
		}
	}
	if total > 0 {
		p.plot(fmt.Sprintf("Calibration, expected error %.3f", off/total), "probability given", "share that was right",
			[]line{l, {"", "grid", [][2]float64{{0, 0}, {1, 1}}}})
	}
}
