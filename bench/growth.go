package main

import (
	"context"
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
	g := &growth{b: b, s: s}
	for _, sides := range [][]side{
		{g.snapshot(10 * rows), g.snapshot(rows)},
		{g.stream(10*rows, rows), g.stream(rows, rows)},
		{g.stream(rows, 10*rows), g.stream(rows, rows)},
		{g.year(3 * rows), g.year(3 * rows / 10)},
	} {
		if _, err := b.interleave(ctx, 3, sides...); err != nil {
			return err
		}
	}
	return nil
}

// growth makes the sides of growthRow; each run has a slot of its own.
type growth struct {
	b    *bench
	s    *server
	runs int
}

// table makes a table of n rows.
func (g *growth) table(ctx context.Context, n int) error {
	return g.s.exec(ctx, "DROP TABLE IF EXISTS accounts",
		accounts, fillAccounts(0, n), "VACUUM ANALYZE accounts", "CHECKPOINT")
}

func (g *growth) slot() string {
	g.runs++
	return "growth" + strconv.Itoa(g.runs)
}

// source reads n changes.
func (g *growth) source(ctx context.Context, slot string, n int) (figures, error) {
	return g.b.child("", "source", "url="+g.s.url(), "slot="+slot, "rows="+strconv.Itoa(n),
		"state="+filepath.Join(g.s.dir, slot)).run(ctx)
}

// perRow are the figures of a source that read n rows.
func perRow(f figures, n int) figures {
	return figures{"seconds": float64(n) / f["rows_per_s"], "us_per_row": 1e6 / f["rows_per_s"],
		"first_s": f["first_s"], "cpu_s": f["cpu_s"], "rss_mb": f["rss_mb"]}
}

func (g *growth) snapshot(n int) side {
	return side{own: true, name: fmt.Sprintf("snapshot of %d rows", n), run: func(ctx context.Context) (figures, error) {
		if err := g.table(ctx, n); err != nil {
			return nil, err
		}
		f, err := g.source(ctx, g.slot(), n)
		if err != nil {
			return nil, err
		}
		return perRow(f, n), g.s.forget(ctx)
	}}
}

// stream inserts n rows into a table that has some already.
func (g *growth) stream(n, have int) side {
	return side{own: true, name: fmt.Sprintf("stream of %d rows into %d", n, have),
		run: func(ctx context.Context) (figures, error) {
			if err := g.table(ctx, have); err != nil {
				return nil, err
			}
			slot := g.slot()
			if _, err := g.source(ctx, slot, have); err != nil { // the snapshot
				return nil, err
			}
			if err := g.s.exec(ctx, fillAccounts(have, n)); err != nil {
				return nil, err
			}
			f, err := g.source(ctx, slot, n)
			if err != nil {
				return nil, err
			}
			return perRow(f, n), g.s.forget(ctx)
		}}
}

// year lets n flights go by.
func (g *growth) year(n int) side {
	return side{own: true, name: fmt.Sprintf("%d flights through SQLite", n),
		run: func(ctx context.Context) (f figures, err error) {
			err = g.b.inFolder(func(dir string) error {
				f, err = g.b.child("", "flights", "dir="+dir, "rows="+strconv.Itoa(n)).run(ctx)
				return err
			})
			if err != nil {
				return nil, err
			}
			return figures{"seconds": f["seconds"], "us_per_row": 1e6 / f["rows_per_s"], "cpu_s": f["cpu_s"],
				"rss_mb": f["rss_mb"]}, nil
		}}
}
