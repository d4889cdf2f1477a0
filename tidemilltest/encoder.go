package tidemilltest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/tidemill/tidemill"
)

// EncoderColumns are the columns of the vectors that Encoder learns from: three numbers (the third is constant), one
// that is scaled already, two one-hot nominal ones and a nominal one that is not.
func EncoderColumns() []tidemill.FeatureColumn {
	return []tidemill.FeatureColumn{
		{Name: "distance"},
		{Name: "carrier", Nominal: true, OneHot: true},
		{Name: "hour"},
		{Name: "pixel", Scaled: true},
		{Name: "origin", Nominal: true, OneHot: true},
		{Name: "constant"},
		{Name: "colour", Nominal: true},
	}
}

// EncoderVectors is n vectors of EncoderColumns with a class each (0 or 1), the same ones at every call: one number in
// seven is NaN, some are large, and new categories go on coming.
func EncoderVectors(n int) (xs []*tidemill.Vector, ys [][]float64) {
	r := rand.New(rand.NewPCG(11, 12))
	for i := range n {
		code := func(kinds int) float64 { return tidemill.Code(fmt.Appendf(nil, "c%d", r.IntN(kinds+i/10))) }
		x := &tidemill.Vector{Dense: []float64{
			r.NormFloat64()*1000 + 500, code(3), float64(r.IntN(24)), float64(r.IntN(256)) / 255, code(2), 7, code(4),
		}}
		for k := range x.Dense {
			if r.IntN(7) == 0 {
				x.Dense[k] = math.NaN()
			}
		}
		if i%50 == 49 {
			x.Dense[0] = 1e15
		}
		if i%3 == 0 {
			x.Terms = []tidemill.Term{{Hash: uint64(i % 5), Value: 1}, {Hash: 99, Value: .5}}
		}
		xs = append(xs, x)
		ys = append(ys, []float64{float64(r.IntN(2))})
	}
	return xs, ys
}

// Encoder checks the laws of tidemill.Encoder: the columns that Bind promises; Apply is a pure read that overwrites dst
// wholly and leaves x alone; Learn keeps and changes nothing of x; New is unlearned; the state survives a restart at
// any row, bit for bit; broken states are errors. It binds EncoderColumns.
func Encoder(t *testing.T, made func() tidemill.Encoder) {
	t.Helper()
	h := &encoderTest{made: made}
	h.xs, h.ys = EncoderVectors(300)
	t.Run("columns", h.columns)
	t.Run("stream", h.stream)
	t.Run("without an answer", h.withoutAnswer)
	t.Run("finite", h.finite)
	t.Run("broken state", h.brokenState)
}

type encoderTest struct {
	made func() tidemill.Encoder
	xs   []*tidemill.Vector
	ys   [][]float64
}

// bind binds e to EncoderColumns, with sparse terms or without.
func (h *encoderTest) bind(t *testing.T, e tidemill.Encoder, terms bool) tidemill.Input {
	t.Helper()
	in := tidemill.Input{Columns: EncoderColumns(), Classes: 2, Terms: terms}
	out, err := e.Bind(in)
	if err != nil {
		t.Fatalf("Bind: %v", err)
	}
	if !slices.Equal(in.Columns, EncoderColumns()) {
		t.Fatal("Bind changed the columns it was given")
	}
	if out.Classes != in.Classes {
		t.Fatal("Bind does not pass the number of classes on")
	}
	return out
}

// bound is a new encoder that knows its columns.
func (h *encoderTest) bound(t *testing.T) (tidemill.Encoder, tidemill.Input) {
	t.Helper()
	e := h.made()
	return e, h.bind(t, e, true)
}

func (h *encoderTest) columns(t *testing.T) {
	_, out := h.bound(t)
	seen := map[string]bool{}
	for _, c := range out.Columns {
		if c.Name == "" || seen[c.Name] {
			t.Errorf("two outgoing columns are named %q", c.Name)
		}
		seen[c.Name] = true
	}
	e := h.made()
	if e.Describe() == "" {
		t.Error("the encoder does not describe its settings")
	}
	if _, err := e.Bind(tidemill.Input{}); err != nil {
		return // an encoder may need a column
	}
	var dst tidemill.Vector
	x := &tidemill.Vector{Terms: []tidemill.Term{{Hash: 1, Value: 2}}}
	e.Learn(x, []float64{1})
	e.Apply(&dst, x)
}

// stream learns in two encoders, one of which is restarted often, and given memory that is overwritten afterwards.
func (h *encoderTest) stream(t *testing.T) {
	plain, out := h.bound(t)
	dense := h.bind(t, h.made(), false) // what it says where no terms come in
	empty := StateBytes(t, plain)
	restarted, _ := h.bound(t)
	var a, b tidemill.Vector
	for i, x := range h.xs {
		if i%41 == 0 {
			saved := StateBytes(t, restarted)
			restarted, _ = h.bound(t)
			restore(t, restarted, saved)
		}
		before := x.Clone()
		saved := StateBytes(t, plain)
		plain.Apply(&a, x)
		if len(a.Dense) != len(out.Columns) {
			t.Fatalf("row %d: Apply gives %d dense columns, Bind said %d", i, len(a.Dense), len(out.Columns))
		}
		if len(a.Terms) > 0 && (!out.Terms || len(x.Terms) == 0 && !dense.Terms) {
			t.Fatalf("row %d: it gives sparse terms, and Bind did not say so", i)
		}
		b = tidemill.Vector{Dense: []float64{1, 2, 3}, Terms: []tidemill.Term{{Hash: 5, Value: 5}}} // dirty
		restarted.Apply(&b, x)
		if !sameVector(&a, &b) {
			t.Fatalf("row %d: %v after a restart or into a used vector, %v without", i, b, a)
		}
		if !bytes.Equal(saved, StateBytes(t, plain)) {
			t.Fatalf("row %d: Apply changed the state", i)
		}
		plain.Learn(x, h.ys[i])
		if !sameVector(x, before) || !learnsFromLoan(restarted, x, h.ys[i]) {
			t.Fatalf("row %d: Learn or Apply changed its input", i)
		}
	}
	if !bytes.Equal(StateBytes(t, plain), StateBytes(t, restarted)) {
		t.Error("restarts or reused memory are visible in the state")
	}
	fresh := plain.New()
	h.bind(t, fresh, true)
	if !bytes.Equal(StateBytes(t, fresh), empty) {
		t.Error("New of a learned encoder is not unlearned")
	}
	concurrently(t, func() {
		var v tidemill.Vector
		for _, x := range h.xs[:50] {
			plain.Apply(&v, x)
		}
	})
}

// learnsFromLoan lets e learn from copies, says whether they are unchanged, and then overwrites them.
func learnsFromLoan(e tidemill.Encoder, x *tidemill.Vector, answer []float64) bool {
	loan, y := x.Clone(), slices.Clone(answer)
	e.Learn(loan, y)
	same := sameVector(loan, x) && y[0] == answer[0]
	for k := range loan.Dense {
		loan.Dense[k] = -3
	}
	for k := range loan.Terms {
		loan.Terms[k] = tidemill.Term{}
	}
	y[0] = -3
	return same
}

func (h *encoderTest) withoutAnswer(t *testing.T) {
	e, _ := h.bound(t)
	if e.Supervised() {
		e.Learn(h.xs[0], []float64{math.NaN()})
	}
	var dst tidemill.Vector
	for _, x := range h.xs[:20] {
		e.Learn(x, nil)
		e.Apply(&dst, x)
	}
}

func (h *encoderTest) finite(t *testing.T) {
	e, _ := h.bound(t)
	xs, ys := EncoderVectors(300)
	var dst tidemill.Vector
	for i, x := range xs {
		for k := range x.Dense {
			x.Dense[k] = math.NaN()
		}
		if i%2 == 0 {
			x.Dense[0], x.Dense[2], x.Dense[5] = math.MaxFloat64, -math.MaxFloat64, 5e-324
		}
		e.Learn(x, ys[i])
		e.Apply(&dst, x)
		for _, v := range dst.Dense {
			if math.IsInf(v, 0) {
				t.Fatalf("row %d: finite input became %v", i, dst.Dense)
			}
		}
	}
	xs, ys = EncoderVectors(300)
	for i, x := range xs { // and it still learns
		e.Learn(x, ys[i])
		e.Apply(&dst, x)
	}
	saved := StateBytes(t, e)
	next, _ := h.bound(t)
	restore(t, next, saved)
}

func (h *encoderTest) brokenState(t *testing.T) {
	e, _ := h.bound(t)
	for i, x := range h.xs[:100] {
		e.Learn(x, h.ys[i])
	}
	hostile(t, func() tidemill.State { e, _ := h.bound(t); return e }, StateBytes(t, e))
}

func sameVector(a, b *tidemill.Vector) bool {
	return slices.EqualFunc(a.Dense, b.Dense, sameBits) && slices.Equal(a.Terms, b.Terms)
}

// concurrently runs f in several goroutines at once: the race detector sees what is not a pure read.
func concurrently(t *testing.T, f func()) {
	t.Helper()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(f)
	}
	wg.Wait()
}
