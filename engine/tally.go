package engine

import (
	"math"
	"slices"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// rollingWindow is how many answers a rolling figure looks back on.
const rollingWindow = 1000

// fadingKeep is what an answer weighs of the one after it in fading figures.
const fadingKeep = 0.999

// curvePoints is how many points a learning curve keeps before it doubles its stride.
const curvePoints = 256

// tally is a task's scores in one phase: the configured scores, the same for the baselines, the newest answers for
// rolling figures, and the learning curve of the first score.
type tally struct {
	phase    tidemill.Phase
	scores   []tidemill.Score
	majority []tidemill.Score
	noChange []tidemill.Score
	frozen   []tidemill.Score // nil where the task has no frozen baseline
	fading   []tidemill.Score // nil entries where the score cannot fade
	n        uint64
	ring     []kept // the newest answers
	from     int
	curve    []CurvePoint
	curved   int // the score that the curve shows
	stride   uint64

	answer, other tidemill.Answer // scratch: the task's answer, a baseline's
	hot           []float64       // scratch: no-change's prediction
}

// kept is an answer as the ring keeps it.
type kept struct {
	pred   []float64
	class  int
	truth  float64
	weight float64
	unseen bool
	base   float64 // the majority's class, or the mean
	last   float64
}

func newTally(phase tidemill.Phase, scores []tidemill.Score, frozen bool) *tally {
	t := &tally{phase: phase, stride: 1}
	for _, s := range scores {
		t.scores = append(t.scores, s.New())
		t.majority = append(t.majority, s.New())
		t.noChange = append(t.noChange, s.New())
		t.fading = append(t.fading, s.Fading(fadingKeep))
		if frozen {
			t.frozen = append(t.frozen, s.New())
		}
	}
	// A figure that is a sum over answers costs nothing to look at; an AUC would have to be computed for every point.
	for i, f := range t.fading {
		if f != nil {
			t.curved = i
			break
		}
	}
	return t
}

// others are the baselines' answers to the same question.
type others struct {
	base   []float64
	last   float64
	frozen []float64
}

// update scores one answer and its baselines.
func (t *tally) update(a *tidemill.Answer, o *others) {
	for i, s := range t.scores {
		s.Update(a)
		if f := t.fading[i]; f != nil {
			f.Update(a)
		}
	}
	b := &t.other
	*b = tidemill.Answer{Kind: a.Kind, Truth: a.Truth, Unseen: a.Unseen, Weight: a.Weight, Positive: a.Positive,
		Labels: a.Labels, X: a.X}
	baseClass := math.NaN()
	if a.Kind == tidemill.Classify || a.Kind == tidemill.Regress {
		if len(o.base) > 0 {
			b.Prediction = o.base
			if a.Kind == tidemill.Classify {
				b.Class = argmax(o.base)
				baseClass = float64(b.Class)
			} else {
				baseClass = o.base[0]
			}
			for _, s := range t.majority {
				s.Update(b)
			}
		}
		if o.last == o.last {
			if a.Kind == tidemill.Classify {
				k := max(len(a.Prediction), int(o.last)+1)
				t.hot = slices.Grow(t.hot[:0], k)[:k]
				clear(t.hot)
				t.hot[int(o.last)] = 1
				b.Prediction, b.Class = t.hot, int(o.last)
			} else {
				t.hot = append(t.hot[:0], o.last)
				b.Prediction = t.hot
			}
			for _, s := range t.noChange {
				s.Update(b)
			}
		}
		if len(o.frozen) > 0 {
			b.Prediction = o.frozen
			b.Class = argmax(o.frozen)
			for _, s := range t.frozen {
				s.Update(b)
			}
		}
	}
	t.n++
	t.keep(a, baseClass, o.last)
	if t.n%t.stride == 0 {
		t.point(a)
	}
}

func (t *tally) keep(a *tidemill.Answer, base, last float64) {
	var k *kept
	if len(t.ring) < rollingWindow {
		t.ring = append(t.ring, kept{})
		k = &t.ring[len(t.ring)-1]
	} else {
		k = &t.ring[t.from]
		t.from = (t.from + 1) % rollingWindow
	}
	k.pred = append(k.pred[:0], a.Prediction...)
	k.class, k.truth, k.weight, k.unseen, k.base, k.last = a.Class, a.Truth, a.Weight, a.Unseen, base, last
}

// rolling is a score's figure over the newest answers.
func (t *tally) rolling(s tidemill.Score, like *tidemill.Answer) float64 {
	s = s.New()
	a := *like
	for i := range t.ring {
		k := &t.ring[(t.from+i)%len(t.ring)]
		a.Prediction, a.Class, a.Truth, a.Weight, a.Unseen = k.pred, k.class, k.truth, k.weight, k.unseen
		s.Update(&a)
	}
	return s.Value()
}

// point adds one point to the learning curve, and halves it when it is full. like is the newest answer.
func (t *tally) point(like *tidemill.Answer) {
	if len(t.scores) == 0 {
		return
	}
	k := t.curved
	p := CurvePoint{N: t.n, Phase: t.phase.String(), Value: figure(t.scores[k].Value()),
		Rolling: figure(t.rolling(t.scores[k], like)), Baseline: figure(t.majority[k].Value()),
		NoChange: figure(t.noChange[k].Value())}
	if t.frozen != nil {
		p.Frozen = figure(t.frozen[k].Value())
	}
	t.curve = append(t.curve, p)
	if len(t.curve) < curvePoints {
		return
	}
	t.stride *= 2
	half := t.curve[:0]
	for _, p := range t.curve {
		if p.N%t.stride == 0 || p.Event != "" {
			half = append(half, p)
		}
	}
	t.curve = half
}

// figure is v for JSON: nil where it is not a number.
func figure(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func unfigure(p *float64) float64 {
	if p == nil {
		return math.NaN()
	}
	return *p
}

// argmax is the index of the largest number, the first of equals; -1 if one is NaN or there is none.
func argmax(p []float64) int {
	best := -1
	for i, v := range p {
		if v != v {
			return -1
		}
		if best < 0 || v > p[best] {
			best = i
		}
	}
	return best
}

// argmin is the index of the smallest number, the first of equals; -1 if one is NaN or there is none.
func argmin(p []float64) int {
	best := -1
	for i, v := range p {
		if v != v {
			return -1
		}
		if best < 0 || v < p[best] {
			best = i
		}
	}
	return best
}

// group is score i with its companions, in the order of the state.
func (t *tally) group(i int) []tidemill.Score {
	g := []tidemill.Score{t.scores[i], t.majority[i], t.noChange[i]}
	if t.fading[i] != nil {
		g = append(g, t.fading[i])
	}
	if t.frozen != nil {
		g = append(g, t.frozen[i])
	}
	return g
}

// read restores the scores that the flow still has, by their description; a new score starts empty.
func (t *tally) read(b []byte) error {
	d := statebytes.Read(b)
	if v := d.Byte(); v != 1 {
		return tidemill.ErrNewer
	}
	t.n = d.Uvarint()
	for n := d.Count(2); n > 0 && d.Err() == nil; n-- {
		name := d.Text()
		var states [][]byte
		for m := d.Count(1); m > 0; m-- {
			states = append(states, d.Bytes())
		}
		for i, s := range t.scores {
			if d.Err() != nil || s.Describe() != name {
				continue
			}
			group := t.group(i)
			for j := 0; j < len(group) && j < len(states); j++ {
				if err := group[j].UnmarshalBinary(states[j]); err != nil {
					return err
				}
			}
		}
	}
	n := d.Count(8)
	if n > rollingWindow {
		return statebytes.ErrShort
	}
	t.ring, t.from = make([]kept, n), 0
	for i := range t.ring {
		t.ring[i] = kept{pred: readFloats(d, nil), class: int(d.Varint()), truth: d.Float(),
			weight: d.Float(), unseen: d.Bool(), base: d.Float(), last: d.Float()}
	}
	t.stride = max(d.Uvarint(), 1)
	t.curve = nil
	for n := d.Count(42); n > 0; n-- {
		p := CurvePoint{N: d.Uvarint(), Phase: t.phase.String()}
		for _, v := range []**float64{&p.Value, &p.Rolling, &p.Baseline, &p.NoChange, &p.Frozen} {
			*v = figure(d.Float())
		}
		p.Event = d.Text()
		t.curve = append(t.curve, p)
	}
	return d.End()
}
