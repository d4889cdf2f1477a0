package engine

import (
	"fmt"
	"math"
	"strconv"

	"github.com/tidemill/tidemill"
)

// truth reads a label: the class's index or the value, and its text. A label that an open set of classes does not have
// is added to it, also where the answer only evaluates.
func (t *task) truth(lab tidemill.Value) (y float64, text string, err error) {
	if t.kind == tidemill.Regress || t.kind == tidemill.Anomaly && lab.Kind() != tidemill.KindText {
		f, ok := lab.Number()
		if !ok || math.IsNaN(f) || math.IsInf(f, 0) {
			return 0, "", &tidemill.RowError{Reason: fmt.Sprintf("its label %q is not a finite number", lab.String())}
		}
		return f, strconv.FormatFloat(f, 'g', -1, 64), nil
	}
	if f, ok := lab.Number(); lab.Kind() == tidemill.KindFloat && ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		return 0, "", &tidemill.RowError{Reason: "its label is not a finite number"}
	}
	var buf [64]byte
	b := lab.AppendText(buf[:0])
	if _, known := t.learner.classes.find(b); !known {
		if err := t.flush(); err != nil { // what came before is asked and scored among the classes of its time
			return 0, "", err
		}
	}
	k, ok := t.learner.classes.learn(b)
	if !ok && !t.learner.classes.fixed {
		return 0, "", &tidemill.RowError{Reason: fmt.Sprintf("its label %q would be class %d: an open set has at most %d; "+
			"name them with `classes:`, or predict a number", b, classesMax+1, classesMax)}
	}
	if !ok {
		return 0, "", &tidemill.RowError{Reason: fmt.Sprintf("its label %q is not one of the classes %v",
			string(b), t.learner.classes.labels)}
	}
	return float64(k), t.learner.classes.labels[k], nil
}
