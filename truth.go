package tidemill

import (
	"fmt"
	"math"
	"strconv"
)

// truth reads a label: the class's index (adding the class if it may teach) or the value, and its text.
func (t *taskState) truth(lab Value, teach bool) (y float64, text string, err error) {
	if t.kind == Regress || t.kind == Anomaly && lab.kind != KindText {
		f, ok := lab.Number()
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, "", &RowError{Reason: fmt.Sprintf("its label %q is not a finite number", lab.String())}
		}
		return f, strconv.FormatFloat(f, 'g', -1, 64), nil
	}
	if f, ok := lab.Number(); lab.kind == KindFloat && ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return 0, "", &RowError{Reason: "its label is not a finite number"}
	}
	var buf [64]byte
	b := lab.AppendText(buf[:0])
	if teach || t.classes.fixed || t.kind == Cluster {
		k, ok := t.classes.learn(b)
		if !ok {
			return 0, "", &RowError{Reason: fmt.Sprintf("its label %q is not one of the classes %v", b, t.classes.labels)}
		}
		return float64(k), t.classes.labels[k], nil
	}
	if k, ok := t.classes.find(b); ok {
		return float64(k), t.classes.labels[k], nil
	}
	return -1, string(b), nil // never taught: counts as wrong
}
