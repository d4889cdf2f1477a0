package engine_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// marked is a sink that holds a mark, and notes whether it was let go on.
type marked struct {
	tableSink
	held    tidemill.Mark
	err     error
	resumed bool
}

func (s *marked) Mark(context.Context, string) (tidemill.Mark, error) { return s.held, s.err }
func (s *marked) Resume(context.Context, tidemill.Resumption) error {
	s.resumed = true
	return nil
}

// TestMarksAreJudged: a sink goes on only with what this state folder can have written, whatever system it is of.
func TestMarksAreJudged(t *testing.T) {
	unreachable := errors.New("unreachable")
	mark := func(term, seq uint64) tidemill.Mark { return tidemill.Mark{Term: term, Seq: seq} }
	place := func(term uint64) tidemill.Mark { return tidemill.Mark{Term: term, Place: "7:x"} }
	for _, c := range []struct {
		name  string
		held  tidemill.Mark
		err   error
		term  uint64
		after tidemill.Mark
		adopt bool
		want  error
	}{
		{"nothing anywhere", mark(0, 0), nil, 1, mark(0, 0), false, nil},
		{"taken, and nothing written", mark(1, 0), nil, 2, mark(0, 0), false, nil},
		{"rows without a checkpoint", mark(1, 5), nil, 2, mark(0, 0), false, tidemill.ErrUnknownMark},
		{"rows without a checkpoint, of a higher term", mark(9, 5), nil, 2, mark(0, 0), false, tidemill.ErrUnknownMark},
		{"a file without a checkpoint", place(0), nil, 2, mark(0, 0), false, tidemill.ErrUnknownMark},
		{"rows without a checkpoint, adopted", mark(9, 5), nil, 2, mark(0, 0), true, nil},
		{"a higher term", mark(3, 5), nil, 2, mark(1, 5), false, tidemill.ErrFenced},
		{"a higher term, nothing written", mark(3, 0), nil, 2, mark(0, 0), false, tidemill.ErrFenced},
		{"a file of a higher term", place(3), nil, 2, place(1), false, tidemill.ErrFenced},
		{"a higher term, adopted", mark(3, 5), nil, 2, mark(1, 5), true, nil},
		{"the checkpoint's own", mark(1, 5), nil, 2, mark(1, 5), false, nil},
		{"ahead of the checkpoint", mark(1, 8), nil, 2, mark(1, 5), false, nil},
		{"ahead, of a later run", mark(2, 8), nil, 3, mark(1, 5), false, nil},
		{"behind the checkpoint", mark(1, 4), nil, 2, mark(1, 5), false, tidemill.ErrUnknownMark},
		{"behind, of a later run", mark(2, 4), nil, 3, mark(1, 5), false, tidemill.ErrUnknownMark},
		{"an older term", mark(1, 9), nil, 3, mark(2, 5), false, tidemill.ErrUnknownMark},
		{"nothing, and the checkpoint has seen outputs", mark(0, 0), nil, 2, mark(1, 5), false, tidemill.ErrUnknownMark},
		{"nothing, and the checkpoint has seen none", mark(0, 0), nil, 2, mark(1, 0), false, nil},
		{"a history that has begun", mark(1, 7), nil, 2, mark(1, 0), false, nil},
		{"a file, whose place the sink looks at", place(0), nil, 2, mark(1, 5), false, nil},
		{"no mark is kept", mark(0, 0), errors.ErrUnsupported, 2, mark(1, 5), false, nil},
		{"the sink cannot be asked", mark(0, 0), unreachable, 2, mark(1, 5), false, unreachable},
	} {
		s := &marked{held: c.held, err: c.err}
		err := engine.ResumeSink(t.Context(), s, tidemill.Resumption{Flow: "f", Term: c.term, After: c.after, Adopt: c.adopt})
		if !errors.Is(err, c.want) || s.resumed != (c.want == nil) {
			t.Errorf("%s: %v, resumed %t; want %v", c.name, err, s.resumed, c.want)
		}
		if err != nil && err != unreachable && !tidemill.IsFatal(err) {
			t.Errorf("%s: %v is not fatal", c.name, err)
		}
	}
}
