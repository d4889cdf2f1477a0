package tidemilltest

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tidemill/tidemill"
)

// ModelColumns are the columns of the vectors that Model learns from: four numbers near 0 (the last is constant).
func ModelColumns() []tidemill.FeatureColumn {
	return []tidemill.FeatureColumn{{Name: "a", Scaled: true}, {Name: "b", Scaled: true}, {Name: "c", Scaled: true},
		{Name: "one", Scaled: true}}
}

// modelClasses is the number of classes where a model needs a fixed one.
const modelClasses = 3

// ModelRows is n examples of ModelColumns for a model of that kind, the same ones at every call. Their numbers are
// exact in float32. Classifiers get the classes 0 and 1 that depend on the first two columns, and 2 now and then in the
// second half; regressions get a linear function of the columns; the others get no answer.
func ModelRows(kind tidemill.ModelKind, n int) []tidemill.Example {
	r := rand.New(rand.NewPCG(21, uint64(kind)))
	es := make([]tidemill.Example, n)
	for i := range es {
		x := &tidemill.Vector{Dense: []float64{narrow(r.NormFloat64()), narrow(r.NormFloat64()),
			narrow(r.Float64()*2 - 1), 1}}
		e := tidemill.Example{X: x, Weight: 1}
		switch kind {
		case tidemill.Classify:
			y := 0.0
			if x.Dense[0]+x.Dense[1]/2+r.NormFloat64()/4 > 0 {
				y = 1
			}
			if i >= n/2 && r.IntN(5) == 0 {
				y = 2
				x.Dense[2] = narrow(x.Dense[2] + 3)
			}
			e.Y = []float64{y}
		case tidemill.Regress:
			e.Y = []float64{narrow(2*x.Dense[0] - x.Dense[1] + 3 + r.NormFloat64()/10)}
		case tidemill.Cluster:
			x.Dense[0] = narrow(x.Dense[0] + 6*float64(r.IntN(3)))
		}
		es[i] = e
	}
	return es
}

// withTerms gives each third example sparse terms.
func withTerms(es []tidemill.Example) []tidemill.Example {
	r := rand.New(rand.NewPCG(31, 32))
	for i := range es {
		if r.IntN(3) > 0 {
			es[i].X.Terms = []tidemill.Term{{Hash: tidemill.Hash("word", string(rune('a'+r.IntN(12)))),
				Value: 1}, {Hash: 77, Value: .5}}
		}
	}
	return es
}

func narrow(f float64) float64 { return float64(float32(f)) }

// block cuts rows out of es as one Block.
func block(es []tidemill.Example, single, truth bool) *tidemill.Block {
	b := &tidemill.Block{Rows: len(es), Cols: len(ModelColumns())}
	for i := range es {
		e := &es[i]
		for _, v := range e.X.Dense {
			if single {
				b.Dense32 = append(b.Dense32, float32(v))
			} else {
				b.Dense = append(b.Dense, v)
			}
		}
		if len(e.X.Terms) > 0 && b.Terms == nil {
			b.Terms = make([][]tidemill.Term, len(es))
		}
		if b.Terms != nil {
			b.Terms[i] = e.X.Terms
		}
		if truth && len(e.Y) > 0 {
			b.Y = append(b.Y, e.Y[0])
		}
		if truth && e.Weight != 1 && b.Weight == nil {
			b.Weight = make([]float64, len(es))
			for k := range es {
				b.Weight[k] = es[k].Weight
			}
		}
	}
	return b
}

func cloneExample(e *tidemill.Example) *tidemill.Example {
	return &tidemill.Example{X: e.X.Clone(), Y: slices.Clone(e.Y), Weight: e.Weight}
}

func scribble(e *tidemill.Example) {
	for i := range e.X.Dense {
		e.X.Dense[i] = math.NaN()
	}
	for i := range e.X.Terms {
		e.X.Terms[i] = tidemill.Term{Hash: 1, Value: math.NaN()}
	}
	for i := range e.Y {
		e.Y[i] = math.NaN()
	}
}
