package model

import (
	"bytes"
	"testing"

	"github.com/tidemill/tidemill"
)

// fuzzState feeds bytes to made's UnmarshalBinary: they are an error, or a state that writes itself again, learns and
// predicts.
func fuzzState(f *testing.F, columns []tidemill.FeatureColumn, made ...func() tidemill.Model) {
	bound := func(k int) tidemill.Model {
		m := made[k]()
		if columns != nil {
			if err := m.Bind(tidemill.Input{Columns: columns}); err != nil {
				f.Fatal(err)
			}
		}
		return m
	}
	rows := func(m tidemill.Model, n int) {
		rng := splitMix(5)
		for i := range n {
			x := &tidemill.Vector{Dense: make([]float64, max(2, len(columns))), Terms: []tidemill.Term{{Hash: rng.next() % 5, Value: 1}}}
			for j := range x.Dense {
				x.Dense[j] = rng.normal() + float64(i%3)
				if j < len(columns) && columns[j].Nominal {
					x.Dense[j] = float64(rng.next() % 4)
				}
			}
			m.Learn(&tidemill.Example{X: x, Y: []float64{float64(i % 3)}, Weight: 1})
			m.Predict(nil, x)
		}
	}
	for k := range made {
		for _, n := range []int{0, 1, 30, 400} {
			m := bound(k)
			rows(m, n)
			b, err := m.AppendBinary(nil)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(k), b)
		}
	}
	f.Fuzz(func(t *testing.T, k uint8, data []byte) {
		m := bound(int(k) % len(made))
		if m.UnmarshalBinary(data) != nil {
			return
		}
		b, err := m.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		again := bound(int(k) % len(made))
		if err := again.UnmarshalBinary(b); err != nil {
			t.Fatalf("its own bytes: %v", err)
		}
		c, err := again.AppendBinary(nil)
		if err != nil || !bytes.Equal(b, c) {
			t.Fatalf("a restored state writes other bytes (%v)", err)
		}
		rows(m, 3)
	})
}

var twoNumbers = []tidemill.FeatureColumn{{Name: "a"}, {Name: "b"}}

func FuzzLinearState(f *testing.F) {
	fuzzState(f, twoNumbers,
		func() tidemill.Model { return Linear() },
		func() tidemill.Model { return Linear(Adam(0.1)) },
		func() tidemill.Model { return Linear(SGD(0.1), L1(0.01)) })
}

func FuzzLogisticState(f *testing.F) {
	fuzzState(f, twoNumbers,
		func() tidemill.Model { return Logistic() },
		func() tidemill.Model { return Logistic(FTRL(0.05)) },
		func() tidemill.Model { return Softmax(Momentum(0.1)) })
}

func FuzzUnboundState(f *testing.F) {
	fuzzState(f, nil,
		func() tidemill.Model { return Logistic() }, func() tidemill.Model { return Softmax() }, GaussianNB,
		func() tidemill.Model { return KMeans(2) }, func() tidemill.Model { return HoeffdingTree() })
}

func FuzzKMeansState(f *testing.F) {
	fuzzState(f, twoNumbers,
		func() tidemill.Model { return KMeans(2, func(c *KMeansConfig) { c.Batch = 7 }) },
		func() tidemill.Model { return KMeans(2, func(c *KMeansConfig) { c.Rule, c.Start = "flink", "random" }) })
}

func FuzzGaussianNBState(f *testing.F) {
	fuzzState(f, []tidemill.FeatureColumn{{Name: "a"}, {Name: "b", Nominal: true}}, GaussianNB)
}

func FuzzHoeffdingTreeState(f *testing.F) {
	fuzzState(f, []tidemill.FeatureColumn{{Name: "a"}, {Name: "b"}, {Name: "c", Nominal: true}},
		func() tidemill.Model {
			return HoeffdingTree(func(c *HoeffdingTreeConfig) { c.GracePeriod, c.Tau, c.Delta = 20, 0.5, 0.1 })
		})
}

func FuzzBaselineState(f *testing.F) { fuzzState(f, twoNumbers, Majority, NoChange, Mean) }
