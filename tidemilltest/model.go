package tidemilltest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemill/tidemill"
)

// ModelCase says how Model treats a model. The zero case, but for New, suits a model of dense numbers.
type ModelCase struct {
	New     func() tidemill.Model
	Terms   bool // the model takes sparse terms
	Columns []tidemill.FeatureColumn
	// with Columns: rows of its own instead of ModelRows; batches are then not tested in float32
	Rows []tidemill.Example
	// Learns, if set, is called with a model that learned all rows: what it must have learned by then.
	Learns func(t *testing.T, m tidemill.Model, rows []tidemill.Example)
}

// Model checks the laws of tidemill.Model. Predict is a pure read, also beside others; Learn keeps nothing of the
// example; the same rows give the same bytes; New is untrained; a restart at any row changes no bit of what follows;
// LearnBatch and PredictBatch give the bits of single rows in whatever cuts; probabilities are probabilities; rows of
// NaN, huge values, odd weights, answers that are no number, one class only and a class that comes late leave a model
// that still answers with numbers; broken states are errors. A model that is refused with an open set of
// classes is bound with three.
func Model(t *testing.T, made func() tidemill.Model) {
	t.Helper()
	ModelWith(t, ModelCase{New: made})
}

// ModelWith is Model with settings.
func ModelWith(t *testing.T, c ModelCase) {
	t.Helper()
	m := modelTest{ModelCase: c}
	if m.Columns == nil {
		m.Columns = ModelColumns()
	}
	if c.New().Bind(tidemill.Input{Columns: m.Columns, Terms: m.Terms}) != nil {
		m.classes = modelClasses
	}
	if c.New().Describe() == "" {
		t.Error("the model does not describe its settings: the engine could not tell that they were edited")
	}
	kind := c.New().Kind()
	t.Run("stream", func(t *testing.T) { m.stream(t, m.rows(kind, 300)) })
	t.Run("repeatable", func(t *testing.T) { m.repeatable(t, m.rows(kind, 200)) })
	t.Run("batch is sequence", func(t *testing.T) { m.batches(t, m.rows(kind, 200)) })
	t.Run("steady", func(t *testing.T) { m.steady(t, m.rows(kind, 200)) })
	t.Run("untrained", func(t *testing.T) { m.untrained(t, m.rows(kind, 60)) })
	t.Run("beside others", func(t *testing.T) {
		rows := m.rows(kind, 150)
		a := m.learned(t, rows)
		concurrently(t, func() {
			var dst []float64
			for i := range rows[:50] {
				dst = a.Predict(dst[:0], rows[i].X)
			}
		})
	})
	for _, o := range odds {
		t.Run(o.name, func(t *testing.T) { m.odd(t, m.rows(kind, 200), o.spoil) })
	}
	if c.Learns != nil {
		t.Run("learns", func(t *testing.T) {
			rows := m.rows(kind, 2000)
			c.Learns(t, m.learned(t, rows), rows)
		})
	}
	t.Run("broken state", func(t *testing.T) {
		hostile(t, func() tidemill.State { return m.bound(t) }, StateBytes(t, m.learned(t, m.rows(kind, 60))))
	})
}

type modelTest struct {
	ModelCase
	classes int
}

func (m *modelTest) bound(t testing.TB) tidemill.Model {
	t.Helper()
	a := m.New()
	if err := a.Bind(tidemill.Input{Columns: slices.Clone(m.Columns), Classes: m.classes, Terms: m.Terms}); err != nil {
		t.Fatalf("Bind with %d classes: %v", m.classes, err)
	}
	return a
}

func (m *modelTest) rows(kind tidemill.ModelKind, n int) []tidemill.Example {
	if m.Rows != nil {
		var es []tidemill.Example
		for i := range min(n, len(m.Rows)) {
			es = append(es, *cloneExample(&m.Rows[i]))
		}
		return es
	}
	es := ModelRows(kind, n)
	if m.Terms {
		es = withTerms(es)
	}
	return es
}

func (m *modelTest) learned(t testing.TB, rows []tidemill.Example) tidemill.Model {
	t.Helper()
	a := m.bound(t)
	for i := range rows {
		a.Learn(&rows[i])
	}
	return a
}

// stream learns row by row, once as it is and once with restarts, borrowed memory and reads in between.
func (m *modelTest) stream(t *testing.T, rows []tidemill.Example) {
	plain, restarted := m.bound(t), m.bound(t)
	for i := range rows {
		e := &rows[i]
		if i%47 == 0 {
			saved := StateBytes(t, restarted)
			next := m.bound(t)
			restore(t, next, saved)
			if !sameNumbers(next.Predict(nil, e.X), restarted.Predict(nil, e.X)) {
				t.Fatalf("row %d: the restored model predicts %v, the saved one %v",
					i, next.Predict(nil, e.X), restarted.Predict(nil, e.X))
			}
			restarted = next
		}
		if i == len(rows)/2 {
			for _, a := range []tidemill.Model{plain, restarted} {
				if b, ok := a.(tidemill.Batched); ok {
					b.EndBatch(tidemill.Stream)
				}
			}
		}
		var saved []byte
		if i%11 == 0 {
			saved = StateBytes(t, restarted)
		}
		before := cloneExample(e)
		p := restarted.Predict([]float64{41, 42}, e.X)
		if len(p) < 2 || p[0] != 41 || p[1] != 42 {
			t.Fatalf("row %d: Predict does not append: %v", i, p)
		}
		p = p[2:]
		if q := restarted.Predict(nil, e.X); !sameNumbers(p, q) {
			t.Fatalf("row %d: Predict gives %v, then %v", i, p, q)
		}
		if !sameVector(e.X, before.X) {
			t.Fatalf("row %d: Predict changed the vector", i)
		}
		if saved != nil && !bytes.Equal(saved, StateBytes(t, restarted)) {
			t.Fatalf("row %d: Predict changed the state", i)
		}
		m.plausible(t, i, p)
		plain.Learn(e)
		if !sameVector(e.X, before.X) || !sameNumbers(e.Y, before.Y) {
			t.Fatalf("row %d: Learn changed the example", i)
		}
		loan := before
		restarted.Learn(loan)
		scribble(loan)
	}
	if !bytes.Equal(StateBytes(t, plain), StateBytes(t, restarted)) {
		t.Error("restarts, predictions or reused memory are visible in the state")
	}
	for i := range rows {
		if p, q := plain.Predict(nil, rows[i].X), restarted.Predict(nil, rows[i].X); !sameNumbers(p, q) {
			t.Fatalf("row %d: %v without restarts, %v with", i, p, q)
		}
	}
}

// plausible checks a prediction's range.
func (m *modelTest) plausible(t *testing.T, row int, p []float64) {
	t.Helper()
	sum, nan := 0.0, false
	for _, v := range p {
		if math.IsInf(v, 0) {
			t.Fatalf("row %d: the prediction is %v", row, p)
		}
		nan = nan || v != v
		sum += v
	}
	if m.New().Kind() != tidemill.Classify || len(p) == 0 || nan {
		return
	}
	for _, v := range p {
		if v < 0 || v > 1+1e-12 {
			t.Fatalf("row %d: %v are no probabilities", row, p)
		}
	}
	if tolerance := 1e-9 + 1e-6*float64(m.single()); len(p) > 1 && math.Abs(sum-1) > tolerance {
		t.Fatalf("row %d: the probabilities %v add up to %v", row, p, sum)
	}
}

// single is 1 for a model in float32.
func (m *modelTest) single() int {
	if b, ok := m.New().(tidemill.Batcher); ok && b.Float32() {
		return 1
	}
	return 0
}

func (m *modelTest) repeatable(t *testing.T, rows []tidemill.Example) {
	a, b := m.learned(t, rows), m.learned(t, rows)
	if !bytes.Equal(StateBytes(t, a), StateBytes(t, b)) {
		t.Error("the same rows give other states: something is not seeded, or follows a map's order")
	}
}

func (m *modelTest) untrained(t *testing.T, rows []tidemill.Example) {
	empty := StateBytes(t, m.bound(t))
	fresh := m.learned(t, rows).New()
	if err := fresh.Bind(tidemill.Input{Columns: m.Columns, Classes: m.classes, Terms: m.Terms}); err != nil {
		t.Fatalf("Bind of New: %v", err)
	}
	if !bytes.Equal(StateBytes(t, fresh), empty) {
		t.Error("New of a trained model is not the untrained one")
	}
	a := m.bound(t)
	p := a.Predict(nil, rows[0].X)
	restore(t, m.bound(t), StateBytes(t, a))
	m.plausible(t, -1, p)
}

func (m *modelTest) batches(t *testing.T, rows []tidemill.Example) {
	if m.Rows != nil && m.single() == 1 {
		return
	}
	single := m.single() == 1
	one := m.bound(t)
	var want []float64 // what Predict gave before each row
	var ends []int
	for i := range rows {
		want = one.Predict(want, rows[i].X)
		ends = append(ends, len(want))
		one.Learn(&rows[i])
	}
	final := StateBytes(t, one)
	r := rand.New(rand.NewPCG(8, 9))
	batcher, ok := one.(tidemill.Batcher)
	if !ok {
		return
	}
	for _, most := range []int{1, 7, 64, len(rows)} {
		a := m.bound(t)
		for i := 0; i < len(rows); {
			n := min(1+r.IntN(most), len(rows)-i)
			if most == len(rows) {
				n = len(rows)
			}
			ask := i%2 == 0 || most == len(rows)
			got := a.(tidemill.Batcher).LearnBatch(nil, block(rows[i:i+n], single, true), ask)
			if !ask && len(got) > 0 {
				t.Fatalf("LearnBatch answers though it was not asked")
			}
			from := 0
			if i > 0 {
				from = ends[i-1]
			}
			if before := want[from:ends[i+n-1]]; ask && !m.sameRows(got, before, n) {
				t.Fatalf("LearnBatch of rows %d to %d predicts %v before each, Predict %v", i, i+n, clip(got), clip(before))
			}
			i += n
		}
		if !bytes.Equal(StateBytes(t, a), final) {
			t.Fatalf("LearnBatch in cuts of at most %d rows gives another state than Learn", most)
		}
	}
	want, ends = want[:0], ends[:0]
	for i := range rows {
		want = one.Predict(want, rows[i].X)
		ends = append(ends, len(want))
	}
	for i := 0; i < len(rows); {
		n := min(1+r.IntN(40), len(rows)-i)
		from := 0
		if i > 0 {
			from = ends[i-1]
		}
		after := want[from:ends[i+n-1]]
		if got := batcher.PredictBatch(nil, block(rows[i:i+n], single, false)); !sameNumbers(got, after) {
			t.Fatalf("PredictBatch of rows %d to %d gives %v, Predict %v", i, i+n, clip(got), clip(after))
		}
		i += n
	}
	if !bytes.Equal(StateBytes(t, one), final) {
		t.Error("PredictBatch changed the state")
	}
}

// steady learns as many rows as a model says that it can, but one: no prediction changes.
func (m *modelTest) steady(t *testing.T, rows []tidemill.Example) {
	a := m.bound(t)
	s, ok := a.(tidemill.Batcher)
	if !ok {
		return
	}
	for i := 0; i < len(rows); {
		n := s.Steady()
		if n < 1 {
			t.Fatalf("row %d: steady for %d rows", i, n)
		}
		before := a.Predict(nil, rows[0].X)
		end := min(i+n, len(rows))
		for ; i < end-1; i++ {
			a.Learn(&rows[i])
		}
		if now := a.Predict(nil, rows[0].X); !sameNumbers(before, now) {
			t.Fatalf("row %d: steady for %d rows, but a prediction has changed before: %v, %v", i, n, clip(before), clip(now))
		}
		a.Learn(&rows[i])
		i++
	}
}

// sameRows compares predictions per row. Where classes came during the batch a row's prediction may be padded to the
// width of the last: by 0, or by NaN where it was not ready.
func (m *modelTest) sameRows(got, want []float64, rows int) bool {
	if len(got) == len(want) {
		return sameNumbers(got, want)
	}
	if len(got)%rows != 0 || m.classes > 0 {
		return false
	}
	k := 0
	for i := range got {
		switch {
		case k < len(want) && sameBits(got[i], want[k]):
			k++
		case got[i] != 0 && got[i] == got[i]:
			return false
		}
	}
	return k == len(want)
}

// clip shortens numbers for a message.
func clip(v []float64) []float64 { return v[:min(len(v), 12)] }

// odds are ways to spoil the rows in the middle of a stream.
var odds = []struct {
	name  string
	spoil func(i int, e *tidemill.Example)
}{
	{"NaN features", func(i int, e *tidemill.Example) {
		for k := range e.X.Dense {
			if (i+k)%3 == 0 || i%17 == 0 {
				e.X.Dense[k] = math.NaN()
			}
		}
	}},
	{"one class only", func(i int, e *tidemill.Example) {
		for k := range e.Y {
			e.Y[k] = 0
		}
	}},
	{"constant rows", func(i int, e *tidemill.Example) {
		for k := range e.X.Dense {
			e.X.Dense[k] = .5
		}
	}},
	{"zero rows", func(i int, e *tidemill.Example) {
		for k := range e.X.Dense {
			e.X.Dense[k] = 0
		}
	}},
	{"large values", func(i int, e *tidemill.Example) {
		if i%9 == 0 {
			e.X.Dense[i%len(e.X.Dense)] = 1e6
		}
	}},
	{"absurd values", func(i int, e *tidemill.Example) {
		if i == 60 || i == 61 {
			e.X.Dense[0] = 1e300
		}
	}},
	{"weights", func(i int, e *tidemill.Example) { e.Weight = []float64{0, 1e-9, 1, 3, 1000}[i%5] }},
	{"answers that are no number", func(i int, e *tidemill.Example) {
		if i%7 == 0 && len(e.Y) > 0 {
			e.Y[0] = math.NaN()
		}
	}},
	{"answers that are no class", func(i int, e *tidemill.Example) {
		if i%7 == 0 && len(e.Y) > 0 {
			e.Y[0] = []float64{-1, .5, 1e18, math.Inf(1), -1e18}[i/7%5]
		}
	}},
	{"a class far out", func(i int, e *tidemill.Example) {
		if i == 77 && len(e.Y) > 0 {
			e.Y[0] = 300
		}
	}},
	{"weights that are no number", func(i int, e *tidemill.Example) {
		if i%7 == 0 {
			e.Weight = []float64{math.NaN(), -1, math.Inf(1)}[i/7%3]
		}
	}},
}

// odd learns rows of which some are spoiled: the model is not poisoned, restores, and its
// bytes do not depend on restarts.
func (m *modelTest) odd(t *testing.T, rows []tidemill.Example, spoil func(i int, e *tidemill.Example)) {
	plain := slices.Clone(rows)
	for i := range plain {
		plain[i] = *cloneExample(&rows[i])
	}
	for i := range rows[:len(rows)*3/4] {
		spoil(i, &rows[i])
	}
	a := m.bound(t)
	for i := range rows {
		p := a.Predict(nil, rows[i].X)
		if i >= len(rows)*3/4 {
			m.plausible(t, i, p)
		}
		a.Learn(&rows[i])
		if i%50 == 49 {
			next := m.bound(t)
			restore(t, next, StateBytes(t, a))
			a = next
		}
	}
	nan := 0
	for i := range plain {
		p := a.Predict(nil, plain[i].X)
		m.plausible(t, i, p)
		for _, v := range p {
			if v != v {
				nan++
			}
		}
	}
	// A model that answered good rows before still does.
	healthy := m.learned(t, plain)
	for i := range plain {
		for _, v := range healthy.Predict(nil, plain[i].X) {
			if v != v {
				nan--
			}
		}
	}
	if nan > 0 {
		t.Errorf("%d predictions for good rows are NaN: the model is poisoned", nan)
	}
}
