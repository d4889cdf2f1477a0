// Package report writes one HTML file about what a flow has learned: no script, nothing loaded from elsewhere. Gatherer
// reads the answers that it draws from what the flow's sinks have kept.
package report

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill/engine"
)

// Answered is one question with its truth, as the predictions table keeps it: what the pictures of a report that a
// Status cannot draw are made from.
type Answered struct {
	ID            string
	Prediction    string // the label, or the value as a number
	Truth         string
	Score         float64 // the probability of the label, or the value
	Probabilities map[string]float64
	Delay         time.Duration // from question to answer
	Picture       []byte        // grey bytes of the task's picture size, if there are some
}

// Write writes one HTML file about a run: no script, nothing loaded from elsewhere, readable as long as there are
// browsers. answers are by task and may be nil; with them come ROC, precision and recall, calibration, label delays,
// and examples of right and wrong.
func Write(w io.Writer, st *engine.Status, answers map[string][]Answered) error {
	p := &paper{}
	p.write(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" `+
		`content="width=device-width, initial-scale=1">`,
		`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">`,
		`<title>`, esc(st.Flow), ` · Tidemill</title><style>`, reportStyle, `</style></head><body>`)
	p.write(`<header><p>Tidemill report</p><h1>`, esc(st.Flow), `</h1><p>`, esc(st.Source), `</p></header>`)
	figures := []string{"snapshot rows", group(st.Snapshot.Rows), "streamed changes", group(st.Stream.Rows), "outputs",
		group(st.Outputs), "rejects", group(st.Rejected)}
	if c := &st.Checkpoint; c.Loaded {
		// What is read from a checkpoint has no state of its own: whether the flow runs is not known.
		figures = append([]string{"checkpoint", fmt.Sprintf("%d.%d", c.ID.Term, c.ID.Seq), "saved", stamp(c.At)}, figures...)
	} else {
		figures = append([]string{"state", st.State, "from", stamp(st.Started), "to", stamp(st.Now)}, figures...)
	}
	if !st.Clock.IsZero() {
		figures = append(figures, "the flow's clock", stamp(st.Clock))
	}
	p.figures(figures...)
	if st.Position != "" {
		p.write(`<p class="at">at <code>`, esc(string(st.Position)), `</code></p>`)
	}
	if st.Error != "" {
		p.write(`<p class="warn">`, esc(st.Error), `</p>`)
	}
	for i := range st.Tasks {
		p.task(&st.Tasks[i], answers[st.Tasks[i].Name])
	}
	p.rejects(st)
	if len(st.Events) > 0 {
		p.write(`<section><h2>What happened</h2><table>`)
		for _, e := range st.Events {
			p.write(`<tr><td>`, stamp(e.At), `</td><td>`, esc(e.Kind), `</td><td>`, esc(e.Text), `</td></tr>`)
		}
		p.write(`</table></section>`)
	}
	p.write(`</body></html>`, "\n")
	_, err := w.Write(p.b)
	return err
}

//go:embed report.css
var reportStyle string

// paper is a report that is being written.
type paper struct{ b []byte }

// write appends markup; whatever comes out of rows goes through esc first.
func (p *paper) write(parts ...string) {
	for _, s := range parts {
		p.b = append(p.b, s...)
	}
}

// esc is text as markup. Characters that turn round what stands after them are shown as unknown ones: a row must not
// rewrite the words beside it.
func esc(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		if r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return '\ufffd'
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd")))
}

// brief is text of which the beginning does.
func brief(s string) string {
	if r := []rune(s); len(r) > 48 {
		return string(r[:47]) + "…"
	}
	return s
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// group is a count with a comma at every thousand.
func group(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func figure(v *float64) string {
	if v == nil || math.IsNaN(*v) || math.IsInf(*v, 0) {
		return "–"
	}
	if math.Abs(*v) >= 1000 {
		return large(*v)
	}
	return strconv.FormatFloat(*v, 'f', 4, 64)
}

// large writes a number of at least a thousand as people read it: 14,026.4, or 3.2e+17 where nobody can.
func large(v float64) string {
	digits := 1
	switch size := math.Abs(v); {
	case size >= 1e15:
		return strconv.FormatFloat(v, 'g', 5, 64)
	case size >= 1e5:
		digits = 0
	}
	whole, rest, _ := strings.Cut(strconv.FormatFloat(math.Abs(v), 'f', digits, 64), ".")
	n, _ := strconv.ParseUint(whole, 10, 64) // below 1e15
	text := group(n)
	if rest != "" {
		text += "." + rest
	}
	if v < 0 {
		text = "-" + text
	}
	return text
}

// figures writes names and values in turn.
func (p *paper) figures(pairs ...string) {
	p.write(`<dl>`)
	for i := 0; i+1 < len(pairs); i += 2 {
		p.write(`<div><dt>`, esc(pairs[i]), `</dt><dd>`, esc(pairs[i+1]), `</dd></div>`)
	}
	p.write(`</dl>`)
}

func (p *paper) task(t *engine.TaskStatus, answers []Answered) {
	p.write(`<section><h2>`, esc(t.Name), ` <small>`, esc(t.Kind), ` · `, esc(t.Model), ` · version `, esc(t.Version),
		`</small></h2>`)
	for _, w := range t.Warnings {
		p.write(`<p class="warn">`, esc(w), `</p>`)
	}
	c := &t.Counts
	delay := "–"
	if t.LabelDelay != nil {
		// It comes from a histogram: right to one part in 128, so the last digits say nothing.
		d := time.Duration(*t.LabelDelay * float64(time.Second))
		switch {
		case d >= time.Hour:
			d = d.Round(time.Minute)
		case d >= time.Minute:
			d = d.Round(time.Second)
		default:
			d = d.Round(time.Millisecond)
		}
		delay = d.String()
		if *t.LabelDelay == 0 {
			delay = "with the row"
		}
	}
	p.figures("asked", group(c.Asked), "answered", group(c.Answered), "open", group(c.Open), "expired", group(c.Expired),
		"unasked", group(c.Unasked),
		"corrected", group(c.Corrected), "learned", group(c.Learned), "evaluated", group(c.Evaluated), "late",
		group(c.Late), "rejected", group(c.Rejected), "label delay (median)", delay)
	if c.Asked+c.Learned+c.Evaluated == 0 {
		p.write(`<p>No row has been asked about or learned yet.</p></section>`)
		return
	}
	p.curve(t)
	p.scores(t)
	p.confusion(t)
	p.answered(t, answers)
	p.weights(t)
	p.centres(t)
	p.examples(t, answers)
	p.write(`</section>`)
}

func (p *paper) scores(t *engine.TaskStatus) {
	if len(t.Scores) == 0 {
		return
	}
	var bases []string
	for _, s := range t.Scores {
		for b := range s.Baselines {
			if !slices.Contains(bases, b) {
				bases = append(bases, b)
			}
		}
	}
	slices.Sort(bases)
	p.write(`<h3>Scores beside the baselines</h3><div class="wide"><table ` +
		`class="num"><tr><th>score</th><th>phase</th><th>all</th><th>last 1,000</th>`)
	for _, b := range bases {
		p.write(`<th>`, esc(strings.ReplaceAll(b, "_", " ")), `</th>`)
	}
	p.write(`<th>answers</th></tr>`)
	for _, s := range t.Scores {
		if s.Name == "confusion" && slices.ContainsFunc(t.Scores,
			func(x engine.ScoreStatus) bool { return x.Name == "accuracy" && x.Phase == s.Phase }) {
			continue // a matrix, drawn below; its one figure is the accuracy
		}
		p.write(`<tr><td>`, esc(s.Name), `</td><td>`, esc(s.Phase), `</td><td><b>`, figure(s.Value), `</b></td><td><b>`,
			figure(s.Rolling), `</b></td>`)
		for _, b := range bases {
			p.write(`<td>`, figure(s.Baselines[b]), `</td>`)
		}
		p.write(`<td>`, group(s.N), `</td></tr>`)
	}
	p.write(`</table></div>`)
}

// curve draws the first score's learning curve, a plot for each phase: counting begins anew with each.
func (p *paper) curve(t *engine.TaskStatus) {
	if len(t.Scores) == 0 {
		return
	}
	base := "majority"
	if t.Kind == "regress" {
		base = "mean"
	}
	p.write(`<div class="plots">`)
	for _, phase := range []string{"snapshot", "evaluate", "stream"} {
		var lines [5]line
		for i, name := range []string{"since the start", "last 1,000", base, "no change", "frozen copy"} {
			lines[i] = line{name: name, class: []string{"own", "rolling", "base", "same", "frozen"}[i]}
		}
		for _, c := range t.Curve {
			if c.Phase == phase {
				for i, v := range []*float64{c.Value, c.Rolling, c.Baseline, c.NoChange, c.Frozen} {
					if v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) {
						lines[i].points = append(lines[i].points, [2]float64{float64(c.N), *v})
					}
				}
			}
		}
		if len(lines[0].points) > 1 {
			p.plot("Learning curve, "+phase+": "+t.Scores[0].Name, "answers", "", lines[:])
		}
	}
	p.write(`</div>`)
}

func (p *paper) confusion(t *engine.TaskStatus) {
	if len(t.Confusion) == 0 || len(t.Confusion) > 40 {
		return
	}
	label := func(i int) string {
		if i < len(t.Classes) {
			return esc(brief(t.Classes[i]))
		}
		return strconv.Itoa(i)
	}
	p.write(`<h3>Confusion <small>rows: truth, columns: prediction</small></h3><div class="wide"><table ` +
		`class="matrix"><tr><td></td>`)
	for j := range t.Confusion {
		p.write(`<th>`, label(j), `</th>`)
	}
	p.write(`</tr>`)
	for i, row := range t.Confusion {
		var sum uint64
		for _, n := range row {
			sum += n
		}
		p.write(`<tr><th>`, label(i), `</th>`)
		for j, n := range row {
			share := 0.0
			if sum > 0 {
				share = float64(n) / float64(sum)
			}
			hue, text := "179,38,30", ""
			if i == j {
				hue = "10,119,112"
			} else {
				share = math.Sqrt(share)
			}
			if n > 0 {
				text = group(n)
			}
			p.write(`<td style="background:rgba(`, hue, `,`, strconv.FormatFloat(share*0.75, 'f', 3, 64), `)">`, text, `</td>`)
		}
		p.write(`</tr>`)
	}
	p.write(`</table></div>`)
}

func (p *paper) weights(t *engine.TaskStatus) {
	top := 0.0
	for _, w := range t.Weights {
		top = max(top, math.Abs(w.Value))
	}
	if top == 0 {
		return
	}
	p.write(`<h3>Largest weights</h3><table class="num">`)
	for _, w := range t.Weights {
		side := "plus"
		if w.Value < 0 {
			side = "minus"
		}
		p.write(`<tr><td>`, esc(brief(w.Name)), ` <small>`, esc(brief(w.Class)), `</small></td><td class="bar"><i class="`,
			side, `" style="width:`,
			strconv.FormatFloat(50*math.Abs(w.Value)/top, 'f', 1, 64), `%"></i></td><td>`, figure(&w.Value), `</td></tr>`)
	}
	p.write(`</table>`)
}

func (p *paper) rejects(st *engine.Status) {
	if len(st.Rejects) == 0 {
		return
	}
	p.write(`<section><h2>Rejects</h2><table>`)
	for _, r := range st.Rejects {
		p.write(`<tr><td>`, stamp(r.At), `</td><td>`, esc(r.Reason), ` <small>`, esc(r.Position), `</small></td><td>`)
		names := make([]string, 0, len(r.Row))
		for n := range r.Row {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			p.write(`<code>`, esc(n), `=`, esc(r.Row[n]), `</code> `)
		}
		p.write(`</td></tr>`)
	}
	p.write(`</table></section>`)
}
