package score

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"sync/atomic"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// aucMax is the number of distinct scores that AUC keeps at full precision by default.
const aucMax = 1 << 20

// AUCConfig is the area under the ROC curve: how often a positive row has the higher score.
type AUCConfig struct {
	Max int `yaml:"max" doc:"Distinct scores kept exactly (24 bytes each); beyond it the closest ones are counted as ties. Default 1048576."`
}

// NewAUCConfig is the config with its defaults.
func NewAUCConfig() *AUCConfig { return &AUCConfig{Max: aucMax} }

// Build makes the score. It fails for a bound below 16 or above 2^28.
func (c *AUCConfig) Build(string) (tidemill.Score, error) {
	if c.Max < 16 || c.Max > 1<<28 {
		return nil, fmt.Errorf("auc: max is %d; say a number from 16 to 268435456", c.Max)
	}
	return total(&auc{max: c.Max}), nil
}

// AUC is the area under the ROC curve over all answers: the share of (positive, negative) pairs in which the positive
// one's score is higher, ties counting half (Mann and Whitney, 1947). A classifier's score is the probability of the
// positive class, an anomaly model's is its score. NaN until both classes came; answers of a task without a positive
// class are not counted.
//
// It is exact: every distinct score is kept with its counts, in whole numbers. Beyond 1048576 distinct scores
// (AUCConfig sets another bound) the fewest low bits of all scores are dropped that bring them back under the bound,
// and what falls together is a tie; the result is the same wherever the flow was stopped and restored. An update costs
// some 100 ns, a Value one pass over the distinct scores.
func AUC() *Total { return total(&auc{max: aucMax}) }

// cell is a distinct score, as bits that sort like the number, with how many negatives and positives had it.
type cell struct{ key, neg, pos uint64 }

type auc struct {
	max   int
	drop  uint   // low bits of every key that are 0
	cells []cell // ascending
	fresh []cell // as they came; merged when there are many
	// shared says that somebody has noted cells and fresh and reads them beside fold, which only ever appends to fresh.
	shared atomic.Bool
}

func (f *auc) name() string     { return "auc" }
func (f *auc) describe() string { return fmt.Sprintf("auc max=%d", f.max) }
func (f *auc) empty() figure    { return &auc{max: f.max} }

func (f *auc) kinds() []tidemill.ModelKind {
	return []tidemill.ModelKind{tidemill.Classify, tidemill.Anomaly}
}

func (f *auc) take(a *tidemill.Answer) (item, bool) {
	it := item{}
	switch a.Kind {
	case tidemill.Classify:
		_, t, ok := classOf(a)
		if !ok || a.Positive < 0 {
			return it, false
		}
		if a.Positive < len(a.Prediction) {
			it.a = a.Prediction[a.Positive]
		}
		if t == a.Positive {
			it.i = 1
		}
	case tidemill.Anomaly:
		if len(a.Prediction) == 0 || a.Truth != a.Truth {
			return it, false
		}
		it.a = a.Prediction[0]
		if a.Positive >= 0 && a.Truth == float64(a.Positive) || a.Positive < 0 && a.Truth > 0 {
			it.i = 1
		}
	default:
		return it, false
	}
	return it, it.a == it.a
}

func (f *auc) fold(it item, _ float64) {
	k := math.Float64bits(it.a + 0) // -0 is 0
	if k>>63 == 1 {
		k = ^k
	} else {
		k |= 1 << 63
	}
	f.fresh = append(f.fresh, cell{k, uint64(1 - it.i), uint64(it.i)})
	if len(f.fresh) < 4096 || len(f.fresh) < len(f.cells)/16 {
		return
	}
	if f.shared.Swap(false) { // a figure that is being computed reads them
		f.cells, f.drop = f.merged()
		f.fresh = nil
		return
	}
	f.cells, f.drop = merge(f.cells, f.fresh, f.drop, f.max)
	f.fresh = f.fresh[:0]
}

// merged is all cells, ascending and under the bound. It depends on the scores alone, not on how they were cut into
// fresh and merged ones: dropping bits is a projection, and the bits dropped are the fewest that do.
func (f *auc) merged() ([]cell, uint) {
	if len(f.fresh) == 0 {
		return f.cells, f.drop
	}
	all := append(make([]cell, 0, len(f.cells)+len(f.fresh)), f.cells...)
	return merge(all, slices.Clone(f.fresh), f.drop, f.max)
}

// merge puts fresh cells among those that are merged already; it writes over both.
func merge(cells, fresh []cell, drop uint, most int) ([]cell, uint) {
	mask := ^uint64(0) << drop
	for i := range fresh {
		fresh[i].key &= mask
	}
	sortCells(fresh)
	i, j := len(cells)-1, len(fresh)-1
	out := slices.Grow(cells, len(fresh))[:len(cells)+len(fresh)]
	for w := len(out) - 1; j >= 0; w-- { // from the end, so that no cell is written over before it has moved
		if i >= 0 && out[i].key > fresh[j].key {
			out[w] = out[i]
			i--
		} else {
			out[w] = fresh[j]
			j--
		}
	}
	out = sumEqual(out, ^uint64(0))
	if len(out) <= most {
		return out, drop
	}
	var at [65]int // neighbours by the length of the bits in which they differ
	for i := 1; i < len(out); i++ {
		at[bits.Len64(out[i].key^out[i-1].key)]++
	}
	distinct := len(out)
	drop = 0
	for distinct > most {
		drop++
		distinct -= at[drop]
	}
	return sumEqual(out, ^uint64(0)<<drop), drop
}

// sumEqual makes neighbours whose masked keys are equal one.
func sumEqual(cells []cell, mask uint64) []cell {
	n := 0
	for _, c := range cells {
		c.key &= mask
		if n > 0 && cells[n-1].key == c.key {
			cells[n-1].neg += c.neg
			cells[n-1].pos += c.pos
			continue
		}
		cells[n] = c
		n++
	}
	return cells[:n]
}

// still is the score as it is now, taken in a moment: fold leaves alone what it has noted.
func (f *auc) still() figure {
	f.shared.Store(true)
	return &auc{max: f.max, drop: f.drop, cells: f.cells, fresh: f.fresh}
}

func (f *auc) value() float64 {
	var a area
	if len(f.cells)+len(f.fresh) > f.max {
		cells, _ := f.merged()
		for _, c := range cells {
			a.add(c)
		}
		return a.value()
	}
	fresh := slices.Clone(f.fresh) // the merge again, without writing it down
	sortCells(fresh)
	mask := ^uint64(0) << f.drop
	i := 0
	for _, c := range f.cells {
		for i < len(fresh) && fresh[i].key&mask < c.key {
			fresh[i].key &= mask
			a.add(fresh[i])
			i++
		}
		a.add(c)
	}
	for _, c := range fresh[i:] {
		c.key &= mask
		a.add(c)
	}
	return a.value()
}

// area counts the pairs won over ascending cells; equal keys follow one another.
type area struct {
	run    cell   // the cells of one key so far
	below  uint64 // negatives below it
	pos    uint64
	hi, lo uint64 // twice the number of pairs won, 128 bits
}

func (a *area) add(c cell) {
	if c.key == a.run.key {
		a.run.neg += c.neg
		a.run.pos += c.pos
		return
	}
	a.close()
	a.run = c
}

func (a *area) close() {
	h, l := bits.Mul64(a.run.pos, 2*a.below+a.run.neg)
	var carry uint64
	a.lo, carry = bits.Add64(a.lo, l, 0)
	a.hi += h + carry
	a.below += a.run.neg
	a.pos += a.run.pos
}

func (a *area) value() float64 {
	a.close()
	if a.pos == 0 || a.below == 0 {
		return math.NaN()
	}
	return (math.Ldexp(float64(a.hi), 64) + float64(a.lo)) / (2 * float64(a.pos) * float64(a.below))
}

func sortCells(cells []cell) {
	slices.SortFunc(cells, func(a, b cell) int {
		if a.key < b.key {
			return -1
		}
		if a.key > b.key {
			return 1
		}
		return 0
	})
}

func (f *auc) appendState(b []byte) []byte {
	cells, drop := f.merged()
	b = append(b, byte(drop))
	b = binary.AppendUvarint(b, uint64(len(cells)))
	b = slices.Grow(b, 10*len(cells))
	last := uint64(0)
	for _, c := range cells {
		b = binary.AppendUvarint(b, (c.key-last)>>drop)
		b = binary.AppendUvarint(binary.AppendUvarint(b, c.neg), c.pos)
		last = c.key
	}
	return b
}

func (f *auc) readState(r *statebytes.Reader) {
	f.drop = uint(r.Byte())
	if f.drop > 63 {
		r.Fail(errors.New("it drops more bits than there are"))
		return
	}
	n := r.Count(3)
	if n > f.max {
		r.Fail(errors.New("it has more scores than the bound allows"))
		return
	}
	f.cells = make([]cell, 0, n)
	last, all := uint64(0), uint64(0)
	for i := range n {
		step := r.Uvarint()
		c := cell{key: last + step<<f.drop, neg: r.Uvarint(), pos: r.Uvarint()}
		if r.Err() != nil {
			return
		}
		all += c.neg + c.pos
		if step<<f.drop>>f.drop != step || i > 0 && c.key <= last || c.neg > 1<<40 || c.pos > 1<<40 || c.neg+
			c.pos == 0 || all > 1<<40 {
			r.Fail(errors.New("its scores are out of order or out of range"))
			return
		}
		f.cells = append(f.cells, c)
		last = c.key
	}
}
