package sqltable

import (
	"hash/maphash"

	"github.com/tidemill/tidemill"
)

// Batch is what one transaction writes: outputs, and the mark. It is valid until System.Write returns.
type Batch struct {
	Flow  string        // whose mark it is
	Table string        // as the marks name it
	Mark  tidemill.Mark // what the mark becomes
	// Fresh says that the table held none of the outputs when the flow started.
	Fresh bool
	// Wait says that the commit has to be durable when Write returns.
	Wait bool

	outputs []tidemill.Output
	truth   bool
	merger  merger
}

// Step is what is to be done to one row: one of the fields says what. All are nil where nothing is to be done.
type Step struct {
	Prediction *tidemill.Output // the row is written anew,
	Truth      *tidemill.Output // with this truth; alone: the truth is added to the row that is there
	Move       *tidemill.Output // the row goes to another key
}

// Output is the step's first one; nil where nothing is to be done.
func (s *Step) Output() *tidemill.Output {
	switch {
	case s.Prediction != nil:
		return s.Prediction
	case s.Truth != nil:
		return s.Truth
	}
	return s.Move
}

// Singly are the outputs one by one: what a trigger of the table is to see.
func (b *Batch) Singly() []Step { return b.merger.plan(b.outputs, b.truth, false) }

// Merged is what the outputs come to: between two moves there is one step for a row. A truth whose prediction is
// among them is written with it; of several predictions, or truths, of a row the last is written.
func (b *Batch) Merged() []Step { return b.merger.plan(b.outputs, b.truth, true) }

// merger makes steps of outputs. It keeps its memory.
type merger struct {
	seed  maphash.Seed
	steps []Step
	slots []int32 // open addressing: the index of a row's step, plus 1
}

func (m *merger) plan(out []tidemill.Output, truth, merge bool) []Step {
	if m.slots == nil {
		m.seed = maphash.MakeSeed() // only where to look depends on it, never what is found
	}
	size := 16
	for merge && size < 2*len(out) {
		size *= 2
	}
	if size > len(m.slots) {
		m.slots = make([]int32, size)
	}
	slots := m.slots[:size]
	clear(slots)
	m.steps = m.steps[:0]
	none := int32(0)
	for i := range out {
		o := &out[i]
		slot := &none
		switch o.Kind {
		case tidemill.Predicted:
			s := Step{Prediction: o}
			if truth && o.Truth != "" {
				s.Truth = o // its row brought the truth
			}
			if merge {
				slot = m.find(slots, o)
			}
			if *slot > 0 {
				m.steps[*slot-1] = Step{}
			}
			m.steps = append(m.steps, s)
			*slot = int32(len(m.steps))
		case tidemill.Truth:
			if !truth {
				continue
			}
			if merge {
				slot = m.find(slots, o)
			}
			if *slot > 0 {
				m.steps[*slot-1].Truth = o
				continue
			}
			m.steps = append(m.steps, Step{Truth: o})
			*slot = int32(len(m.steps))
		case tidemill.Retracted:
			if o.NewID == "" || o.NewID == o.ID {
				continue
			}
			m.steps = append(m.steps, Step{Move: o})
			clear(slots) // what comes after is told of rows under other names
		}
		none = 0
	}
	return m.steps
}

// find is the slot of the output's row: it holds the row's step, or nothing yet.
func (m *merger) find(slots []int32, o *tidemill.Output) *int32 {
	for h := maphash.String(m.seed, o.ID); ; h++ {
		s := &slots[h&uint64(len(slots)-1)]
		if *s == 0 {
			return s
		}
		if p := m.steps[*s-1].Output(); p.ID == o.ID && p.Task == o.Task {
			return s
		}
	}
}
