package encode

import (
	"fmt"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// hashedDense makes sparse terms dense columns; see HashedDense.
type hashedDense struct {
	unsupervised
	size int
	cols int // that come in
}

// HashedDenseConfig makes sparse terms (hashed categories, text) a fixed number of dense columns: for models that take
// no sparse terms.
type HashedDenseConfig struct {
	Size int `yaml:"size" short:"true" doc:"The columns that all terms share, each by its hash; where two meet, they are added up. Default 256."`
}

// NewHashedDenseConfig is the config with its defaults.
func NewHashedDenseConfig() *HashedDenseConfig { return &HashedDenseConfig{Size: 256} }

// Build makes the encoder. It fails for a size below 1 or above 1048576.
func (c *HashedDenseConfig) Build(string) (tidemill.Encoder, error) {
	e := &hashedDense{size: c.Size}
	return e, e.check()
}

// HashedDense replaces all sparse terms by size dense columns behind the others: a term's number is added to the column
// that its hash names ("feature hashing", Weinberger et al., 2009). Scalers leave these columns alone. It learns
// nothing.
func HashedDense(size int) tidemill.Encoder { return &hashedDense{size: size} }

func (d *hashedDense) check() error {
	if d.size < 1 || d.size > 1<<20 {
		return fmt.Errorf("hasheddense: size is %d; say a number from 1 to 1048576", d.size)
	}
	return nil
}

// Describe implements tidemill.Encoder.
func (d *hashedDense) Describe() string { return fmt.Sprintf("hasheddense size=%d", d.size) }

// New implements tidemill.Encoder.
func (d *hashedDense) New() tidemill.Encoder { return &hashedDense{size: d.size} }

// Bind implements tidemill.Encoder: the columns of the terms come behind the others, no terms are left.
func (d *hashedDense) Bind(in tidemill.Input) (tidemill.Input, error) {
	if err := d.check(); err != nil {
		return in, err
	}
	d.cols = len(in.Columns)
	out := in
	out.Columns, out.Terms = slices.Clip(in.Columns), false
	for k := range d.size {
		out.Columns = append(out.Columns, tidemill.FeatureColumn{Name: fmt.Sprintf("hashed#%d", k), Scaled: true})
	}
	return out, nil
}

// Learn implements tidemill.Encoder: nothing is learned.
func (d *hashedDense) Learn(*tidemill.Vector, []float64) {}

// Apply implements tidemill.Encoder.
func (d *hashedDense) Apply(dst, x *tidemill.Vector) {
	out := append(dst.Dense[:0], x.Dense...)
	for range d.size {
		out = append(out, 0)
	}
	for _, t := range x.Terms {
		out[d.cols+int(t.Hash%uint64(d.size))] += t.Value
	}
	dst.Dense, dst.Terms = out, dst.Terms[:0]
}

// AppendBinary implements tidemill.State: the version alone.
func (d *hashedDense) AppendBinary(b []byte) ([]byte, error) { return append(b, 1), nil }

// UnmarshalBinary implements tidemill.State.
func (d *hashedDense) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	return r.Done("encode: hasheddense")
}
