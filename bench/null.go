package main

import (
	"context"
	"errors"
	"time"

	"github.com/tidemill/tidemill"
)

// nullSink counts what it is given and forgets it.
type nullSink struct {
	n           uint64
	first, last time.Time
	mark        tidemill.Mark
}

func (s *nullSink) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{}, errors.ErrUnsupported
}

func (s *nullSink) Resume(_ context.Context, r tidemill.Resumption) error {
	s.mark = tidemill.Mark{Term: r.Term, Seq: r.After.Seq}
	return nil
}

func (s *nullSink) Write(_ context.Context, out []tidemill.Output) error {
	now := time.Now()
	if s.n == 0 {
		s.first = now
	}
	s.last = now
	s.n += uint64(len(out))
	s.mark.Seq = out[len(out)-1].Seq
	return nil
}

func (s *nullSink) Flush(context.Context) (tidemill.Mark, error) { return s.mark, nil }

func (s *nullSink) Close() error { return nil }

func (s *nullSink) Describe() string { return "null" }
