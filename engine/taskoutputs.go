package engine

import (
	"github.com/tidemill/tidemill"
)

// taskOutput is an output with the index, in its slice, of the change that caused it: outputs leave in that order.
type taskOutput struct {
	at int
	o  tidemill.Output
}

// taskOutputs are what a task has to say of one slice of changes.
type taskOutputs struct {
	list   []taskOutput
	silent bool // nothing but rejects is said: a replayed snapshot
	locate func(*tidemill.Change) string
}

// emit says x, which the change of index i in the slice caused.
func (o *taskOutputs) emit(i int, x tidemill.Output) {
	if o.silent && x.Kind != tidemill.RowRejected {
		return
	}
	o.list = append(o.list, taskOutput{i, x})
}
