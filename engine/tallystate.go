package engine

import (
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/statebytes"
)

// capture fixes the figures as they are now; the function appends them, from any goroutine.
func (t *tally) capture() (func(b []byte) ([]byte, error), error) {
	head := statebytes.AppendUvarint(statebytes.AppendUvarint([]byte{1}, t.n), uint64(len(t.scores))) // version 1
	type scored struct {
		name   string
		states []func(b []byte) ([]byte, error)
	}
	var scores []scored
	for i, s := range t.scores {
		one := scored{name: s.Describe()}
		for _, g := range t.group(i) {
			write, err := fixState(g)
			if err != nil {
				return nil, err
			}
			one.states = append(one.states, write)
		}
		scores = append(scores, one)
	}
	rest := t.appendAnswers(nil)
	return func(b []byte) ([]byte, error) {
		b = append(b, head...)
		var state []byte
		for _, s := range scores {
			b = statebytes.AppendUvarint(statebytes.AppendText(b, s.name), uint64(len(s.states)))
			for _, write := range s.states {
				var err error
				if state, err = write(state[:0]); err != nil {
					return nil, err
				}
				b = statebytes.AppendBytes(b, state)
			}
		}
		return append(b, rest...), nil
	}, nil
}

// fixState is a state's Capture; of one that has none its bytes, written down at once.
func fixState(s tidemill.State) (func(b []byte) ([]byte, error), error) {
	if c, ok := s.(tidemill.Capturer); ok {
		return c.Capture(), nil
	}
	state, err := s.AppendBinary(nil)
	return func(b []byte) ([]byte, error) { return append(b, state...), nil }, err
}

// appendAnswers writes down the newest answers and the curve.
func (t *tally) appendAnswers(b []byte) []byte {
	b = statebytes.AppendUvarint(b, uint64(len(t.ring)))
	for i := range t.ring {
		k := &t.ring[(t.from+i)%len(t.ring)]
		b = appendFloats(b, k.pred)
		b = statebytes.AppendVarint(b, int64(k.class))
		b = statebytes.AppendFloat(b, k.truth)
		b = statebytes.AppendFloat(b, k.weight)
		b = statebytes.AppendBool(b, k.unseen)
		b = statebytes.AppendFloat(b, k.base)
		b = statebytes.AppendFloat(b, k.last)
	}
	b = statebytes.AppendUvarint(b, t.stride)
	b = statebytes.AppendUvarint(b, uint64(len(t.curve)))
	for _, p := range t.curve {
		b = statebytes.AppendUvarint(b, p.N)
		for _, v := range []*float64{p.Value, p.Rolling, p.Baseline, p.NoChange, p.Frozen} {
			b = statebytes.AppendFloat(b, unfigure(v))
		}
		b = statebytes.AppendText(b, p.Event)
	}
	return b
}
