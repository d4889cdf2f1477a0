package tidemilltest

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"github.com/tidemill/tidemill"
)

// meanModel predicts the mean of the answers: the smallest model that keeps every law.
type meanModel struct{ n, sum float64 }

func (m *meanModel) Kind() tidemill.ModelKind  { return tidemill.Regress }
func (m *meanModel) New() tidemill.Model       { return &meanModel{} }
func (m *meanModel) Describe() string          { return "mean" }
func (m *meanModel) Bind(tidemill.Input) error { return nil }
func (m *meanModel) Learn(e *tidemill.Example) {
	if len(e.Y) == 0 || e.Y[0]-e.Y[0] != 0 || !(e.Weight > 0) || math.IsInf(e.Weight, 1) {
		return
	}
	m.n += e.Weight
	m.sum += e.Y[0] * e.Weight
}
func (m *meanModel) Predict(dst []float64, _ *tidemill.Vector) []float64 {
	return append(dst, m.sum/m.n)
}
func (m *meanModel) LearnBatch(dst []float64, b *tidemill.Block, want bool) []float64 {
	for i := range b.Rows {
		if want {
			dst = m.Predict(dst, nil)
		}
		e := tidemill.Example{Y: b.Y[i : i+1], Weight: 1}
		if b.Weight != nil {
			e.Weight = b.Weight[i]
		}
		m.Learn(&e)
	}
	return dst
}
func (m *meanModel) PredictBatch(dst []float64, b *tidemill.Block) []float64 {
	for range b.Rows {
		dst = m.Predict(dst, nil)
	}
	return dst
}
func (m *meanModel) Steady() int   { return 1 }
func (m *meanModel) Float32() bool { return false }
func (m *meanModel) AppendBinary(b []byte) ([]byte, error) {
	b = binary.LittleEndian.AppendUint64(append(b, 1), math.Float64bits(m.n))
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(m.sum)), nil
}
func (m *meanModel) UnmarshalBinary(b []byte) error {
	if len(b) != 17 || b[0] != 1 {
		return errors.New("mean: the state is not 17 bytes of version 1")
	}
	m.n, m.sum = math.Float64frombits(binary.LittleEndian.Uint64(b[1:])), math.Float64frombits(binary.LittleEndian.Uint64(b[9:]))
	return nil
}

func TestModelLaws(t *testing.T) {
	ModelWith(t, ModelCase{
		New: func() tidemill.Model { return &meanModel{} },
		Learns: func(t *testing.T, m tidemill.Model, rows []tidemill.Example) {
			if p := m.Predict(nil, rows[0].X)[0]; math.Abs(p-3) > .2 {
				t.Errorf("the mean is %v, not about 3", p)
			}
		},
	})
}

func FuzzStateOfMean(f *testing.F) {
	FuzzState(f, func() tidemill.State { return &meanModel{} })
}

// passEncoder changes nothing: the smallest encoder that keeps every law.
type passEncoder struct{}

func (passEncoder) Describe() string                               { return "pass" }
func (passEncoder) Bind(in tidemill.Input) (tidemill.Input, error) { return in, nil }
func (passEncoder) Supervised() bool                               { return false }
func (passEncoder) Learn(*tidemill.Vector, []float64)              {}
func (passEncoder) Apply(dst, x *tidemill.Vector) {
	dst.Dense = append(dst.Dense[:0], x.Dense...)
	dst.Terms = append(dst.Terms[:0], x.Terms...)
}
func (passEncoder) New() tidemill.Encoder                 { return passEncoder{} }
func (passEncoder) AppendBinary(b []byte) ([]byte, error) { return append(b, 1), nil }
func (passEncoder) UnmarshalBinary(b []byte) error {
	if len(b) != 1 || b[0] != 1 {
		return errors.New("pass: the state is not version 1")
	}
	return nil
}

func TestEncoderLaws(t *testing.T) {
	Encoder(t, func() tidemill.Encoder { return passEncoder{} })
}
