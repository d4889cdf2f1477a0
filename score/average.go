package score

import (
	"fmt"
	"math"
	"slices"

	"github.com/tidemill/tidemill"
)

// averages are the ways in which a figure per class becomes one.
var averages = []string{"auto", "positive", "macro", "micro", "weighted"}

func checkAverage(name, average string) error {
	if !slices.Contains(averages, average) {
		return fmt.Errorf("%s: average is %q; say auto, positive, macro, micro or weighted", name, average)
	}
	return nil
}

// perClass makes a figure of each class one number. A class counts once it was true or predicted; one for which the
// figure has no answer (precision of a class that was never predicted) is 0, as in scikit-learn.
func perClass(name, average string, of func(right, predicted, truth float64) float64) *Total {
	settings := ""
	if average != "auto" {
		settings = "average=" + average
	}
	figure := func(right, predicted, truth float64) float64 {
		if v := of(right, predicted, truth); v == v {
			return v
		}
		return 0
	}
	averaged := func(f *confusion, average string) float64 {
		right, predicted, truth := f.c.margins()
		if average == "auto" {
			average = "macro"
			if f.positive >= 0 && f.c.size <= 2 {
				average = "positive"
			}
		}
		if average == "positive" {
			p := int(f.positive)
			if p < 0 {
				return math.NaN()
			}
			if p >= f.c.size {
				return 0
			}
			return figure(right[p], predicted[p], truth[p])
		}
		var r, p, t, sum, n float64
		for c := range right {
			if predicted[c] == 0 && truth[c] == 0 {
				continue
			}
			w := 1.0
			if average == "weighted" {
				w = truth[c]
			}
			sum += float64(w * figure(right[c], predicted[c], truth[c]))
			n += w
			r, p, t = r+right[c], p+predicted[c], t+truth[c]
		}
		if average == "micro" {
			return figure(r, p, t)
		}
		return sum / n
	}
	return total(&confusion{label: name, settings: settings, positive: -1,
		of: func(f *confusion) float64 { return averaged(f, average) },
		more: func(f *confusion, labels []string) (out []tidemill.NamedValue) {
			right, predicted, truth := f.c.margins()
			for c := range min(len(right), maxDetails) {
				label := fmt.Sprint(c)
				if c < len(labels) {
					label = labels[c]
				}
				out = append(out, tidemill.NamedValue{Name: name + " of " + label, Value: figure(right[c], predicted[c], truth[c])})
			}
			for _, a := range []string{"macro", "micro", "weighted"} {
				if f.c.n > 0 {
					out = append(out, tidemill.NamedValue{Name: name + " " + a, Value: averaged(f, a)})
				}
			}
			return out
		}})
}

// maxDetails is how many classes are listed one by one.
const maxDetails = 1024
