package json

import (
	"time"

	"github.com/tidemill/tidemill"
)

// object is the object that is being written; its first member is the kind.
type object struct {
	*Format
	b []byte
}

// appendOutput appends o as an object.
func (f *Format) appendOutput(b []byte, o *tidemill.Output) []byte {
	w := object{f, append(append(append(b, `{"kind":"`...), o.Kind.String()...), '"')}
	if f.keyed {
		w.text(`,"key":`, o.Key())
	}
	switch o.Kind {
	case tidemill.Predicted:
		w.row(o)
		w.prediction(o)
	case tidemill.Truth:
		w.row(o)
		w.text(`,"truth":`, o.Truth)
		if o.Corrected {
			w.b = append(w.b, `,"corrected":true`...)
		}
		w.time(`,"answered_at":`, o.Answered)
		w.text(`,"position":`, o.Position)
	case tidemill.Retracted:
		w.row(o)
		w.field(`,"new_id":`, o.NewID)
		w.text(`,"position":`, o.Position)
	case tidemill.RowPassed:
		w.change(o)
	case tidemill.RowRejected:
		w.known(`,"task":`, o.Task)
		w.known(`,"id":`, o.ID)
		w.rejected(o)
	default:
		w.known(`,"task":`, o.Task)
		w.text(`,"position":`, o.Position)
		w.field(`,"reason":`, o.Reason)
	}
	return append(w.b, '}')
}

// row is which row of which task the output is about.
func (w *object) row(o *tidemill.Output) {
	w.field(`,"task":`, o.Task)
	w.field(`,"id":`, o.ID)
}

func (w *object) prediction(o *tidemill.Output) {
	w.text(`,"prediction":`, o.Label)
	w.b = w.style.AppendNumber(append(w.b, `,"score":`...), o.Score)
	switch {
	case len(o.Labels) > 0 && len(o.Labels) <= len(o.Prediction):
		w.b = w.style.AppendProbabilities(append(w.b, `,"probabilities":`...), o.Labels, o.Prediction)
	case len(o.Labels) == 0 && len(o.Prediction) > 1: // distances
		w.b = w.style.AppendNumbers(append(w.b, `,"values":`...), o.Prediction)
	}
	w.b = append(o.Version.Append(append(w.b, `,"model_version":"`...)), '"')
	w.time(`,"asked_at":`, o.Asked)
	if !w.keyed {
		w.text(`,"position":`, o.Position)
	}
	if o.Truth != "" || !o.Answered.IsZero() { // the row brought it
		w.text(`,"truth":`, o.Truth)
		w.time(`,"answered_at":`, o.Answered)
	}
	if w.keyed {
		w.text(`,"position":`, o.Position)
	}
}

// change is a change that was passed on.
func (w *object) change(o *tidemill.Output) {
	c := o.Change
	if c == nil || c.Table == nil {
		w.text(`,"position":`, o.Position)
		return
	}
	w.text(`,"table":`, c.Table.String())
	w.text(`,"op":`, c.Op.String())
	w.text(`,"position":`, o.Position)
	w.values(`,"before":`, c.Table, c.Before)
	w.values(`,"row":`, c.Table, c.After)
}

func (w *object) rejected(o *tidemill.Output) {
	c := o.Change
	whole := c != nil && c.Table != nil
	if whole {
		w.text(`,"table":`, c.Table.String())
	}
	w.text(`,"position":`, o.Position)
	w.field(`,"reason":`, o.Reason)
	if whole {
		w.values(`,"row":`, c.Table, c.Row())
	}
}

// text is a member that is always there. Names come as `,"name":`, so that a member begins with one copy.
func (w *object) text(name, value string) {
	w.b = w.style.AppendString(append(w.b, name...), value)
}

// known is a member that is left out where it is empty.
func (w *object) known(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

// field is a member that only the keyed layout leaves out where it is empty.
func (w *object) field(name, value string) {
	if value != "" || !w.keyed {
		w.text(name, value)
	}
}

// time is a member that the keyed layout leaves out where it is not known.
func (w *object) time(name string, t time.Time) {
	if w.keyed && t.Year() <= 1 {
		return
	}
	w.b = w.style.AppendTime(append(w.b, name...), t)
}

// values is a row by column name; without one there is no member, in the keyed layout neither for one without a value.
func (w *object) values(name string, t *tidemill.Table, row []tidemill.Value) {
	if row == nil {
		return
	}
	before := len(w.b)
	w.b = append(w.b, name...)
	from := len(w.b)
	if w.b = w.style.AppendRow(w.b, t, row); w.keyed && len(w.b) == from+len("{}") {
		w.b = w.b[:before]
	}
}
