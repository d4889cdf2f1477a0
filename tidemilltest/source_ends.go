package tidemilltest

import (
	"context"
	"errors"
	"time"

	"github.com/tidemill/tidemill"
)

func (s *sourceTest) cancel() {
	s.apply(insertedTo(1, 500)...)
	// While it waits for changes.
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	var at time.Time
	for b, err := range s.db.Source(s.T).Changes(ctx, "") {
		if err != nil {
			if !errors.Is(err, context.Canceled) || tidemill.IsFatal(err) {
				s.Errorf("cancelled, it gives %v", err)
			}
			break
		}
		if b.CaughtUp && at.IsZero() {
			at = time.Now()
			time.AfterFunc(50*time.Millisecond, cancel)
		}
	}
	if at.IsZero() {
		s.Fatal("it ended before it had caught up")
	}
	if took := time.Since(at); took > 3*time.Second {
		s.Errorf("it took %v to end after the cancel", took)
	}
	// In the middle, and cancelled before it begins.
	after := tidemill.Begun
	if s.h.NoSnapshot {
		after = ""
	}
	ctx, cancel = context.WithCancel(s.ctx)
	defer cancel()
	for range s.db.Source(s.T).Changes(ctx, after) {
		cancel()
		at = time.Now()
	}
	for range s.db.Source(s.T).Changes(ctx, after) {
	}
	if took := time.Since(at); took > 3*time.Second {
		s.Errorf("it took %v to end after the cancel in the middle", took)
	}
	// Broken off by its consumer: the source must close what it opened, and open it again.
	for range 3 {
		s.read(s.db.Source(s.T), after, func(heard) bool { return true })
	}
	got := map[int64]SourceItem{}
	s.fold(got, changesOf(s.read(s.db.Source(s.T), after, untilCaughtUp)))
	s.same(got)
}

func (s *sourceTest) interruptedSnapshot() {
	s.apply(insertedTo(1, 3000)...)
	s.read(s.db.Source(s.T), "", func(heard) bool { return true })
	s.apply(inserted(4000)...)
	got := map[int64]SourceItem{}
	s.fold(got, changesOf(s.read(s.db.Source(s.T), tidemill.Begun, untilCaughtUp)))
	s.same(got)
}

func (s *sourceTest) release() {
	s.apply(insertedTo(1, 10)...)
	src := s.db.Source(s.T)
	tape := s.read(src, "", untilCaughtUp)
	got := map[int64]SourceItem{}
	s.fold(got, changesOf(tape))
	last := tape[len(tape)-1].upto
	for round := range int64(3) {
		w := s.writer(uint64(round), 1, 2)
		w.next = 10_000 * (round + 1)
		w.ids = nil
		var positions []tidemill.Position
		for range 10 {
			w.transaction()
		}
		end := marker + round
		s.apply(inserted(end)...)
		stop := s.untilID(end)
		tape, err := s.run(src, last, func(h heard) bool {
			if h.upto != "" {
				positions = append(positions, h.upto)
			}
			// Beside the stream: everything but the last two positions is durable.
			if n := len(positions); n > 2 {
				if err := src.Release(s.ctx, positions[n-3]); err != nil {
					s.Errorf("Release beside Changes: %v", err)
				}
			}
			return stop(h)
		})
		if err != nil {
			s.Fatalf("round %d: %v", round, err)
		}
		s.fold(got, changesOf(tape))
		s.same(got)
		old := last
		last = positions[len(positions)-1]
		for _, p := range []tidemill.Position{last, last, old} {
			// between runs; again; and an older one, which changes nothing
			if err := src.Release(s.ctx, p); err != nil {
				s.Fatalf("Release %q: %v", p, err)
			}
		}
		if round == 1 {
			src = s.db.Source(s.T) // another process resumes from what was released last
		}
	}
	s.apply(inserted(marker + 100)...)
	s.fold(got, changesOf(s.read(s.db.Source(s.T), last, s.untilID(marker+100))))
	s.same(got)
}

func (s *sourceTest) slow() {
	s.apply(insertedTo(1, 200)...)
	src := s.db.Source(s.T)
	wait := s.concurrently(func() {
		w := s.writer(5, 1, 2, 3)
		for range 60 {
			w.transaction()
		}
	})
	n, slept := 0, 0
	stop := s.untilID(marker)
	tape := s.read(src, "", func(h heard) bool {
		n++
		if slept < 3 && (n == 1 || h.live && len(h.changes) > 0) {
			slept++
			time.Sleep(s.h.Pause)
		}
		return stop(h)
	})
	wait()
	got := map[int64]SourceItem{}
	s.fold(got, changesOf(tape))
	s.same(got)
}

func (s *sourceTest) memory() {
	s.apply(insertedTo(1, 500)...)
	wait := s.concurrently(func() {
		for id := int64(1000); id < 1040; id++ {
			s.apply(inserted(id)...)
		}
	})
	var batches []tidemill.Batch
	var tape []heard
	stop := s.untilID(marker)
	src := s.db.Source(s.T)
	for b, err := range src.Changes(s.ctx, "") {
		if err != nil {
			s.Fatal(err)
		}
		h := s.hear(src, &b)
		batches, tape = append(batches, b), append(tape, h)
		if stop(h) {
			break
		}
	}
	wait()
	for i, b := range batches {
		for k := range b.Changes {
			c, was := &b.Changes[k], &tape[i].changes[k]
			if !sameValues(c.Before, was.before) || !sameValues(c.After, was.after) {
				s.Fatalf("batch %d, change %d was %v -> %v when it came and is %v -> %v later",
					i, k, was.before, was.after, c.Before, c.After)
			}
		}
	}
}

func (s *sourceTest) foreign() {
	s.apply(insertedTo(1, 5)...)
	tape := s.read(s.db.Source(s.T), "", untilCaughtUp)
	from := tape[len(tape)-1].upto
	_, err := s.run(s.db.Source(s.T), "no position at all", untilCaughtUp)
	s.isFatal("Changes after nonsense", err)
	if s.h.SharedLog {
		return
	}
	other := &sourceTest{T: s.T, ctx: s.ctx, h: s.h, db: s.h.New(s.T), rows: map[int64]SourceItem{}}
	other.apply(insertedTo(101, 110)...)
	other.read(other.db.Source(s.T), "", untilCaughtUp)
	if _, err := other.run(other.db.Source(s.T), from, untilCaughtUp); !errors.Is(err, tidemill.ErrGap) {
		s.Errorf("Changes after %q of another database gives %v, not ErrGap", from, err)
	}
}
