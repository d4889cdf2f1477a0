package engine_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
)

// refusing is a sink whose writes fail with what is in errs, one after the other, and then work.
type refusing struct {
	tableSink
	errs []error
	at   []time.Time // of the writes
}

func (s *refusing) Write(ctx context.Context, out []tidemill.Output) error {
	s.at = append(s.at, time.Now())
	if n := len(s.at); n <= len(s.errs) {
		return s.errs[n-1]
	}
	return s.tableSink.Write(ctx, out)
}

// shouts keeps what the log is told.
type shouts struct {
	slog.Handler
	mu   sync.Mutex
	said []string
}

func (s *shouts) Enabled(context.Context, slog.Level) bool { return true }
func (s *shouts) Handle(_ context.Context, r slog.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, r.Message)
	return nil
}

// about are the sentences about sinks.
func (s *shouts) about() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, m := range s.said {
		if strings.Contains(m, "sink") {
			out = append(out, m)
		}
	}
	return out
}

// waits runs a flow whose sink fails so, and gives the pauses between the tries of the first write.
func waits(t *testing.T, errs ...error) (pauses []time.Duration, said []string) {
	t.Helper()
	table := orders()
	snap, stream := history(table, 10, 40)
	sink, log := &refusing{errs: errs}, &shouts{Handler: slog.DiscardHandler}
	synctest.Test(t, func(t *testing.T) {
		m, err := engine.Start(t.Context(), tidemill.Flow{Name: "orders", Source: &script{table: table, snapshot: snap, stream: stream, cut: 4},
			Tasks: []tidemill.Task{lateTask()}, Sinks: []tidemill.Sink{sink}, Store: store.Memory(), Every: time.Hour, StopTimeout: time.Hour,
			Once: true, Log: slog.New(log)})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Wait(); err != nil {
			t.Fatal(err)
		}
	})
	if len(sink.rows) != 30 {
		t.Errorf("%d rows, want 30", len(sink.rows))
	}
	for i := range errs {
		pauses = append(pauses, sink.at[i+1].Sub(sink.at[i]))
	}
	return pauses, log.about()
}

func repeated(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// TestBackOff: the waits double from 100 ms to 10 s, each longer by up to a half, and one alarm is raised.
func TestBackOff(t *testing.T) {
	got, said := waits(t, repeated(errors.New("down"), 10)...)
	want := 100 * time.Millisecond
	for i, p := range got {
		if p < want || p > want*3/2 {
			t.Errorf("wait %d is %v, not %v and up to a half", i, p, want)
		}
		want = min(2*want, 10*time.Second)
	}
	if len(said) != 2 || !strings.Contains(said[0], "failed, trying again: down") || !strings.Contains(said[1], "is back") {
		t.Errorf("said %q", said)
	}
}

// TestBackOffAsAsked: a server that asks for a wait gets exactly that, and the back-off goes on after it.
func TestBackOffAsAsked(t *testing.T) {
	asked := &tidemill.RetryError{Err: errors.New("429"), After: 3 * time.Minute}
	got, _ := waits(t, errors.New("down"), asked, asked, errors.New("down"))
	if got[1] != 3*time.Minute || got[2] != 3*time.Minute {
		t.Errorf("the waits are %v; the second and third were asked for", got)
	}
	if got[3] < 800*time.Millisecond || got[3] > 1200*time.Millisecond {
		t.Errorf("the fourth wait is %v", got[3])
	}
}

// TestBackOffAfterProgress: who gets on between two errors waits as after a first one.
func TestBackOffAfterProgress(t *testing.T) {
	got, _ := waits(t, repeated(&tidemill.RetryError{Err: errors.New("one was late"), Progress: true}, 8)...)
	for i, p := range got {
		if p < 100*time.Millisecond || p > 150*time.Millisecond {
			t.Errorf("wait %d is %v", i, p)
		}
	}
}

// TestBackOffQuiet: an error that is too early to tell is not told; one that is not, is.
func TestBackOffQuiet(t *testing.T) {
	early := &tidemill.RetryError{Err: errors.New("early"), Quiet: true}
	if _, said := waits(t, early, early); len(said) != 0 {
		t.Errorf("said %q", said)
	}
	_, said := waits(t, early, &tidemill.RetryError{Err: errors.New("late")})
	if len(said) != 2 || !strings.Contains(said[0], "trying again: late") {
		t.Errorf("said %q", said)
	}
}
