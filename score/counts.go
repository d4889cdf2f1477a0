package score

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// maxClasses bounds what a hostile or broken class index can make a score allocate.
const maxClasses = 1 << 24

// dense is the number of classes up to which counts are a square table.
const dense = 64

// counts is a confusion matrix of weights, [truth][predicted]: a square table up to 64 classes, and beside it a list of
// pairs in first-come order, so that a million labels do not make a million squared cells.
type counts struct {
	size  int // classes seen so far: 1 + the largest index
	cells []float64
	pairs []pair
	at    map[[2]int32]int32 // place in pairs
	n     float64
	hits  float64
}

type pair struct {
	truth, predicted int32
	w                float64
}

func (c *counts) add(truth, predicted int, w float64) {
	c.size = max(c.size, truth+1, predicted+1)
	c.n += w
	if truth == predicted {
		c.hits += w
	}
	if truth < dense && predicted < dense {
		if c.cells == nil {
			c.cells = make([]float64, dense*dense)
		}
		c.cells[truth*dense+predicted] += w
		return
	}
	key := [2]int32{int32(truth), int32(predicted)}
	p, ok := c.at[key]
	if !ok {
		if c.at == nil {
			c.at = make(map[[2]int32]int32)
		}
		p = int32(len(c.pairs))
		c.pairs = append(c.pairs, pair{truth: key[0], predicted: key[1]})
		c.at[key] = p
	}
	c.pairs[p].w += w
}

func (c *counts) scale(by float64) {
	c.n *= by
	c.hits *= by
	for i := range c.cells {
		c.cells[i] *= by
	}
	for i := range c.pairs {
		c.pairs[i].w *= by
	}
}

// each calls f for every pair that was counted, in a fixed order.
func (c *counts) each(f func(truth, predicted int, w float64)) {
	if c.cells != nil {
		m := min(c.size, dense)
		for t := range m {
			for p := range m {
				if w := c.cells[t*dense+p]; w != 0 {
					f(t, p, w)
				}
			}
		}
	}
	for i := range c.pairs {
		f(int(c.pairs[i].truth), int(c.pairs[i].predicted), c.pairs[i].w)
	}
}

// table is the matrix of the classes, at most the first 1024 of them.
func (c *counts) table() [][]uint64 {
	size := min(c.size, 1024)
	out := make([][]uint64, size)
	flat := make([]uint64, size*size)
	for i := range out {
		out[i] = flat[i*size : (i+1)*size : (i+1)*size]
	}
	c.each(func(t, p int, w float64) {
		if t < size && p < size {
			out[t][p] = uint64(math.Round(w))
		}
	})
	return out
}

// margins is per class: how often it was right, predicted, and true.
func (c *counts) margins() (right, predicted, truth []float64) {
	right, predicted, truth = make([]float64, c.size), make([]float64, c.size), make([]float64, c.size)
	c.each(func(t, p int, w float64) {
		truth[t] += w
		predicted[p] += w
		if t == p {
			right[t] += w
		}
	})
	return right, predicted, truth
}

func (c *counts) appendState(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(c.size))
	b = statebytes.AppendFloat(statebytes.AppendFloat(b, c.n), c.hits)
	if m := min(c.size, dense); c.cells == nil {
		b = append(b, 0)
	} else {
		b = append(b, 1)
		for t := range m {
			for p := range m {
				b = statebytes.AppendFloat(b, c.cells[t*dense+p])
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(c.pairs)))
	for _, p := range c.pairs {
		b = binary.LittleEndian.AppendUint32(b, uint32(p.truth))
		b = binary.LittleEndian.AppendUint32(b, uint32(p.predicted))
		b = statebytes.AppendFloat(b, p.w)
	}
	return b
}

func (c *counts) readState(r *statebytes.Reader) {
	size := r.Uvarint()
	if size > maxClasses {
		r.Fail(errors.New("it has more than 2^24 classes"))
		return
	}
	*c = counts{size: int(size), n: r.Weight(), hits: r.Weight()}
	if readFlag(r) {
		m := min(c.size, dense)
		if r.Left() < m*m*8 {
			r.Fail(statebytes.ErrShort)
			return
		}
		c.cells = make([]float64, dense*dense)
		for t := range m {
			for p := range m {
				c.cells[t*dense+p] = r.Weight()
			}
		}
	}
	n := r.Count(16)
	for i := range n {
		tp := r.Uint()
		p := pair{truth: int32(uint32(tp)), predicted: int32(uint32(tp >> 32)), w: r.Weight()}
		key := [2]int32{p.truth, p.predicted}
		if p.truth < 0 || p.predicted < 0 || int(p.truth) >= c.size || int(p.predicted) >= c.size ||
			max(p.truth, p.predicted) < dense {
			r.Fail(errors.New("a pair of classes is out of range"))
		}
		if _, ok := c.at[key]; ok {
			r.Fail(errors.New("a pair of classes is in it twice"))
		}
		if r.Err() != nil {
			return
		}
		if c.at == nil {
			c.at = make(map[[2]int32]int32, n)
		}
		c.at[key] = int32(i)
		c.pairs = append(c.pairs, p)
	}
}

// confusion is the figure under every score that is made of the confusion matrix.
type confusion struct {
	label, settings string
	positive        int32 // the positive class of the last answer, -1 if there is none
	c               counts
	of              func(f *confusion) float64
	more            func(f *confusion, labels []string) []tidemill.NamedValue
}

func (f *confusion) name() string { return f.label }

func (f *confusion) describe() string {
	if f.settings == "" {
		return f.label
	}
	return f.label + " " + f.settings
}

func (f *confusion) kinds() []tidemill.ModelKind { return classifiers }

func (f *confusion) empty() figure {
	return &confusion{label: f.label, settings: f.settings, positive: -1, of: f.of, more: f.more}
}

func (f *confusion) take(a *tidemill.Answer) (item, bool) {
	p, t, ok := classOf(a)
	positive := -1.0
	if a.Positive >= 0 && a.Positive < maxClasses {
		positive = float64(a.Positive)
	}
	return item{a: positive, i: int32(t), j: int32(p)}, ok
}

func (f *confusion) fold(it item, w float64) {
	f.positive = int32(it.a)
	f.c.add(int(it.i), int(it.j), w)
}

func (f *confusion) value() float64 {
	if f.c.n == 0 {
		return math.NaN()
	}
	return f.of(f)
}

func (f *confusion) scale(by float64) { f.c.scale(by) }
func (f *confusion) matrix() *counts  { return &f.c }

func (f *confusion) details(labels []string) []tidemill.NamedValue {
	if f.more == nil {
		return nil
	}
	return f.more(f, labels)
}

func (f *confusion) appendState(b []byte) []byte {
	b = binary.AppendVarint(b, int64(f.positive))
	return f.c.appendState(b)
}

func (f *confusion) readState(r *statebytes.Reader) {
	p := r.Uvarint()
	positive := int64(p>>1) ^ -int64(p&1) // zig-zag, as AppendVarint writes it
	if positive < -1 || positive >= maxClasses {
		r.Fail(errors.New("the positive class is out of range"))
		return
	}
	f.positive = int32(positive)
	f.c.readState(r)
}
