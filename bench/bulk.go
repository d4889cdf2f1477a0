package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// bulkRow inserts rows in one transaction while the flow runs, and counts predictions per second from the first insert
// to the last prediction in the sink's table.
func bulkRow(ctx context.Context, b *bench) error {
	s, err := startServer()
	if err != nil {
		return err
	}
	defer s.close()
	rows := 20000
	if b.size > 0 {
		rows = b.size
	}
	i := 0
	ours := side{name: "tidemill", run: func(ctx context.Context) (figures, error) {
		i++
		if err := s.loadDigits(ctx, 60000, 0); err != nil {
			return nil, err
		}
		m, err := b.trained(ctx, s, "bulk"+strconv.Itoa(i))
		if err != nil {
			return nil, err
		}
		begin, server, own := time.Now(), s.cpu(), processCPU(m.cmd.Process.Pid)
		if err := s.exec(ctx, fmt.Sprintf("INSERT INTO mnist_test(label, pixels) SELECT label, pixels FROM "+
			"generate_series(1, %d), mnist_train WHERE id <= %d", (rows+59999)/60000, min(rows, 60000))); err != nil {
			return nil, err
		}
		inserted := time.Since(begin)
		// The mark commits with the predictions.
		if err := s.reach(ctx, "SELECT max(seq) FROM tidemill_marks", rows); err != nil {
			return nil, fmt.Errorf("%w: %s", err, m.errs)
		}
		took := time.Since(begin)
		server, own = s.cpu()-server, processCPU(m.cmd.Process.Pid)-own
		n, err := s.text(ctx, "SELECT count(*) FROM predictions")
		if err != nil {
			return nil, err
		}
		if n != strconv.Itoa(rows) {
			return nil, fmt.Errorf("%s predictions of %d", n, rows)
		}
		f, err := m.stop()
		if err != nil {
			return nil, err
		}
		f["server_cpu_us_per_row"], f["own_cpu_us_per_row"] = server/float64(rows)*1e6, own/float64(rows)*1e6
		f["rows_per_s"], f["insert_s"], f["seconds"] = float64(rows)/took.Seconds(), inserted.Seconds(), took.Seconds()
		return f, s.forget(ctx)
	}}
	load := func(ctx context.Context) error { return s.loadDigits(ctx, 60000, 0) }
	_, err = b.interleave(ctx, 5, ours,
		b.stack(s, "stack for throughput", 3, load, "bulk", "throughput", "raw", strconv.Itoa(rows)),
		b.stack(s, "stack tuned for latency", 1, load, "bulk", "tuned", "raw", strconv.Itoa(rows)))
	return err
}
