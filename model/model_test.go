package model

import (
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/tidemilltest"
)

// dense is the kinds that take number columns only.
func dense() map[string]func() tidemill.Model {
	return map[string]func() tidemill.Model{
		"majority":       Majority,
		"no_change":      NoChange,
		"mean":           Mean,
		"gaussian_nb":    GaussianNB,
		"hoeffding_tree": func() tidemill.Model { return HoeffdingTree() },
		"kmeans":         func() tidemill.Model { return KMeans(3) },
		"kmeans spark": func() tidemill.Model {
			return KMeans(3, func(c *KMeansConfig) { c.Batch, c.StreamBatch, c.Start = 17, 5, "random" })
		},
		"kmeans flink": func() tidemill.Model {
			return KMeans(3, func(c *KMeansConfig) { c.Rule, c.StartRows = "flink", 40 })
		},
	}
}

func linears() map[string]func() tidemill.Model {
	return map[string]func() tidemill.Model{
		"linear":            func() tidemill.Model { return Linear() },
		"linear adam":       func() tidemill.Model { return Linear(Adam(0.1)) },
		"logistic":          func() tidemill.Model { return Logistic(SGD(0.01)) },
		"logistic momentum": func() tidemill.Model { return Logistic(Momentum(0.1)) },
		"logistic adagrad":  func() tidemill.Model { return Logistic(AdaGrad(0.1), L2(0.01)) },
		"logistic rmsprop":  func() tidemill.Model { return Logistic(RMSProp(0.1)) },
		"logistic l1":       func() tidemill.Model { return Logistic(SGD(0.1), L1(0.01)) },
		"logistic ftrl":     func() tidemill.Model { return Logistic(FTRL(0.05)) },
		"softmax":           func() tidemill.Model { return Softmax() },
		"softmax adam":      func() tidemill.Model { return Softmax(Adam(0.1)) },
	}
}

func TestModels(t *testing.T) {
	for name, made := range dense() {
		t.Run(name, func(t *testing.T) { tidemilltest.Model(t, made) })
	}
	for name, made := range linears() {
		t.Run(name, func(t *testing.T) {
			tidemilltest.ModelWith(t, tidemilltest.ModelCase{New: made, Terms: true})
		})
	}
}

// A model that would not read sparse terms says so, with the mend.
func TestModelsRefuseTerms(t *testing.T) {
	in := tidemill.Input{Columns: tidemilltest.ModelColumns(), Classes: 3, Terms: true}
	for name, m := range map[string]tidemill.Model{"gaussian_nb": GaussianNB(), "hoeffding_tree": HoeffdingTree(), "kmeans": KMeans(3), "mlp": MLP()} {
		if err := m.Bind(in); err == nil || !strings.HasPrefix(err.Error(), name+" takes no sparse terms") || !strings.Contains(err.Error(), "hasheddense") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// Of a million categories a bound is kept, and it is said which column reached it, also after a restart.
func TestModelsSayTheirBoundOfCategories(t *testing.T) {
	in := tidemill.Input{Columns: []tidemill.FeatureColumn{{Name: "size"}, {Name: "visitor", Nominal: true}}, Classes: 2}
	for name, made := range map[string]func() tidemill.Model{"gaussian_nb": GaussianNB, "hoeffding_tree": func() tidemill.Model {
		return HoeffdingTree(func(c *HoeffdingTreeConfig) { c.GracePeriod = 1e6 }) // one leaf that observes everything
	}} {
		m := made()
		if err := m.Bind(in); err != nil {
			t.Fatal(err)
		}
		said := func(m tidemill.Model) string { return strings.Join(m.(tidemill.Warner).Warnings(), "; ") }
		for i := range 20000 {
			m.Learn(example([]float64{1, float64(i)}, float64(i%2)))
			if i == 10000 && said(m) != "" {
				t.Errorf("%s: warns of 10,000 categories: %s", name, said(m))
			}
		}
		const want = "column visitor has 16384 categories, the bound: further ones are not told apart"
		if said(m) != want {
			t.Errorf("%s: says %q", name, said(m))
		}
		again := made()
		if err := again.Bind(in); err != nil {
			t.Fatal(err)
		}
		if err := again.UnmarshalBinary(tidemilltest.StateBytes(t, m)); err != nil {
			t.Fatal(err)
		}
		if said(again) != want {
			t.Errorf("%s: says %q after a restart", name, said(again))
		}
	}
}

// The kinds that take categories.
func TestModelsOfCategories(t *testing.T) {
	columns := []tidemill.FeatureColumn{{Name: "size"}, {Name: "fruit", Nominal: true}, {Name: "weight"}}
	rng := splitMix(11)
	var rows []tidemill.Example
	for i := range 2000 {
		c := float64(i % 3)
		rows = append(rows, *example([]float64{rng.normal() + c, float64(rng.next()%5) + 3*c, rng.normal()}, c))
	}
	least := map[string]int{"gaussian_nb": 1500, "hoeffding_tree": 1500, "hoeffding_tree binary": 1000}
	for name, made := range map[string]func() tidemill.Model{
		"gaussian_nb": GaussianNB,
		"hoeffding_tree": func() tidemill.Model {
			return HoeffdingTree(func(c *HoeffdingTreeConfig) { c.GracePeriod, c.Delta = 40, 0.01 })
		},
		"hoeffding_tree binary": func() tidemill.Model {
			return HoeffdingTree(func(c *HoeffdingTreeConfig) { c.GracePeriod, c.Delta, c.BinarySplit = 40, 0.01, true })
		},
	} {
		t.Run(name, func(t *testing.T) {
			tidemilltest.ModelWith(t, tidemilltest.ModelCase{New: made, Columns: columns, Rows: rows,
				Learns: func(t *testing.T, m tidemill.Model, rows []tidemill.Example) {
					right := 0
					for i := range rows {
						if largest(m.Predict(nil, rows[i].X)) == int(rows[i].Y[0]) {
							right++
						}
					}
					if right < least[name] {
						t.Errorf("%d of 2000 right", right)
					}
				}})
		})
	}
}
