package tidemilltest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemill/tidemill"
)

// Score checks the laws of tidemill.Score: NaN until it is defined; it is defined for the kinds of models that it
// suits, and for no others; New is empty; Update keeps nothing of the answer;
// Value is pure; the state survives a restart at any answer, bit for bit; broken states are errors.
func Score(t *testing.T, made func() tidemill.Score) {
	t.Helper()
	name := made().Name()
	if name == "" {
		t.Error("the score has no name")
	}
	if v := made().Value(); !math.IsNaN(v) {
		t.Errorf("an empty %s is %v; it is NaN until it is defined", name, v)
	}
	if made().Describe() == "" {
		t.Errorf("%s does not describe its settings", name)
	}
	suits := false
	for _, kind := range []tidemill.ModelKind{tidemill.Classify, tidemill.Regress, tidemill.Cluster, tidemill.Anomaly} {
		t.Run(kind.String(), func(t *testing.T) {
			s := made()
			suits = suits || s.Suits(kind)
			if defined := scoreStream(t, made, Answers(kind, 400)); defined != s.Suits(kind) {
				t.Errorf("Suits says %v, and it is %v that there is a figure", s.Suits(kind), defined)
			}
		})
	}
	if !suits {
		t.Errorf("%s suits no kind of model", name)
	}
	t.Run("one class", func(t *testing.T) {
		as := Answers(tidemill.Classify, 50)
		for i := range as {
			as[i].Truth, as[i].Unseen = 0, false
		}
		scoreStream(t, made, as)
	})
	t.Run("odd answers", func(t *testing.T) { scoreOdd(t, made) })
	t.Run("broken state", func(t *testing.T) {
		s := made()
		for _, k := range []tidemill.ModelKind{tidemill.Classify, tidemill.Regress, tidemill.Cluster, tidemill.Anomaly} {
			as := Answers(k, 60)
			for i := range as {
				s.Update(&as[i])
			}
		}
		hostile(t, func() tidemill.State { return made() }, StateBytes(t, s))
	})
}

// scoreStream runs the answers through a score and says whether its value became defined.
func scoreStream(t *testing.T, made func() tidemill.Score, as []tidemill.Answer) bool {
	empty := StateBytes(t, made())
	plain, read := made(), made()
	defined := false
	for i := range as {
		if i%37 == 0 { // a restart
			b := StateBytes(t, read)
			next := made()
			restore(t, next, b)
			if !sameBits(next.Value(), read.Value()) {
				t.Fatalf("after %d answers the restored value is %v, the saved one %v", i, next.Value(), read.Value())
			}
			read = next
		}
		plain.Update(&as[i])
		loan := as[i]
		loan.Prediction = append([]float64(nil), loan.Prediction...)
		read.Update(&loan)
		for k := range loan.Prediction {
			loan.Prediction[k] = -1e9
		}
		if v := read.Value(); !math.IsNaN(v) {
			defined = true
		}
		if d, ok := read.(tidemill.Detailed); ok && i%29 == 0 {
			d.Details(loan.Labels)
			d.Confusion()
		}
	}
	if !sameBits(plain.Value(), read.Value()) || !bytes.Equal(StateBytes(t, plain), StateBytes(t, read)) {
		t.Errorf("restarts, reads or reused memory are visible: %v and %v", plain.Value(), read.Value())
	}
	if b := StateBytes(t, plain.New()); !bytes.Equal(b, empty) {
		t.Error("New of a used score is not empty")
	}
	if plain.New().Name() != plain.Name() {
		t.Error("New has another name")
	}
	return defined
}

// scoreOdd gives what a running flow can give at its worst.
func scoreOdd(t *testing.T, made func() tidemill.Score) {
	nan, inf := math.NaN(), math.Inf(1)
	odd := []tidemill.Answer{
		{Kind: tidemill.Classify, Class: -1, Truth: 0, Positive: -1, Weight: 1},
		{Kind: tidemill.Classify, Class: -1, Prediction: []float64{nan, nan}, Truth: 1, Positive: 1, Weight: 1},
		{Kind: tidemill.Classify, Class: 0, Prediction: []float64{1}, Truth: 5, Unseen: true, Positive: 7, Weight: 1},
		{Kind: tidemill.Classify, Class: 0, Prediction: []float64{1, 0}, Truth: 1, Positive: 1, Weight: 0},
		{Kind: tidemill.Classify, Class: 0, Prediction: []float64{1}, Truth: nan, Positive: -1, Weight: nan},
		{Kind: tidemill.Regress, Class: -1, Truth: 1, Positive: -1, Weight: 1},
		{Kind: tidemill.Regress, Class: -1, Prediction: []float64{nan}, Truth: 1, Positive: -1, Weight: 1},
		{Kind: tidemill.Regress, Class: -1, Prediction: []float64{1}, Truth: nan, Positive: -1, Weight: 1},
		{Kind: tidemill.Regress, Class: -1, Prediction: []float64{inf}, Truth: 1, Positive: -1, Weight: 1},
		{Kind: tidemill.Regress, Class: -1, Prediction: []float64{1e300}, Truth: -1e300, Positive: -1, Weight: 1},
		{Kind: tidemill.Cluster, Class: -1, Prediction: nil, Positive: -1},
		{Kind: tidemill.Cluster, Class: -1, Prediction: []float64{nan, nan}, Positive: -1, Truth: nan},
		{Kind: tidemill.Cluster, Class: 0, Prediction: []float64{0, 0}, Positive: -1, Truth: nan},
		{Kind: tidemill.Anomaly, Class: -1, Prediction: []float64{nan}, Truth: 1, Positive: 1},
	}
	s := made()
	for i := range odd {
		s.Update(&odd[i])
		s.Value()
		next := made()
		restore(t, next, StateBytes(t, s))
	}
}

// Answers is n answers of a model of that kind, the same ones at every call: a binary classifier with the positive
// class 1 first, and three classes from the second half on, the third unseen when it is first asked about.
func Answers(kind tidemill.ModelKind, n int) []tidemill.Answer {
	r := rand.New(rand.NewPCG(uint64(kind), 42))
	as := make([]tidemill.Answer, n)
	for i := range as {
		a := tidemill.Answer{Kind: kind, Class: -1, Weight: 1, Positive: -1,
			X: &tidemill.Vector{Dense: []float64{r.NormFloat64()}}}
		switch kind {
		case tidemill.Classify:
			k := 2
			if i >= n/2 {
				k = 3
			}
			a.Labels = []string{"false", "true", "perhaps"}[:k]
			a.Positive = 1
			a.Prediction = make([]float64, k)
			sum := 0.0
			for c := range a.Prediction {
				a.Prediction[c] = math.Round(r.ExpFloat64()*8) / 8
				sum += a.Prediction[c]
			}
			for c := range a.Prediction {
				if sum > 0 {
					a.Prediction[c] /= sum
				}
			}
			for c, p := range a.Prediction {
				if a.Class < 0 || p > a.Prediction[a.Class] {
					a.Class = c
				}
			}
			a.Truth = float64(r.IntN(k))
			if r.IntN(2) == 0 {
				a.Truth = float64(a.Class)
			}
			if i == n/2 {
				a.Truth, a.Unseen, a.Class, a.Prediction[2] = 2, true, 0, 0
			}
		case tidemill.Regress:
			a.Truth = r.NormFloat64()*10 + 100
			a.Prediction = []float64{a.Truth + r.NormFloat64()}
		case tidemill.Cluster:
			a.Truth = math.NaN()
			a.Prediction = []float64{r.Float64(), r.Float64() + .5, r.Float64() * 2}
			for c, p := range a.Prediction {
				if a.Class < 0 || p < a.Prediction[a.Class] {
					a.Class = c
				}
			}
		case tidemill.Anomaly:
			a.Prediction = []float64{r.Float64()}
			a.Positive = 1
			if a.Prediction[0]+r.Float64() > 1.5 {
				a.Truth = 1
			}
		}
		as[i] = a
	}
	return as
}

// sameBits compares numbers as a replay does: NaN is like NaN, and 0 is not -0.
func sameBits(a, b float64) bool {
	return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b
}

func sameNumbers(a, b []float64) bool { return slices.EqualFunc(a, b, sameBits) }
