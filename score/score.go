package score

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// item is what is left of an answer once a figure has taken from it what it needs. Its meaning is the figure's own.
type item struct {
	a, b float64
	i, j int32
}

// figure is the arithmetic of one score: it takes an item from an answer and folds items with weights.
type figure interface {
	name() string
	describe() string
	kinds() []tidemill.ModelKind // the models that it has a figure for
	empty() figure
	take(a *tidemill.Answer) (item, bool) // pure
	fold(it item, weight float64)
	value() float64
	appendState(b []byte) []byte
	readState(r *statebytes.Reader)
}

// sums is an upgrade of figure: its state is a sum over items that can be multiplied by a factor, so it can fade.
type sums interface{ scale(by float64) }

// stills is an upgrade of figure whose value and state take long: still is the figure as it is now, for another
// goroutine.
type stills interface{ still() figure }

// Total is a score over all answers since it was made.
type Total struct{ f figure }

func total(f figure) *Total { return &Total{f} }

// Name implements tidemill.Score.
func (t *Total) Name() string { return t.f.name() }

// Describe implements tidemill.Score.
func (t *Total) Describe() string { return t.f.describe() }

// New implements tidemill.Score.
func (t *Total) New() tidemill.Score { return &Total{t.f.empty()} }

// Update implements tidemill.Score.
func (t *Total) Update(a *tidemill.Answer) {
	if it, ok := t.f.take(a); ok {
		t.f.fold(it, 1)
	}
}

// Value implements tidemill.Score.
func (t *Total) Value() float64 { return t.f.value() }

// Later implements tidemill.Heavy.
func (t *Total) Later() func() float64 {
	if f, ok := t.f.(stills); ok {
		return f.still().value
	}
	v := t.f.value()
	return func() float64 { return v }
}

// Suits implements tidemill.Score.
func (t *Total) Suits(kind tidemill.ModelKind) bool { return slices.Contains(t.f.kinds(), kind) }

// Rolling is an empty score of the same settings over the last n answers.
func (t *Total) Rolling(n int) tidemill.Score { return newRolling(t.f.empty(), n) }

// Fading implements tidemill.Score: an empty score of the same settings in which an answer's weight is multiplied by
// keep at each further answer; nil where the figure is no sum (AUC).
func (t *Total) Fading(keep float64) tidemill.Score {
	f := t.f.empty()
	if _, ok := f.(sums); !ok {
		return nil
	}
	return newFading(f, keep)
}

// Confusion implements tidemill.Detailed where the score counts classes; otherwise it is nil.
func (t *Total) Confusion() [][]uint64 { return confusionOf(t.f) }

// Details implements tidemill.Detailed where the score has further figures; otherwise it is nil.
func (t *Total) Details(labels []string) []tidemill.NamedValue { return detailsOf(t.f, labels) }

// AppendBinary implements tidemill.State.
func (t *Total) AppendBinary(b []byte) ([]byte, error) { return t.f.appendState(append(b, 1)), nil }

// Capture implements tidemill.Capturer.
func (t *Total) Capture() func(b []byte) ([]byte, error) {
	if f, ok := t.f.(stills); ok {
		g := f.still()
		return func(b []byte) ([]byte, error) { return g.appendState(append(b, 1)), nil }
	}
	state := t.f.appendState([]byte{1})
	return func(b []byte) ([]byte, error) { return append(b, state...), nil }
}

// UnmarshalBinary implements tidemill.State.
func (t *Total) UnmarshalBinary(data []byte) error {
	f := t.f.empty()
	r := statebytes.Read(data)
	r.Version(1)
	f.readState(r)
	if err := r.Done("score: " + f.name()); err != nil {
		return err
	}
	t.f = f
	return nil
}

func confusionOf(f figure) [][]uint64 {
	if m, ok := f.(interface{ matrix() *counts }); ok {
		return m.matrix().table()
	}
	return nil
}

func detailsOf(f figure, labels []string) []tidemill.NamedValue {
	if d, ok := f.(interface {
		details(labels []string) []tidemill.NamedValue
	}); ok {
		return d.details(labels)
	}
	return nil
}

// mean is the figure that most scores are: the mean of one number per answer, or a function of it.
type mean struct {
	label   string
	suits   []tidemill.ModelKind
	of      func(a *tidemill.Answer) (float64, bool)
	finish  func(mean float64) float64 // nil: the mean itself
	n, sum  float64
	spoiled bool // a number was infinite, or the sum grew beyond float64
}

func (m *mean) name() string     { return m.label }
func (m *mean) describe() string { return m.label }

func (m *mean) kinds() []tidemill.ModelKind { return m.suits }

func (m *mean) empty() figure {
	return &mean{label: m.label, suits: m.suits, of: m.of, finish: m.finish}
}

func (m *mean) take(a *tidemill.Answer) (item, bool) {
	v, ok := m.of(a)
	return item{a: v}, ok
}

func (m *mean) fold(it item, w float64) {
	sum := m.sum + float64(it.a*w)
	if math.IsInf(sum, 0) || sum != sum {
		m.spoiled = true
		return
	}
	m.n, m.sum = m.n+w, sum
}

func (m *mean) value() float64 {
	switch {
	case m.spoiled:
		return math.Inf(1)
	case m.n == 0:
		return math.NaN()
	case m.finish != nil:
		return m.finish(m.sum / m.n)
	}
	return m.sum / m.n
}

func (m *mean) scale(by float64) { m.n, m.sum = m.n*by, m.sum*by }

func (m *mean) appendState(b []byte) []byte {
	if m.spoiled {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return statebytes.AppendFloat(statebytes.AppendFloat(b, m.n), m.sum)
}

func (m *mean) readState(r *statebytes.Reader) {
	m.spoiled = readFlag(r)
	m.n, m.sum = r.Finite(), r.Finite()
	if m.n < 0 {
		r.Fail(errors.New("its count is negative"))
	}
}

// readFlag reads a byte that is 0 or 1.
func readFlag(r *statebytes.Reader) bool {
	v := r.Byte()
	if v > 1 {
		r.Fail(fmt.Errorf("a mark is %d, neither 0 nor 1", v))
	}
	return v == 1
}

// Whom most scores are for.
var (
	classifiers = []tidemill.ModelKind{tidemill.Classify}
	regressors  = []tidemill.ModelKind{tidemill.Regress}
)

// classOf is the predicted and the true class of a classifier's answer. The truth may be a class beyond the prediction.
func classOf(a *tidemill.Answer) (predicted, truth int, ok bool) {
	if a.Kind != tidemill.Classify || a.Class < 0 || !(a.Truth >= 0) || a.Truth >= maxClasses || a.Class >= maxClasses {
		return 0, 0, false
	}
	return a.Class, int(a.Truth), true
}

// errorOf is prediction and truth of a regression's answer.
func errorOf(a *tidemill.Answer) (predicted, truth float64, ok bool) {
	if a.Kind != tidemill.Regress || len(a.Prediction) == 0 || a.Prediction[0] != a.Prediction[0] || a.Truth != a.Truth {
		return 0, 0, false
	}
	return a.Prediction[0], a.Truth, true
}

func appendItem(b []byte, it item) []byte {
	b = statebytes.AppendFloat(statebytes.AppendFloat(b, it.a), it.b)
	b = binary.LittleEndian.AppendUint32(b, uint32(it.i))
	return binary.LittleEndian.AppendUint32(b, uint32(it.j))
}

const itemSize = 24

func readItem(r *statebytes.Reader) item {
	it := item{a: math.Float64frombits(r.Uint()), b: math.Float64frombits(r.Uint())}
	ij := r.Uint()
	it.i, it.j = int32(uint32(ij)), int32(uint32(ij>>32))
	return it
}
