package tidemilltest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest"
)

// lifetime works on a store as an engine does, and gives the first error.
func lifetime(ctx context.Context, s tidemill.Store) error {
	term, unlock, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	w, err := s.Create(ctx, "a")
	if err != nil {
		return err
	}
	if _, err := w.Write([]byte("x")); err != nil {
		return err
	}
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		return err
	}
	if err := s.Save(ctx, tidemilltest.SampleCheckpoint(term, 1)); err != nil {
		return err
	}
	return unlock()
}

func TestFaultsVisitEveryOperation(t *testing.T) {
	ctx := t.Context()
	none := tidemilltest.NewFaults(0, tidemilltest.FailOnce)
	if err := lifetime(ctx, none.Store(store.Memory())); err != nil || none.Ops() != 5 || none.What() != "" {
		t.Fatalf("without a fault: %v, %d operations, %q", err, none.Ops(), none.What())
	}
	names := []string{"store.Lock", "store.Create a", "segment.Write a", "segment.Sync a", "store.Save 1.1"}
	for at := 1; at <= 5; at++ {
		for _, how := range []tidemilltest.Failure{tidemilltest.FailOnce, tidemilltest.FailAfter, tidemilltest.CrashBefore, tidemilltest.CrashAfter} {
			inner := store.Memory()
			f := tidemilltest.NewFaults(at, how)
			s := f.Store(inner)
			err := lifetime(ctx, s)
			crash := how == tidemilltest.CrashBefore || how == tidemilltest.CrashAfter
			if crash != errors.Is(err, tidemilltest.ErrCrashed) || crash == errors.Is(err, tidemilltest.ErrInjected) || crash != tidemill.IsFatal(err) {
				t.Errorf("%s at %s gives %v", how, f.What(), err)
			}
			if f.What() != names[at-1] {
				t.Errorf("operation %d is %q, not %q", at, f.What(), names[at-1])
			}
			if _, _, err := s.List(ctx); crash != errors.Is(err, tidemilltest.ErrCrashed) {
				t.Errorf("after %s, List gives %v", how, err)
			}
			if err := f.Bury(); err != nil {
				t.Error(err)
			}
			ids, _, err := inner.List(ctx)
			done := at == 5 && (how == tidemilltest.FailAfter || how == tidemilltest.CrashAfter)
			if err != nil || (len(ids) == 1) != done {
				t.Errorf("after %s at %s the store holds %v, %v", how, f.What(), ids, err)
			}
			if _, _, err := inner.Lock(ctx); err != nil {
				t.Errorf("after %s at %s and Bury: %v", how, f.What(), err)
			}
		}
	}
}

func TestFaultsBlock(t *testing.T) {
	f := tidemilltest.NewFaults(2, tidemilltest.Block)
	s := f.Store(store.Memory())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := lifetime(ctx, s); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("blocked, it gives %v", err)
	}
	f = tidemilltest.NewFaults(2, tidemilltest.Block)
	time.AfterFunc(20*time.Millisecond, f.Unblock)
	if err := lifetime(t.Context(), f.Store(store.Memory())); err != nil {
		t.Errorf("unblocked, it gives %v", err)
	}
}
