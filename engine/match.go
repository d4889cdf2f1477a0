package engine

import (
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// sight is what a task sees in a change: the triggers that it meets, nil where there is none,
// and the truth that it tells.
type sight struct {
	predict, learn, eval *boundOn
	by                   *boundOn // carries the truth, or would if the source had sent it
	label                tidemill.Value
	known                bool // label is the truth
}

// asks is the trigger by which the row is asked about.
func (s *sight) asks() *boundOn {
	if s.predict != nil {
		return s.predict
	}
	return s.eval
}

// none reports whether the change means nothing to the task beyond what its features fold in.
func (s *sight) none() bool { return s.predict == nil && s.learn == nil && s.eval == nil }

// see finds what the change is to the task.
func (tt *boundTable) see(c *tidemill.Change) (s sight, err error) {
	if s.predict, err = match(tt.predict, c); err != nil {
		return s, err
	}
	if s.learn, err = match(tt.learn, c); err != nil {
		return s, err
	}
	if s.eval, err = match(tt.eval, c); err != nil {
		return s, err
	}
	s.by, s.label, s.known = labelled(s.learn, s.eval, c.Row())
	return s, nil
}

// match is the first of the list that the change meets; a snapshot row does so whatever `on:` says. Where that hangs on
// a value that the source did not send, the row cannot be used: it is neither looked at nor passed over in silence.
func match(list []*boundOn, c *tidemill.Change) (*boundOn, error) {
	for _, b := range list {
		if b.on.Op&c.Op == 0 && c.Op != tidemill.Read {
			continue
		}
		if b.where != nil {
			v := b.where.Eval(c.Row())
			if !v.Known() {
				return nil, notSent("its `where:`")
			}
			if !expr.Holds(v) {
				continue
			}
		}
		return b, nil
	}
	return nil, nil
}

// labelled is the trigger that carries the truth about a row, if there is one: what teaches goes before what evaluates.
// known is false where it is NULL, then by is nil, and where the source did not send what it hangs on.
func labelled(ln, ev *boundOn, row []tidemill.Value) (by *boundOn, lab tidemill.Value, known bool) {
	for _, b := range [2]*boundOn{ln, ev} {
		if b == nil || b.label == nil {
			continue
		}
		v := b.label.Eval(row)
		if v.Known() && !v.IsNull() {
			return b, v, true
		}
		if !v.Known() && by == nil {
			by = b
		}
	}
	return by, tidemill.Value{}, false
}
