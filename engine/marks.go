package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemill/tidemill"
)

// ResumeSink lets a sink go on from r.After if what it holds belongs to this history: it asks the sink for its
// mark, and refuses with ErrUnknownMark or ErrFenced what no run of this state folder can have written. A refusal
// changes nothing. The engine calls it when a flow starts and when a snapshot starts over; a test of a sink may.
func ResumeSink(ctx context.Context, s tidemill.Sink, r tidemill.Resumption) error {
	if !r.Adopt { // said by the user: whatever the sink holds
		held, err := s.Mark(ctx, r.Flow)
		if err == nil {
			err = checkMark(held, r)
		}
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	return s.Resume(ctx, r)
}

// checkMark compares the mark that a sink holds with the one of the checkpoint. Whether a Place is still there only
// the sink can tell, which does so in Resume.
func checkMark(held tidemill.Mark, r tidemill.Resumption) error {
	const mend = "--adopt keeps the rows and goes on, --reset removes them"
	none, after := tidemill.Mark{}, r.After
	switch {
	case after == none && (held.Seq > 0 || held.Place != ""):
		what := "something already"
		if held.Seq > 0 {
			what = fmt.Sprintf("%d outputs of the flow %q", held.Seq, r.Flow)
		}
		return tidemill.Fatalf("it holds %s, and there is no checkpoint (another state folder, or it was lost); %s: %w",
			what, mend, tidemill.ErrUnknownMark)
	case held.Term > r.Term:
		return tidemill.Fatalf("this run of the flow %q has term %d, the sink has seen term %d: stop the other run; "+
			"if there is none, and its state folder was lost, %s: %w", r.Flow, r.Term, held.Term, mend, tidemill.ErrFenced)
	case held.Place != "":
		return nil
	case held == none && after.Seq > 0:
		return tidemill.Fatalf("it holds nothing of the flow %q, but the checkpoint has seen output %d: another target? "+
			"name the right one, or go on with this one with --adopt: %w", r.Flow, after.Seq, tidemill.ErrUnknownMark)
	case held != none && (held.Term < after.Term || held.Seq < after.Seq):
		return tidemill.Fatalf("its mark is term %d, output %d, but the checkpoint has seen term %d, output %d: "+
			"it is an older copy; name the right one, or go on with this one with --adopt: %w",
			held.Term, held.Seq, after.Term, after.Seq, tidemill.ErrUnknownMark)
	}
	return nil
}
