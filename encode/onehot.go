package encode

import (
	"encoding/binary"
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// DefaultMax is the number of categories that OneHot and Target learn at most.
const DefaultMax = 1_000_000

// onehot turns nominal columns into sparse terms; see OneHot.
type onehot struct {
	unsupervised
	max     int
	cols    []int    // the one-hot columns
	seeds   []uint64 // per one-hot column: what its terms' hashes start from
	keep    []int    // the other columns
	known   index
	refused uint64
}

// OneHotConfig makes each category of each one-hot column a weight of its own: sparse terms for linear models.
type OneHotConfig struct {
	Max int `yaml:"max" doc:"Categories learned at most, over all columns; further ones add nothing and are counted. Default 1000000."`
}

// NewOneHotConfig is the config with its defaults.
func NewOneHotConfig() *OneHotConfig { return &OneHotConfig{Max: DefaultMax} }

// Build makes the encoder. It fails for a bound below 1 or above 2^31-1.
func (c *OneHotConfig) Build(string) (tidemill.Encoder, error) {
	if c.Max < 1 || c.Max > 1<<31-1 {
		return nil, fmt.Errorf("onehot: max is %d; say a number from 1 to 2147483647", c.Max)
	}
	return &onehot{max: c.Max}, nil
}

// OneHot replaces each nominal column that is marked OneHot by a sparse term of value 1 whose hash names column and
// category. A category that was never learned adds nothing, neither does NaN (NULL). At most DefaultMax categories are
// learned (OneHotConfig sets another bound); what is refused beyond is counted (Warnings). Other columns and terms
// pass.
func OneHot() tidemill.Encoder { return &onehot{max: DefaultMax} }

// Describe implements tidemill.Encoder.
func (o *onehot) Describe() string { return fmt.Sprintf("onehot max=%d", o.max) }

// New implements tidemill.Encoder.
func (o *onehot) New() tidemill.Encoder { return &onehot{max: o.max} }

// Warnings implements tidemill.Warner: the learned rows' categories that were over the bound.
func (o *onehot) Warnings() []string { return refusedWarning(o, o.refused) }

// Categories is the number of categories learned.
func (o *onehot) Categories() int { return len(o.known.keys) }

// Bind implements tidemill.Encoder: the one-hot columns go, terms come.
func (o *onehot) Bind(in tidemill.Input) (tidemill.Input, error) {
	*o = onehot{max: o.max}
	out := in
	out.Columns = nil
	for i, c := range in.Columns {
		if isOneHot(&c) {
			o.cols = append(o.cols, i)
			o.seeds = append(o.seeds, tidemill.TermSeed(c.Name))
			continue
		}
		o.keep = append(o.keep, i)
		out.Columns = append(out.Columns, c)
	}
	out.Terms = in.Terms || len(o.cols) > 0
	return out, nil
}

// Learn implements tidemill.Encoder.
func (o *onehot) Learn(x *tidemill.Vector, _ []float64) {
	for k, i := range o.cols {
		v := x.Dense[i]
		if v != v {
			continue
		}
		h := tidemill.TermHash(o.seeds[k], v)
		if o.known.find(h) >= 0 {
			continue
		}
		if len(o.known.keys) >= o.max {
			o.refused++
			continue
		}
		o.known.add(h)
	}
}

// Apply implements tidemill.Encoder.
func (o *onehot) Apply(dst, x *tidemill.Vector) {
	dst.Dense = dst.Dense[:0]
	for _, i := range o.keep {
		dst.Dense = append(dst.Dense, x.Dense[i])
	}
	dst.Terms = append(dst.Terms[:0], x.Terms...)
	for k, i := range o.cols {
		v := x.Dense[i]
		if v != v {
			continue
		}
		if h := tidemill.TermHash(o.seeds[k], v); o.known.find(h) >= 0 {
			dst.Terms = append(dst.Terms, tidemill.Term{Hash: h, Value: 1})
		}
	}
}

// AppendBinary implements tidemill.State.
func (o *onehot) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1)
	b = binary.AppendUvarint(b, o.refused)
	return o.known.appendBinary(b), nil
}

// UnmarshalBinary implements tidemill.State.
func (o *onehot) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	refused := r.Uvarint()
	var known index
	known.read(r, 8, o.max)
	if err := r.Done("encode: onehot"); err != nil {
		return err
	}
	o.known, o.refused = known, refused
	return nil
}
