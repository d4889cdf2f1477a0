package engine

import (
	"fmt"
	"math"
	"strconv"

	"github.com/tidemill/tidemill"
)

// learner is a model with the encoders before it and the classes that it tells apart: what a task teaches. A copy that
// has stopped learning is a baseline, or what readers see while the task learns. There is one way to predict from it
// and one to teach it. Teaching runs alone; predicting beside other predictions, each with an encoding of its own.
type learner struct {
	spec       *tidemill.Task
	kind       tidemill.ModelKind
	raw        []tidemill.FeatureColumn // of the vectors that come in
	columns    []tidemill.FeatureColumn // of the vectors that the model sees
	model      tidemill.Model
	encoders   []tidemill.Encoder
	supervised []bool // encoders that look at the answer: they Apply before they Learn
	classes    *classes
	positive   string
	threshold  float64
}

// encoding is the working memory of one who predicts or teaches.
type encoding struct {
	turn  [2]tidemill.Vector // encoders write into them by turns
	asked tidemill.Block     // rows as they were before they were learned
	block tidemill.Block
}

// newLearner is an untrained learner for vectors of the raw columns.
func newLearner(spec *tidemill.Task, raw []tidemill.FeatureColumn, known *classes) (*learner, error) {
	l := &learner{spec: spec, kind: spec.Model.Kind(), raw: raw, model: spec.Model.New(), classes: known,
		positive: spec.Positive, threshold: spec.Threshold}
	if l.threshold == 0 {
		l.threshold = 0.5
	}
	if spec.Encoders != nil {
		for _, e := range spec.Encoders {
			l.encoders = append(l.encoders, e.New())
		}
	} else if p, ok := l.model.(tidemill.Preparer); ok {
		l.encoders = p.Encoders(raw)
	}
	in := tidemill.Input{Columns: raw, Classes: len(known.fixedLabels())}
	for _, f := range spec.Features {
		_, terms := f.Columns()
		in.Terms = in.Terms || terms
	}
	for _, e := range l.encoders {
		var err error
		if in, err = e.Bind(in); err != nil {
			return nil, fmt.Errorf("task %s: encoder %s: %w", spec.Name, e.Describe(), err)
		}
		l.supervised = append(l.supervised, e.Supervised())
	}
	l.columns = in.Columns
	if err := l.model.Bind(in); err != nil {
		return nil, fmt.Errorf("task %s: model %s: %w", spec.Name, l.model.Describe(), err)
	}
	return l, nil
}

// frozen is a copy as l is now, which nobody teaches. It shares l's classes.
func (l *learner) frozen() (*learner, error) {
	c, err := newLearner(l.spec, l.raw, l.classes)
	if err == nil {
		_, err = l.copyTo(c, nil)
	}
	return c, err
}

// copyTo makes c, a learner of the same task, as l is now, by way of buf's memory.
func (l *learner) copyTo(c *learner, buf []byte) (_ []byte, err error) {
	if buf, err = l.model.AppendBinary(buf[:0]); err != nil {
		return buf, err
	}
	if err := c.model.UnmarshalBinary(buf); err != nil {
		return buf, err
	}
	for i, e := range l.encoders {
		if buf, err = e.AppendBinary(buf[:0]); err != nil {
			return buf, err
		}
		if err := c.encoders[i].UnmarshalBinary(buf); err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// encode applies the encoders in turn; without encoders it is x itself.
func (l *learner) encode(x *tidemill.Vector, s *encoding) *tidemill.Vector {
	a, b := &s.turn[0], &s.turn[1]
	for _, e := range l.encoders {
		e.Apply(a, x)
		x = a
		a, b = b, a
	}
	return x
}

// learnEncoders lets the encoders learn a row and returns it encoded.
func (l *learner) learnEncoders(x *tidemill.Vector, y []float64, s *encoding) *tidemill.Vector {
	a, b := &s.turn[0], &s.turn[1]
	for i, e := range l.encoders {
		if l.supervised[i] {
			e.Apply(a, x)
			e.Learn(x, y)
		} else {
			e.Learn(x, y)
			e.Apply(a, x)
		}
		x = a
		a, b = b, a
	}
	return x
}

// predict appends the prediction for one row.
func (l *learner) predict(dst []float64, x *tidemill.Vector, s *encoding) []float64 {
	return l.model.Predict(dst, l.encode(x, s))
}

// predictAll appends the predictions for rows, each width numbers wide.
func (l *learner) predictAll(dst []float64, xs []tidemill.Vector, s *encoding) (preds []float64, width int) {
	from := len(dst)
	if b, ok := l.model.(tidemill.Batcher); ok && len(xs) > 1 {
		block := l.encodeAll(&s.block, xs, s)
		dst = b.PredictBatch(dst, &block)
	} else {
		for i := range xs {
			dst = l.predict(dst, &xs[i], s)
		}
	}
	return dst, (len(dst) - from) / len(xs)
}

// teach lets encoders and model learn one row; y is empty where the model needs no answer.
func (l *learner) teach(x *tidemill.Vector, y []float64, weight float64, s *encoding) {
	l.model.Learn(&tidemill.Example{X: l.learnEncoders(x, y, s), Y: y, Weight: weight})
}

// teachAgain teaches one row in a later epoch: encoders only apply.
func (l *learner) teachAgain(x *tidemill.Vector, y []float64, weight float64, s *encoding) {
	l.model.Learn(&tidemill.Example{X: l.encode(x, s), Y: y, Weight: weight})
}

// endEpoch is the data's own mark: what is pending steps. more says that another epoch follows.
func (l *learner) endEpoch(more bool) {
	if b, ok := l.model.(tidemill.Batched); ok {
		next := tidemill.Stream
		if more {
			next = tidemill.Snapshot
		}
		b.EndBatch(next)
	}
}

// warnings are what people should know of model and encoders.
func (l *learner) warnings() []string {
	var out []string
	if w, ok := l.model.(tidemill.Warner); ok {
		out = append(out, w.Warnings()...)
	}
	for _, e := range l.encoders {
		if w, ok := e.(tidemill.Warner); ok {
			out = append(out, w.Warnings()...)
		}
	}
	return out
}

// positiveIndex is the positive class: the one named, or of two classes true or 1; -1 where there is none.
func (l *learner) positiveIndex() int {
	if l.positive != "" {
		if k, ok := l.classes.index[l.positive]; ok {
			return k
		}
		return -1
	}
	if len(l.classes.labels) > 2 {
		return -1
	}
	for _, label := range []string{"true", "1"} {
		if k, ok := l.classes.index[label]; ok {
			return k
		}
	}
	return -1
}

// decide is the predicted class: of two classes with a positive one by the threshold, else the likeliest; the nearest
// centre; -1 for other kinds.
func (l *learner) decide(pred []float64) int {
	switch l.kind {
	case tidemill.Classify:
		if len(pred) == 2 && len(l.classes.labels) == 2 && pred[0] == pred[0] {
			if p := l.positiveIndex(); p >= 0 {
				if pred[p] > l.threshold {
					return p
				}
				return 1 - p
			}
		}
		return argmax(pred)
	case tidemill.Cluster:
		return argmin(pred)
	}
	return -1
}

// labelOf is the text of a prediction and its score: the class and its probability, the value,
// the centre and its distance.
func (l *learner) labelOf(pred []float64, class int) (string, float64) {
	switch {
	case len(pred) == 0 || pred[0] != pred[0]:
		return "", math.NaN()
	case l.kind == tidemill.Classify:
		if class < 0 || class >= len(l.classes.labels) {
			return "", math.NaN()
		}
		return l.classes.labels[class], pred[class]
	case l.kind == tidemill.Cluster:
		if class < 0 {
			return "", math.NaN()
		}
		return strconv.Itoa(class), pred[class]
	}
	return strconv.FormatFloat(pred[0], 'g', -1, 64), pred[0]
}
