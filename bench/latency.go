package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemill/tidemill/examples/mnist"
)

// trained starts a flow that has learned all of MNIST and streams.
func (b *bench) trained(ctx context.Context, s *server, name string) (*mill, error) {
	dir := filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	flow, err := s.digitFlow(dir)
	if err != nil {
		return nil, err
	}
	m, err := b.startMill(ctx, s.env(), flow)
	if err != nil {
		return nil, err
	}
	return m, m.until(ctx, 100*time.Millisecond, func(st status) bool { return st.Snapshot.Done })
}

// watch tells when each prediction becomes visible: a trigger on the table notifies, and PostgreSQL delivers what a
// transaction notified when it has committed.
func (s *server) watch(ctx context.Context, saw func(id int, at time.Time)) (stop func(), err error) {
	if err := s.exec(ctx, `CREATE OR REPLACE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('told', NEW.id); RETURN NULL; END $$`,
		"CREATE TRIGGER told AFTER INSERT ON predictions FOR EACH ROW EXECUTE FUNCTION told()"); err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN told"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			n, err := conn.WaitForNotification(ctx)
			if err != nil {
				return
			}
			at := time.Now()
			if id, err := strconv.Atoi(n.Payload); err == nil {
				saw(id, at)
			}
		}
	})
	return func() { cancel(); wait.Wait(); conn.Close(context.Background()) }, nil
}

// latencyRow inserts 200 rows per second, each a transaction, and measures from the answer to its COMMIT, and from
// before its INSERT was sent, until its prediction is visible.
func latencyRow(ctx context.Context, b *bench) error {
	s, err := startServer()
	if err != nil {
		return err
	}
	defer s.close()
	rows := 2000
	if b.size > 0 {
		rows = b.size
	}
	i := 0
	ours := side{name: "tidemill", run: func(ctx context.Context) (figures, error) {
		i++
		if err := s.loadDigits(ctx, 60000, 0); err != nil {
			return nil, err
		}
		m, err := b.trained(ctx, s, "latency"+strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		f, err := s.pace(ctx, rows, 200)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, m.errs)
		}
		used, err := m.stop()
		if err != nil {
			return nil, err
		}
		for k, v := range used {
			f[k] = v
		}
		return f, s.forget(ctx)
	}}
	load := func(ctx context.Context) error { return s.loadDigits(ctx, 60000, 0) }
	_, err = b.interleave(ctx, 3, ours,
		b.stack(s, "stack tuned", 3, load, "latency", "tuned", "raw", strconv.Itoa(rows), "200"),
		b.stack(s, "stack default", 1, load, "latency", "default", "json", strconv.Itoa(rows), "200"))
	return err
}

// pace inserts rows at a rate and waits for their predictions.
func (s *server) pace(ctx context.Context, rows int, perSecond float64) (figures, error) {
	set, err := mnist.Test()
	if err != nil {
		return nil, err
	}
	seen := make([]time.Time, rows+1)
	left := rows
	all := make(chan struct{})
	stop, err := s.watch(ctx, func(id int, at time.Time) {
		if id <= rows && seen[id].IsZero() {
			seen[id] = at
			if left--; left == 0 {
				close(all)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	defer stop()
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	sent, acked := make([]time.Time, rows+1), make([]time.Time, rows+1)
	start := time.Now().Add(200 * time.Millisecond)
	for i := 1; i <= rows; i++ {
		time.Sleep(time.Until(start.Add(time.Duration(float64(i) / perSecond * 1e9))))
		sent[i] = time.Now()
		if _, err := conn.Exec(ctx, "INSERT INTO mnist_test(label, pixels) VALUES ($1, $2)",
			int16(set.Labels[i%set.N]), set.Image(i%set.N)); err != nil {
			return nil, err
		}
		acked[i] = time.Now()
	}
	select {
	case <-all:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(20 * time.Second):
		return nil, fmt.Errorf("%d of %d predictions did not come", left, rows)
	}
	var after, whole, commit []float64
	for i := 1; i <= rows; i++ {
		after = append(after, ms(seen[i].Sub(acked[i])))
		whole = append(whole, ms(seen[i].Sub(sent[i])))
		commit = append(commit, ms(acked[i].Sub(sent[i])))
	}
	return figures{"p50_ms": quantile(after, 0.5), "p99_ms": quantile(after, 0.99),
		"from_insert_p50_ms": quantile(whole, 0.5), "from_insert_p99_ms": quantile(whole, 0.99),
		"insert_p50_ms": quantile(commit, 0.5), "insert_p99_ms": quantile(commit, 0.99)}, nil
}

func ms(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
