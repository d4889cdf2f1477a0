package score

import (
	"errors"
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// R2Config is the coefficient of determination: 1 is perfect, 0 no better than the mean of the truths.
type R2Config struct{}

// NewR2Config is the config with its defaults.
func NewR2Config() *R2Config { return &R2Config{} }

// Build makes the score; it never fails.
func (*R2Config) Build(string) (tidemill.Score, error) { return R2(), nil }

// R2 is 1 - Σ(truth-prediction)² / Σ(truth-mean)², the mean being that of all truths so far (Welford's recurrence with
// weights). NaN with fewer than two answers; 0 where all truths are equal.
func R2() *Total { return total(&r2{}) }

type r2 struct {
	answers               uint64
	n, mean, spread, left float64
}

func (f *r2) name() string     { return "r2" }
func (f *r2) describe() string { return "r2" }
func (f *r2) empty() figure    { return &r2{} }

func (f *r2) kinds() []tidemill.ModelKind { return regressors }

func (f *r2) take(a *tidemill.Answer) (item, bool) {
	p, t, ok := errorOf(a)
	left := (p - t) * (p - t)
	return item{a: left, b: t}, ok && !math.IsInf(left, 0) && !math.IsInf(t, 0)
}

func (f *r2) fold(it item, w float64) {
	n := f.n + w
	mean := f.mean + (it.b-f.mean)*(w/n)
	spread := f.spread + float64(w*float64((it.b-f.mean)*(it.b-mean)))
	left := f.left + float64(w*it.a)
	if math.IsInf(spread, 0) || math.IsInf(left, 0) || spread != spread {
		return
	}
	f.answers++
	f.n, f.mean, f.spread, f.left = n, mean, spread, left
}

func (f *r2) value() float64 {
	if f.answers < 2 {
		return math.NaN()
	}
	if f.spread == 0 {
		return 0
	}
	return 1 - f.left/f.spread
}

func (f *r2) scale(by float64) { f.n, f.spread, f.left = f.n*by, f.spread*by, f.left*by }

func (f *r2) appendState(b []byte) []byte {
	b = statebytes.AppendUint(b, f.answers)
	return statebytes.AppendFloat(statebytes.AppendFloat(statebytes.AppendFloat(statebytes.AppendFloat(b, f.n),
		f.mean), f.spread), f.left)
}

func (f *r2) readState(r *statebytes.Reader) {
	f.answers = r.Uint()
	f.n, f.mean, f.spread, f.left = r.Weight(), r.Finite(), r.Finite(), r.Weight()
	if (f.answers == 0) != (f.n == 0) {
		r.Fail(errors.New("its count and its weight do not agree"))
	}
}
