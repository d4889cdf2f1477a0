package model

import "testing"

// The figures of River 0.26.1 on the same rows.
func TestNoChangeStreams(t *testing.T) {
	elec2 := elec2(t)
	near(t, "accuracy", validate(t, NoChange(), elec2, 0).accuracy(), 85.3303, 5e-5)
	near(t, "accuracy 48 late", validate(t, NoChange(), elec2, 48).accuracy(), 65.6239, 5e-5)
	near(t, "accuracy 500 late", validate(t, NoChange(), elec2, 500).accuracy(), 47.7394, 5e-5)
}

func TestMajorityAndMean(t *testing.T) {
	a, b := Majority(), Mean()
	for i, y := range []float64{0, 2, 2, 1} {
		e := example([]float64{1}, y)
		e.Weight = float64(i + 1)
		a.Learn(e)
		b.Learn(e)
	}
	for i, want := range []float64{.1, .4, .5} {
		near(t, "share", a.Predict(nil, nil)[i], want, 1e-15)
	}
	near(t, "mean", b.Predict(nil, nil)[0], 1.4, 1e-15)
}
