package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
)

// growthRow shows how costs grow: a snapshot, a stream and a year of flights of one and of ten times the rows, and a
// stream from a table that is ten times as long.
func growthRow(ctx context.Context, b *bench) error {
	rows := 100_000
	if b.size > 0 {
		rows = b.size
	}
	s, err := startServer()
	if err != nil {
		return err
	}
	defer s.close()
	i := 0
	table := func(ctx context.Context, n int) error {
		return s.exec(ctx, "DROP TABLE IF EXISTS accounts", accounts, fillAccounts(0, n), "VACUUM ANALYZE accounts", "CHECKPOINT")
	}
	source := func(ctx context.Context, slot string, n int) (figures, error) {
		return b.child("", "source", "url="+s.url(), "slot="+slot, "rows="+strconv.Itoa(n), "state="+filepath.Join(s.dir, slot)).run(ctx)
	}
	measured := func(f figures, n int) figures {
		return figures{"seconds": float64(n) / f["rows_per_s"], "us_per_row": 1e6 / f["rows_per_s"], "first_s": f["first_s"], "cpu_s": f["cpu_s"], "rss_mb": f["rss_mb"]}
	}
	snapshot := func(n int) side {
		return side{own: true, name: fmt.Sprintf("snapshot of %d rows", n), run: func(ctx context.Context) (figures, error) {
			if err := table(ctx, n); err != nil {
				return nil, err
			}
			i++
			f, err := source(ctx, "growth"+strconv.Itoa(i), n)
			if err != nil {
				return nil, err
			}
			return measured(f, n), s.forget(ctx)
		}}
	}
	stream := func(n, have int) side {
		return side{own: true, name: fmt.Sprintf("stream of %d rows into %d", n, have), run: func(ctx context.Context) (figures, error) {
			if err := table(ctx, have); err != nil {
				return nil, err
			}
			i++
			slot := "growth" + strconv.Itoa(i)
			if _, err := source(ctx, slot, have); err != nil { // the snapshot
				return nil, err
			}
			if err := s.exec(ctx, fillAccounts(have, n)); err != nil {
				return nil, err
			}
			f, err := source(ctx, slot, n)
			if err != nil {
				return nil, err
			}
			return measured(f, n), errors.Join(err, s.forget(ctx))
		}}
	}
	year := func(n int) side {
		return side{own: true, name: fmt.Sprintf("%d flights through SQLite", n), run: func(ctx context.Context) (f figures, err error) {
			err = b.inFolder(func(dir string) error {
				f, err = b.child("", "flights", "dir="+dir, "rows="+strconv.Itoa(n)).run(ctx)
				return err
			})
			if err != nil {
				return nil, err
			}
			return figures{"seconds": f["seconds"], "us_per_row": 1e6 / f["rows_per_s"], "cpu_s": f["cpu_s"], "rss_mb": f["rss_mb"]}, nil
		}}
	}
	for _, sides := range [][]side{{snapshot(10 * rows), snapshot(rows)}, {stream(10*rows, rows), stream(rows, rows)}, {stream(rows, 10*rows), stream(rows, rows)},
		{year(3 * rows), year(3 * rows / 10)}} {
		if _, err := b.interleave(ctx, 3, sides...); err != nil {
			return err
		}
	}
	return nil
}
