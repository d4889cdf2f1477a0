package sqlite

import (
	"hash/maphash"

	"github.com/tidemill/tidemill"
)

// merger finds, among the outputs of one transaction, the truths whose prediction is among them too: the row is written
// once, with its truth, instead of written and then updated. Of several predictions of one row the last is written. The
// rows are the same after the transaction, and nobody sees them before; but a trigger would see fewer steps, so a table
// with triggers is written step by step.
type merger struct {
	seed  maphash.Seed
	plan  []int32 // by output: asItIs, skipped, or the index of its truth
	slots []int32 // open addressing: the index of a prediction, plus 1
}

const (
	asItIs  = -1 // written alone
	skipped = -2 // told by another output's row
)

// merge plans how to write out. The plan is valid until the next call.
func (m *merger) merge(out []tidemill.Output) []int32 {
	if m.slots == nil {
		m.seed = maphash.MakeSeed() // only where to look depends on it, never what is found
	}
	size := 16
	for size < 2*len(out) {
		size *= 2
	}
	if size > len(m.slots) {
		m.slots = make([]int32, size)
	}
	slots := m.slots[:size]
	clear(slots)
	m.plan = m.plan[:0]
	for i := range out {
		o := &out[i]
		m.plan = append(m.plan, asItIs)
		switch o.Kind {
		case tidemill.Predicted:
			slot := m.find(slots, out, o)
			if j := *slot; j > 0 {
				m.plan[j-1] = skipped // and its truth, which is skipped already
			}
			*slot = int32(i) + 1
		case tidemill.Truth:
			if j := *m.find(slots, out, o); j > 0 {
				m.plan[j-1], m.plan[i] = int32(i), skipped // the last truth is the one that stays
			}
		case tidemill.Retracted: // what comes after is told of rows under other names
			clear(slots)
		}
	}
	return m.plan
}

// find is the slot of the output's row: it holds the row's prediction, or nothing yet.
func (m *merger) find(slots []int32, out []tidemill.Output, o *tidemill.Output) *int32 {
	for h := maphash.String(m.seed, o.ID); ; h++ {
		s := &slots[h&uint64(len(slots)-1)]
		if *s == 0 {
			return s
		}
		if p := &out[*s-1]; p.ID == o.ID && p.Task == o.Task {
			return s
		}
	}
}
