package encode

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// onehotDense gives each nominal column a fixed number of dense slots; see OneHotDense.
type onehotDense struct {
	unsupervised
	size    int
	cols    []int
	seeds   []uint64
	keep    []int
	known   index
	place   []int32 // per known category: its slot among all slots
	used    []int   // per one-hot column: slots taken
	refused uint64
}

// OneHotDenseConfig makes each one-hot column a fixed number of dense columns: for models that take no sparse terms.
type OneHotDenseConfig struct {
	Size int `yaml:"size" short:"true" doc:"Categories per column; the first to come get the slots, further ones add nothing and are counted. Default 64."`
}

// NewOneHotDenseConfig is the config with its defaults.
func NewOneHotDenseConfig() *OneHotDenseConfig { return &OneHotDenseConfig{Size: 64} }

// Build makes the encoder. It fails for a size below 1 or above 1048576.
func (c *OneHotDenseConfig) Build(string) (tidemill.Encoder, error) {
	if c.Size < 1 || c.Size > 1<<20 {
		return nil, fmt.Errorf("onehotdense: size is %d; say a number from 1 to 1048576", c.Size)
	}
	return OneHotDense(c.Size), nil
}

// OneHotDense replaces each nominal column that is marked OneHot by size dense columns behind all others: the
// category's own is 1, the rest are 0. Categories get their columns in the order in which they are learned; one that
// was never learned, NaN (NULL), and what comes after the columns are taken add nothing (counted: Warnings). Other
// columns and terms pass.
func OneHotDense(size int) tidemill.Encoder { return &onehotDense{size: size} }

// Describe implements tidemill.Encoder.
func (o *onehotDense) Describe() string { return fmt.Sprintf("onehotdense size=%d", o.size) }

// New implements tidemill.Encoder.
func (o *onehotDense) New() tidemill.Encoder { return &onehotDense{size: o.size} }

// Warnings implements tidemill.Warner: the learned rows' categories for which no column was left.
func (o *onehotDense) Warnings() []string { return refusedWarning(o, o.refused) }

// Categories is the number of categories learned.
func (o *onehotDense) Categories() int { return len(o.known.keys) }

// Bind implements tidemill.Encoder: the one-hot columns go, their slots come behind the others.
func (o *onehotDense) Bind(in tidemill.Input) (tidemill.Input, error) {
	if o.size < 1 || o.size > 1<<20 {
		return in, fmt.Errorf("onehotdense: size is %d; say a number from 1 to 1048576", o.size)
	}
	*o = onehotDense{size: o.size}
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
	for _, i := range o.cols {
		for k := range o.size {
			name := fmt.Sprintf("%s#%d", in.Columns[i].Name, k)
			out.Columns = append(out.Columns, tidemill.FeatureColumn{Name: name, Scaled: true})
		}
	}
	o.used = make([]int, len(o.cols))
	return out, nil
}

// Learn implements tidemill.Encoder.
func (o *onehotDense) Learn(x *tidemill.Vector, _ []float64) {
	for k, i := range o.cols {
		v := x.Dense[i]
		if v != v {
			continue
		}
		h := tidemill.TermHash(o.seeds[k], v)
		if o.known.find(h) >= 0 {
			continue
		}
		if o.used[k] >= o.size {
			o.refused++
			continue
		}
		o.take(k, h)
	}
}

func (o *onehotDense) take(k int, h uint64) {
	o.known.add(h)
	o.place = append(o.place, int32(k*o.size+o.used[k]))
	o.used[k]++
}

// Apply implements tidemill.Encoder.
func (o *onehotDense) Apply(dst, x *tidemill.Vector) {
	d := dst.Dense[:0]
	for _, i := range o.keep {
		d = append(d, x.Dense[i])
	}
	slots := len(d)
	for range len(o.cols) * o.size {
		d = append(d, 0)
	}
	for k, i := range o.cols {
		if v := x.Dense[i]; v == v {
			if p := o.known.find(tidemill.TermHash(o.seeds[k], v)); p >= 0 {
				d[slots+int(o.place[p])] = 1
			}
		}
	}
	dst.Dense = d
	dst.Terms = append(dst.Terms[:0], x.Terms...)
}

// AppendBinary implements tidemill.State.
func (o *onehotDense) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1)
	b = binary.AppendUvarint(b, o.refused)
	b = o.known.appendBinary(b)
	for _, p := range o.place {
		b = binary.AppendUvarint(b, uint64(int(p)/o.size))
	}
	return b, nil
}

// UnmarshalBinary implements tidemill.State; Bind comes first.
func (o *onehotDense) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	n := onehotDense{size: o.size, cols: o.cols, seeds: o.seeds, keep: o.keep, used: make([]int, len(o.cols))}
	n.refused = r.Uvarint()
	var known index
	known.read(r, 9, len(o.cols)*o.size)
	for _, h := range known.keys {
		k := r.Uvarint()
		if r.Err() != nil {
			break
		}
		if k >= uint64(len(n.cols)) || n.used[k] >= n.size {
			r.Fail(errors.New("a category is of a column that has no room for it"))
			break
		}
		n.take(int(k), h)
	}
	if err := r.Done("encode: onehotdense"); err != nil {
		return err
	}
	*o = n
	return nil
}
