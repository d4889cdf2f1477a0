package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
)

// A small write is committed without waiting for the server's disk: its rows are visible as soon as ever, and a reader of
// the table does not wait for an fsync that only the next checkpoint needs. The outputs are kept until Flush has made the
// log durable. A server that crashes before that loses the newest writes, rows and marks together: the mark that it comes
// back with says which, and they are written again. See docs/decisions/2026-11-23-sink-commits.md.
const (
	// looseRows is the most outputs of a write that does not wait; larger ones are worth their fsync.
	looseRows = 256
	// keptRows is how many outputs may be without an fsync: the next write waits for it.
	keptRows = 8192
)

// loose reports whether out may be committed without waiting.
func (w *Predictions) loose(out []tidemill.Output) bool {
	return len(out) <= looseRows && len(w.kept)+len(out) <= keptRows
}

// committed notes what has been committed.
func (w *Predictions) committed(out []tidemill.Output, loose bool) {
	w.seq = out[len(out)-1].Seq
	if !loose {
		w.kept, w.durable = w.kept[:0], w.seq
		return
	}
	for i := range out {
		switch o := out[i]; o.Kind {
		case tidemill.Predicted, tidemill.Truth, tidemill.Retracted:
			// Neither the change nor its memory is held on to.
			o.Change = nil
			o.Task, o.ID, o.NewID, o.Label = strings.Clone(o.Task), strings.Clone(o.ID), strings.Clone(o.NewID), strings.Clone(o.Label)
			o.Position, o.Truth, o.Reason = strings.Clone(o.Position), strings.Clone(o.Truth), ""
			o.Prediction = slices.Clone(o.Prediction)
			w.kept = append(w.kept, o)
		}
	}
}

// ready makes sure of the connection and, where it is new or a commit's outcome is not known, of what the table holds:
// what the server has lost is written again. m is the mark if it was looked at.
func (w *Predictions) ready(ctx context.Context) (m *tidemill.Mark, err error) {
	if w.conn == nil || w.conn.IsClosed() {
		w.unsure = true
		if err := w.open(ctx); err != nil {
			return nil, err
		}
		if err := w.prepare(ctx); err != nil {
			return nil, err
		}
	}
	if !w.unsure {
		return nil, nil
	}
	if m, err = w.readMark(ctx); err != nil {
		return nil, err
	}
	if m == nil || m.Term > w.term {
		return nil, w.fenced(m)
	}
	if m.Term < w.term || m.Seq < w.durable {
		return nil, fmt.Errorf("postgres: sink %s: its mark is term %d, output %d, but the server had called term %d, output %d durable: the table is an older copy; stop, and start again with --adopt: %w",
			w.table, m.Term, m.Seq, w.term, w.durable, tidemill.ErrUnknownMark)
	}
	lost := slices.IndexFunc(w.kept, func(o tidemill.Output) bool { return o.Seq > m.Seq })
	if lost >= 0 {
		if err := w.commit(ctx, w.kept[lost:], max(w.seq, w.told), false); err != nil {
			return nil, err
		}
		w.kept, w.durable, m.Seq = w.kept[:0], w.seq, w.seq
	}
	w.unsure = false
	return m, nil
}

// Flush makes durable what was committed, and returns its mark. Like Write it may be called again after an error.
func (w *Predictions) Flush(ctx context.Context) (tidemill.Mark, error) {
	mark := tidemill.Mark{Term: w.term, Seq: w.seq}
	if w.term == 0 || w.durable == w.seq {
		return mark, nil
	}
	if _, err := w.ready(ctx); err != nil {
		return tidemill.Mark{}, err
	}
	if w.durable < w.seq {
		// A commit that waits for the log waits for all of it.
		if err := w.send(ctx, nil, max(w.seq, w.told), w.safe); err != nil {
			return tidemill.Mark{}, err
		}
		w.kept, w.durable = w.kept[:0], w.seq
	}
	return mark, nil
}
