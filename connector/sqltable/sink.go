package sqltable

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
)

// Sink writes predictions and the mark to one table. A system's own sink embeds it. One goroutine uses it.
type Sink struct {
	c          Config
	statements Statements

	flow    string
	term    uint64 // 0: not resumed
	seq     uint64 // of the last output that is committed
	held    uint64 // rows of outputs up to this one may have been in the table at Resume
	replay  uint64 // outputs up to this one are in the table, and come again as they were: they are passed over
	unsure  bool   // a commit's outcome is not known: the mark says it
	synced  bool   // what is committed is durable
	durable uint64 // Seq of the last output that is known to be durable
	kept    []tidemill.Output
	batch   Batch
}

// Config is what a Sink is made of.
type Config struct {
	System     System
	Reader     func() System // another connection, which only reads
	Dialect    Dialect
	Statements Statements
	Where      string // begins messages: "postgres: sink public.predictions"
	Table      string // as the marks name it
	Marks      string // the table of the marks, in messages
	Truth      bool   // truths are told
	Chunk      int    // how many outputs one transaction takes at most; 0: all of a Write
}

// New makes a sink. Nothing is opened before Mark or Resume.
func New(c Config) *Sink { return &Sink{c: c, statements: c.Statements} }

// What of a Server's commits may not wait for its disk: a small write is visible as soon as ever, and a reader does
// not wait for an fsync that only the next checkpoint needs. See docs/decisions/2026-11-23-sink-commits.md.
const (
	// looseOutputs is the most outputs of a write that does not wait; larger ones are worth their fsync.
	looseOutputs = 256
	// keptOutputs is how many outputs may be without an fsync: the next write waits for it.
	keptOutputs = 8192
)

// Mark implements tidemill.Sink. It makes nothing.
func (s *Sink) Mark(ctx context.Context, flow string) (tidemill.Mark, error) {
	if err := s.c.System.Open(ctx); err != nil {
		return tidemill.Mark{}, err
	}
	if there, err := s.c.System.HasMarks(ctx); err != nil || !there {
		return tidemill.Mark{}, err
	}
	return s.readMark(ctx, s.statements.ReadMark, flow)
}

// readMark is the mark that the database holds; zero if none.
func (s *Sink) readMark(ctx context.Context, statement, flow string) (m tidemill.Mark, err error) {
	_, err = s.c.System.Query(ctx, statement, func(columns []string) error {
		var err1, err2 error
		m.Term, err1 = strconv.ParseUint(columns[0], 10, 64)
		m.Seq, err2 = strconv.ParseUint(columns[1], 10, 64)
		if err1 != nil || err2 != nil {
			return tidemill.Fatalf("%s: table %s holds a mark (%s, %s) that is none", s.c.Where, s.c.Marks, columns[0],
				columns[1])
		}
		return nil
	}, flow, s.c.Table)
	return m, err
}

// Resume makes the tables where they are missing, and takes the term.
func (s *Sink) Resume(ctx context.Context, r tidemill.Resumption) error {
	s.flow, s.term, s.kept, s.unsure = r.Flow, 0, nil, false
	err := s.c.System.Close()
	if err == nil {
		err = s.c.System.Open(ctx)
	}
	if err == nil {
		err = s.c.System.CreateTables(ctx)
	}
	if err == nil {
		err = s.c.System.Transact(ctx, func() error { return s.take(ctx, r) })
	}
	if err == nil {
		err = s.c.System.Prepare(ctx)
	}
	if err != nil {
		return errors.Join(err, s.c.System.Close())
	}
	s.term, s.seq, s.durable, s.synced = r.Term, r.After.Seq, r.After.Seq, s.c.Dialect.Server
	return nil
}

// take writes the term into the mark, in a transaction that holds the mark against other runs.
func (s *Sink) take(ctx context.Context, r tidemill.Resumption) error {
	q := s.c.System.Query
	if _, err := q(ctx, s.statements.NewMark, nil, r.Flow, s.c.Table); err != nil {
		return err
	}
	m, err := s.readMark(ctx, s.statements.LockMark, r.Flow)
	if err != nil {
		return err
	}
	if m.Term > r.Term && !r.Adopt {
		return fmt.Errorf("%s: flow %q has term %d, the table has seen term %d: %w", s.c.Where, r.Flow, r.Term, m.Term,
			tidemill.ErrFenced)
	}
	s.held, s.replay = m.Seq, 0
	if r.Replay {
		s.replay = m.Seq
	}
	if r.Reset {
		for _, task := range r.Tasks {
			if _, err := q(ctx, s.statements.DeleteTask, nil, task); err != nil {
				return err
			}
		}
	}
	_, err = q(ctx, s.statements.TakeMark, nil, r.Term, max(r.After.Seq, s.replay), r.Flow, s.c.Table)
	return err
}

// Write commits the outputs with their mark. After an error it may be called again with the same outputs: if they
// were committed after all, the mark says so. A Server's small write is visible at once but durable only with
// Flush.
func (s *Sink) Write(ctx context.Context, out []tidemill.Output) error {
	if s.term == 0 {
		return tidemill.Fatalf("%s: Write before Resume", s.c.Where)
	}
	for len(out) > 0 {
		n := len(out)
		if s.c.Chunk > 0 {
			n = min(n, s.c.Chunk)
		}
		if err := s.write(ctx, out[:n]); err != nil {
			return err
		}
		out = out[n:]
	}
	return nil
}

func (s *Sink) write(ctx context.Context, out []tidemill.Output) error {
	last, wait := out[len(out)-1].Seq, s.waits(out)
	held, looked, err := s.ready(ctx)
	if err != nil {
		return err
	}
	if looked && held.Seq >= last && last > s.seq {
		s.committed(out, wait) // before the answer was lost
		return nil
	}
	durable, err := s.commit(ctx, out, max(last, s.replay), wait)
	if r := (*Refusal)(nil); errors.As(err, &r) {
		switch half := len(out) / 2; {
		case r.Output != nil:
			return refused(s.c.Where, r.Output, r.Err)
		case half == 0:
			return refused(s.c.Where, &out[0], r.Err)
		default: // what is before the row that is refused is written, and the row is named
			if err := s.write(ctx, out[:half]); err != nil {
				return err
			}
			return s.write(ctx, out[half:])
		}
	}
	if err != nil {
		return err
	}
	s.committed(out, durable)
	return nil
}

// waits reports whether the commit of out waits for the server's disk.
func (s *Sink) waits(out []tidemill.Output) bool {
	return s.c.Dialect.Server && (len(out) > looseOutputs || len(s.kept)+len(out) > keptOutputs)
}

// commit writes the outputs that the table does not have, and the mark.
func (s *Sink) commit(ctx context.Context, out []tidemill.Output, seq uint64, wait bool) (durable bool, err error) {
	for len(out) > 0 && out[0].Seq <= s.replay { // rows that have moved would move again
		out = out[1:]
	}
	b := &s.batch
	b.Flow, b.Table, b.Mark, b.Wait = s.flow, s.c.Table, tidemill.Mark{Term: s.term, Seq: seq}, wait
	b.Fresh = len(out) > 0 && out[0].Seq > s.held
	b.outputs, b.truth = out, s.c.Truth
	durable, err = s.c.System.Write(ctx, b)
	b.outputs = nil
	if err == nil {
		return durable, nil
	}
	s.unsure = s.c.Dialect.Server
	if errors.Is(err, ErrMarkTaken) {
		m, err := s.readMark(ctx, s.statements.ReadMark, s.flow)
		if err != nil {
			return false, err
		}
		return false, s.fenced(m)
	}
	return false, err
}

func (s *Sink) fenced(m tidemill.Mark) error {
	if m.Term == 0 {
		return tidemill.Fatalf("%s: the mark of flow %q in %s was deleted; stop, and start again with --adopt: %w",
			s.c.Where, s.flow, s.c.Marks, tidemill.ErrUnknownMark)
	}
	return fmt.Errorf("%s: flow %q has term %d, the table has seen term %d: %w", s.c.Where, s.flow, s.term, m.Term,
		tidemill.ErrFenced)
}

// committed notes what has been committed. What is not durable at a Server is kept until it is: a server that
// crashes loses the newest writes, rows and marks together; the mark that it comes back with says which, and they
// are written again.
func (s *Sink) committed(out []tidemill.Output, durable bool) {
	s.seq, s.synced = out[len(out)-1].Seq, durable
	if durable {
		s.kept, s.durable = s.kept[:0], s.seq
		return
	}
	if !s.c.Dialect.Server {
		return
	}
	for i := range out {
		switch o := out[i]; o.Kind {
		case tidemill.Predicted, tidemill.Truth, tidemill.Retracted:
			// Neither the change nor its memory is held on to.
			o.Change = nil
			o.Task, o.ID, o.NewID, o.Label = strings.Clone(o.Task), strings.Clone(o.ID), strings.Clone(o.NewID),
				strings.Clone(o.Label)
			o.Position, o.Truth, o.Reason = strings.Clone(o.Position), strings.Clone(o.Truth), ""
			o.Prediction = slices.Clone(o.Prediction)
			s.kept = append(s.kept, o)
		}
	}
}

// ready makes sure of the connection and, where it is new or a commit's outcome is not known, of what the table
// holds: what the server has lost is written again. held is the mark, if it was looked at.
func (s *Sink) ready(ctx context.Context) (held tidemill.Mark, looked bool, err error) {
	if !s.c.System.IsOpen() {
		s.unsure = true
		if err := s.c.System.Open(ctx); err != nil {
			return held, false, err
		}
		if err := s.c.System.Prepare(ctx); err != nil {
			return held, false, err
		}
	}
	if !s.unsure {
		return held, false, nil
	}
	if held, err = s.readMark(ctx, s.statements.ReadMark, s.flow); err != nil {
		return held, false, err
	}
	if held.Term == 0 || held.Term > s.term {
		return held, false, s.fenced(held)
	}
	if held.Term < s.term || held.Seq < s.durable {
		return held, false,
			fmt.Errorf("%s: its mark is term %d, output %d, but the server had called term %d, output %d durable: "+
				"the table is an older copy; stop, and start again with --adopt: %w", s.c.Where, held.Term, held.Seq, s.term,
				s.durable, tidemill.ErrUnknownMark)
	}
	lost := slices.IndexFunc(s.kept, func(o tidemill.Output) bool { return o.Seq > held.Seq })
	if lost >= 0 {
		if _, err := s.commit(ctx, s.kept[lost:], max(s.seq, s.replay), true); err != nil {
			return held, false, err
		}
		s.kept, s.durable, s.synced, held.Seq = s.kept[:0], s.seq, true, s.seq
	}
	s.unsure = false
	return held, true, nil
}

// Flush makes durable what was committed, and returns its mark. Like Write it may be called again after an error.
func (s *Sink) Flush(ctx context.Context) (tidemill.Mark, error) {
	if s.term == 0 {
		return tidemill.Mark{}, tidemill.Fatalf("%s: Flush before Resume", s.c.Where)
	}
	mark := tidemill.Mark{Term: s.term, Seq: s.seq}
	if s.synced {
		return mark, nil
	}
	if _, _, err := s.ready(ctx); err != nil {
		return tidemill.Mark{}, err
	}
	if !s.synced { // one commit that waits makes all before it durable
		if _, err := s.commit(ctx, nil, max(s.seq, s.replay), true); err != nil {
			return tidemill.Mark{}, err
		}
		s.kept, s.durable, s.synced = s.kept[:0], s.seq, true
	}
	return mark, nil
}

// Close drops the connection.
func (s *Sink) Close() error {
	s.term = 0
	return s.c.System.Close()
}
