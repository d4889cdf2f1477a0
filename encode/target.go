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

// target replaces categories by the mean of their answers; see Target.
type target struct {
	config  TargetConfig
	cols    []int
	slot    []int // per incoming column: its place in cols, or -1
	seeds   []uint64
	width   int // numbers per column: 1, or one per class
	all     []tally
	known   index
	cells   []tally // width per category
	refused uint64
}

// tally is a count of answers and their mean.
type tally struct{ n, mean float64 }

func (t *tally) add(y float64) {
	t.n++
	t.mean += (y - t.mean) / t.n
}

// TargetConfig replaces each category by the mean of the answers that it had so far.
type TargetConfig struct {
	Columns   []string `yaml:"columns" short:"true" doc:"The feature columns. Default all nominal ones."`
	Smoothing float64  `yaml:"smoothing" doc:"How many answers the overall mean counts for, so that a rare category stays near it. Default 10."`
	Classes   int      `yaml:"classes" doc:"With 3 or more: one column per class, the share of its answers. Default 0: the mean of the value, or of the class index 0 or 1."`
	Max       int      `yaml:"max" doc:"Categories learned at most, over all columns; further ones take the overall mean and are counted. Default 1000000."`
}

// NewTargetConfig is the config with its defaults.
func NewTargetConfig() *TargetConfig { return &TargetConfig{Smoothing: 10, Max: DefaultMax} }

// Build makes the encoder. It fails for settings that are out of range.
func (c *TargetConfig) Build(string) (tidemill.Encoder, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return &target{config: *c}, nil
}

func (c *TargetConfig) check() error {
	switch {
	case !(c.Smoothing >= 0) || math.IsInf(c.Smoothing, 1):
		return fmt.Errorf("target: smoothing is %v; say a number from 0", c.Smoothing)
	case c.Classes < 0 || c.Classes > 4096:
		return fmt.Errorf("target: classes is %d; say a number from 0 to 4096", c.Classes)
	case c.Max < 1 || c.Max > 1<<31-1:
		return fmt.Errorf("target: max is %d; say a number from 1 to 2147483647", c.Max)
	}
	return nil
}

// Target replaces each nominal column by the mean answer of its category so far, drawn towards the mean of all answers
// as if that had been seen smoothing times: (sum + smoothing·overall)/(n + smoothing) (Micci-Barreca, "A preprocessing
// scheme for high-cardinality categorical attributes", 2001). For a binary classifier the answer is the class index, so
// that the column is the share of class 1; TargetConfig makes one column per class, and names columns. A category that
// was never learned, and NaN, take the overall mean; before the first answer that is 0. It is supervised: a row is
// encoded before it is learned, so that no answer is among its own features. Other columns and terms pass; the new
// columns stand in the old ones' places.
func Target(smoothing float64) tidemill.Encoder {
	c := NewTargetConfig()
	c.Smoothing = smoothing
	return &target{config: *c}
}

// Supervised implements tidemill.Encoder.
func (e *target) Supervised() bool { return true }

// Describe implements tidemill.Encoder.
func (e *target) Describe() string {
	c := &e.config
	return strings.TrimSpace(fmt.Sprintf("target smoothing=%v classes=%d max=%d %s",
		c.Smoothing, c.Classes, c.Max, strings.Join(c.Columns, ",")))
}

// New implements tidemill.Encoder.
func (e *target) New() tidemill.Encoder { return &target{config: e.config} }

// Warnings implements tidemill.Warner: the learned rows' categories that were over the bound.
func (e *target) Warnings() []string { return refusedWarning(e, e.refused) }

// Categories is the number of categories learned.
func (e *target) Categories() int { return len(e.known.keys) }

// Bind implements tidemill.Encoder.
func (e *target) Bind(in tidemill.Input) (tidemill.Input, error) {
	if err := e.config.check(); err != nil {
		return in, err
	}
	cols, err := pick("target", in.Columns, e.config.Columns, isNominal)
	if err != nil {
		return in, err
	}
	*e = target{config: e.config, cols: cols, width: 1}
	if e.config.Classes > 2 {
		e.width = e.config.Classes
	}
	e.all = make([]tally, e.width)
	e.slot = make([]int, len(in.Columns))
	for i := range e.slot {
		e.slot[i] = -1
	}
	for k, i := range cols {
		if e.slot[i] >= 0 {
			return in, fmt.Errorf("target: feature column %q is named twice", in.Columns[i].Name)
		}
		e.slot[i] = k
		e.seeds = append(e.seeds, tidemill.Hash("target", in.Columns[i].Name))
	}
	out := in
	out.Columns = nil
	for i, c := range in.Columns {
		switch {
		case e.slot[i] < 0:
			out.Columns = append(out.Columns, c)
		case e.width == 1:
			out.Columns = append(out.Columns, tidemill.FeatureColumn{Name: c.Name + " target"})
		default:
			for k := range e.width {
				out.Columns = append(out.Columns, tidemill.FeatureColumn{Name: fmt.Sprintf("%s target %d", c.Name, k)})
			}
		}
	}
	return out, nil
}

// answer is the number that stands for the answer in slot k.
func (e *target) answer(y float64, k int) float64 {
	if e.width == 1 {
		return y
	}
	if int(y) == k {
		return 1
	}
	return 0
}

// Learn implements tidemill.Encoder; a row without an answer teaches nothing.
func (e *target) Learn(x *tidemill.Vector, y []float64) {
	if len(y) == 0 || !(y[0] > -tooLarge && y[0] < tooLarge) {
		return
	}
	for k := range e.width {
		e.all[k].add(e.answer(y[0], k))
	}
	for c, i := range e.cols {
		v := x.Dense[i]
		if v != v {
			continue
		}
		h := tidemill.TermHash(e.seeds[c], v)
		p := e.known.find(h)
		if p < 0 {
			if len(e.known.keys) >= e.config.Max {
				e.refused++
				continue
			}
			p = e.known.add(h)
			for range e.width {
				e.cells = append(e.cells, tally{})
			}
		}
		for k := range e.width {
			e.cells[p*e.width+k].add(e.answer(y[0], k))
		}
	}
}

// Apply implements tidemill.Encoder.
func (e *target) Apply(dst, x *tidemill.Vector) {
	dst.Dense = dst.Dense[:0]
	dst.Terms = append(dst.Terms[:0], x.Terms...)
	for i, v := range x.Dense {
		c := e.slot[i]
		if c < 0 {
			dst.Dense = append(dst.Dense, v)
			continue
		}
		p := -1
		if v == v {
			p = e.known.find(tidemill.TermHash(e.seeds[c], v))
		}
		for k := range e.width {
			m := e.all[k].mean
			if p >= 0 {
				cell := &e.cells[p*e.width+k]
				m = (float64(cell.n*cell.mean) + float64(e.config.Smoothing*m)) / (cell.n + e.config.Smoothing)
			}
			dst.Dense = append(dst.Dense, m)
		}
	}
}

// AppendBinary implements tidemill.State.
func (e *target) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1)
	b = binary.AppendUvarint(b, e.refused)
	b = binary.AppendUvarint(b, uint64(e.width))
	for _, t := range e.all {
		b = statebytes.AppendFloat(statebytes.AppendFloat(b, t.n), t.mean)
	}
	b = e.known.appendBinary(b)
	for _, t := range e.cells {
		b = statebytes.AppendFloat(statebytes.AppendFloat(b, t.n), t.mean)
	}
	return b, nil
}

func readTally(r *statebytes.Reader) tally {
	t := tally{r.Finite(), r.Finite()}
	if t.n < 0 || t.n != math.Trunc(t.n) || math.Abs(t.mean) >= tooLarge {
		r.Fail(errors.New("a mean and its count are out of range"))
	}
	return t
}

// UnmarshalBinary implements tidemill.State; Bind comes first.
func (e *target) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	n := *e
	n.refused = r.Uvarint()
	if w := r.Uvarint(); r.Err() == nil && w != uint64(e.width) {
		r.Fail(fmt.Errorf("it has %d numbers per column, not %d", w, e.width))
	}
	n.all = make([]tally, e.width)
	for k := range n.all {
		n.all[k] = readTally(r)
	}
	n.known.read(r, 8+16*e.width, e.config.Max)
	n.cells = nil
	if r.Err() == nil {
		n.cells = make([]tally, len(n.known.keys)*e.width)
		for i := range n.cells {
			if n.cells[i] = readTally(r); n.cells[i].n == 0 {
				r.Fail(errors.New("a category has no answers"))
			}
		}
	}
	if err := r.Done("encode: target"); err != nil {
		return err
	}
	*e = n
	return nil
}
