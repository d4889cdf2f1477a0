package engine

import (
	"slices"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/encode"
	"github.com/tidemill/tidemill/model"
)

// TestFrozenStandsStill: a frozen copy predicts as the learner did when it was made, behind encoders that learn, and goes on
// doing so while the learner learns. A copy whose state cannot be read is an error.
func TestFrozenStandsStill(t *testing.T) {
	spec := &tidemill.Task{Name: "t", Model: model.Logistic(), Encoders: []tidemill.Encoder{encode.Standard()}}
	l, err := newLearner(spec, []tidemill.FeatureColumn{{Name: "x"}}, newClasses([]string{"false", "true"}))
	if err != nil {
		t.Fatal(err)
	}
	var enc encoding
	at := func(x float64) *tidemill.Vector { return &tidemill.Vector{Dense: []float64{x}} }
	teach := func(rows int) {
		for i := range rows {
			x := float64(i%10) * 100
			y := []float64{0}
			if x > 400 {
				y[0] = 1
			}
			l.teach(at(x), y, 1, &enc)
		}
	}
	teach(300)
	then := l.predict(nil, at(700), &enc)
	f, err := l.frozen()
	if err != nil {
		t.Fatal(err)
	}
	if got := f.predict(nil, at(700), &enc); !slices.Equal(got, then) || then[1] < 0.6 {
		t.Errorf("the copy predicts %v, the learner %v", got, then)
	}
	teach(3000)
	if now := l.predict(nil, at(700), &enc); slices.Equal(now, then) {
		t.Error("the learner has not learned")
	}
	if got := f.predict(nil, at(700), &enc); !slices.Equal(got, then) {
		t.Errorf("the copy predicts %v, and predicted %v when it was frozen", got, then)
	}
	f.teach(at(700), []float64{0}, 1, &enc)
	if now, again := l.predict(nil, at(100), &enc), f.predict(nil, at(100), &enc); slices.Equal(now, again) {
		t.Error("the copy shares its model with the learner")
	}
	spec.Model = oneWay{model.Logistic()}
	if l, err = newLearner(spec, []tidemill.FeatureColumn{{Name: "x"}}, l.classes); err != nil {
		t.Fatal(err)
	}
	if _, err := l.frozen(); err == nil {
		t.Error("a model that cannot be read was copied")
	}
}

// oneWay is a model whose bytes cannot be read again.
type oneWay struct{ tidemill.Model }

func (m oneWay) New() tidemill.Model          { return oneWay{m.Model.New()} }
func (oneWay) UnmarshalBinary(b []byte) error { return tidemill.Fatalf("no model in %d bytes", len(b)) }
