package encode

import (
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// missing adds indicators of what is unknown; see Missing.
type missing struct {
	unsupervised
	columns []string
	cols    []int
}

// MissingConfig adds a column beside each number column that says whether it is unknown (NULL).
type MissingConfig struct {
	Columns []string `yaml:"columns" short:"true" doc:"The feature columns. Default all numbers that are not scaled already (pixels)."`
}

// NewMissingConfig is the config with its defaults.
func NewMissingConfig() *MissingConfig { return &MissingConfig{} }

// Build makes the encoder; a column that does not exist is an error of Bind.
func (c *MissingConfig) Build(string) (tidemill.Encoder, error) { return Missing(c.Columns...), nil }

// Missing adds, behind all columns, one column for each of those named that is 1 where it is NaN (NULL) and 0
// elsewhere; without names for each number column that is not scaled already. It stands before scalers and imputers,
// which make NaN a number. Scalers leave the new columns alone. It learns nothing.
func Missing(columns ...string) tidemill.Encoder { return &missing{columns: columns} }

// Describe implements tidemill.Encoder.
func (m *missing) Describe() string {
	return strings.TrimSpace("missing " + strings.Join(m.columns, ","))
}

// New implements tidemill.Encoder.
func (m *missing) New() tidemill.Encoder { return &missing{columns: m.columns} }

// Bind implements tidemill.Encoder: the indicators come behind the others.
func (m *missing) Bind(in tidemill.Input) (tidemill.Input, error) {
	ok := scales
	if len(m.columns) > 0 {
		ok = func(*tidemill.FeatureColumn) bool { return true }
	}
	cols, err := pick("missing", in.Columns, m.columns, ok)
	if err != nil {
		return in, err
	}
	m.cols = cols
	out := in
	out.Columns = slices.Clip(in.Columns)
	for _, i := range cols {
		out.Columns = append(out.Columns, tidemill.FeatureColumn{Name: in.Columns[i].Name + " is missing", Scaled: true})
	}
	return out, nil
}

// Learn implements tidemill.Encoder: nothing is learned.
func (m *missing) Learn(*tidemill.Vector, []float64) {}

// Apply implements tidemill.Encoder.
func (m *missing) Apply(dst, x *tidemill.Vector) {
	pass(dst, x)
	for _, i := range m.cols {
		v := 0.0
		if x.Dense[i] != x.Dense[i] {
			v = 1
		}
		dst.Dense = append(dst.Dense, v)
	}
}

// AppendBinary implements tidemill.State: the version alone.
func (m *missing) AppendBinary(b []byte) ([]byte, error) { return append(b, 1), nil }

// UnmarshalBinary implements tidemill.State.
func (m *missing) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	return r.Done("encode: missing")
}
