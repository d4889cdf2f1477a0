package encode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// impute fills unknown numbers; see Impute.
type impute struct {
	unsupervised
	config ImputeConfig
	cols   []int
	known  []filled
}

// filled is what one column learned: the count and the mean, or the last value.
type filled struct{ n, value float64 }

// ImputeConfig replaces unknown numbers (NULL) by one that is learned, or given.
type ImputeConfig struct {
	With    string   `yaml:"with" short:"true" enum:"mean,last,constant" doc:"What stands in: the mean of the column so far, its last value, or a constant. Default mean."`
	Value   float64  `yaml:"value" doc:"The constant. Default 0."`
	Columns []string `yaml:"columns" doc:"The feature columns. Default all numbers."`
}

// NewImputeConfig is the config with its defaults.
func NewImputeConfig() *ImputeConfig { return &ImputeConfig{With: "mean"} }

// Build makes the encoder. It fails for a stand-in that does not exist and for a constant that is no number.
func (c *ImputeConfig) Build(string) (tidemill.Encoder, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &impute{config: *c}, nil
}

func (c *ImputeConfig) check() error {
	if c.With != "mean" && c.With != "last" && c.With != "constant" {
		return fmt.Errorf("impute: with is %q; say mean, last or constant", c.With)
	}
	if !isFinite(c.Value) {
		return fmt.Errorf("impute: value is %v; say a finite number", c.Value)
	}
	return nil
}

// Impute replaces NaN in number columns by what stands in for it: "mean" (the running mean of all values learned),
// "last" (the last value learned) or "constant" (0; ImputeConfig sets another, and the columns). Before anything was
// learned NaN stays. Nominal columns and terms pass.
func Impute(with string) tidemill.Encoder {
	c := NewImputeConfig()
	c.With = with
	return &impute{config: *c}
}

// Describe implements tidemill.Encoder.
func (m *impute) Describe() string {
	s := "impute " + m.config.With
	if m.config.With == "constant" {
		s += fmt.Sprintf(" %v", m.config.Value)
	}
	if len(m.config.Columns) > 0 {
		s += " " + strings.Join(m.config.Columns, ",")
	}
	return s
}

// New implements tidemill.Encoder.
func (m *impute) New() tidemill.Encoder { return &impute{config: m.config} }

// Bind implements tidemill.Encoder: the columns stay.
func (m *impute) Bind(in tidemill.Input) (tidemill.Input, error) {
	if err := m.config.check(); err != nil {
		return in, err
	}
	cols, err := pick("impute", in.Columns, m.config.Columns, isNumber)
	if err != nil {
		return in, err
	}
	m.cols, m.known = cols, make([]filled, len(cols))
	return in, nil
}

// Learn implements tidemill.Encoder.
func (m *impute) Learn(x *tidemill.Vector, _ []float64) {
	if m.config.With == "constant" {
		return
	}
	for k, i := range m.cols {
		v := x.Dense[i]
		if !(v > -tooLarge && v < tooLarge) {
			continue
		}
		f := &m.known[k]
		if f.n++; m.config.With == "last" {
			f.value = v
		} else {
			f.value += (v - f.value) / f.n
		}
	}
}

// Apply implements tidemill.Encoder.
func (m *impute) Apply(dst, x *tidemill.Vector) {
	pass(dst, x)
	for k, i := range m.cols {
		if v := dst.Dense[i]; v == v {
			continue
		}
		if m.config.With == "constant" {
			dst.Dense[i] = m.config.Value
		} else if f := &m.known[k]; f.n > 0 {
			dst.Dense[i] = f.value
		}
	}
}

// AppendBinary implements tidemill.State.
func (m *impute) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1)
	b = binary.AppendUvarint(b, uint64(len(m.known)))
	for _, f := range m.known {
		b = statebytes.AppendFloat(statebytes.AppendFloat(b, f.n), f.value)
	}
	return b, nil
}

// UnmarshalBinary implements tidemill.State; Bind comes first.
func (m *impute) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	n := r.Count(16)
	if r.Err() == nil && n != len(m.cols) {
		r.Fail(fmt.Errorf("it is of %d columns, not of the %d bound", n, len(m.cols)))
	}
	known := make([]filled, n)
	for i := range known {
		known[i] = filled{r.Finite(), r.Finite()}
		if known[i].n < 0 || known[i].n != math.Trunc(known[i].n) {
			r.Fail(errors.New("a count is no whole number"))
		}
	}
	if err := r.Done("encode: impute"); err != nil {
		return err
	}
	m.known = known
	return nil
}
