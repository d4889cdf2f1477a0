package model

import "testing"

// The figures of River 0.26.1 on the same rows. River answers the first by the alphabet among classes of equal
// probability; classes as they come is River with the classes numbered so.
func TestHoeffdingTreeStreams(t *testing.T) {
	elec2, phishing := elec2(t), phishing(t)
	for _, c := range []struct {
		name      string
		s         *stream
		delay     int
		acc, loss float64
	}{
		{"elec2", elec2, 0, 79.8504, .735112169},
		{"elec2 48 late", elec2, 48, 76.5244, 0},
		{"elec2 500 late", elec2, 500, 74.0181, 0},
		{"phishing", phishing, 0, 87.9904, 0},
		{"phishing 48 late", phishing, 48, 87.6872, 0},
		{"phishing 500 late", phishing, 500, 88.1333, 0},
		{"bananas", bananas(t), 0, 64.3140, 0},
		{"segments", imageSegments(t, true), 0, 77.8259, 2.115776452},
		{"segments as they come", imageSegments(t, false), 0, 77.8692, 2.115776452},
	} {
		f := validate(t, HoeffdingTree(), c.s, c.delay)
		near(t, c.name+" accuracy", f.accuracy(), c.acc, 5e-5)
		if c.loss > 0 {
			near(t, c.name+" log loss", f.logLoss(), c.loss, 1e-9)
		}
		t.Logf("%s %d %.4f %.9f", c.name, f.n, f.accuracy(), f.logLoss())
	}
	m := HoeffdingTree()
	validate(t, m, elec2, 0)
	if tests, leaves, height := m.(*hoeffding).Size(); tests+leaves != 49 || leaves != 25 || height != 9 {
		t.Errorf("%d tests, %d leaves, height %d; want 24, 25, 9", tests, leaves, height)
	}
}
