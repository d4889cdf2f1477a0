package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/store"
)

// accounts is the shape of pgbench_accounts.
const accounts = "CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))"

func fillAccounts(from, n int) string {
	return fmt.Sprintf("INSERT INTO accounts SELECT g, g / 100000 + 1, 0, '' FROM generate_series(%d, %d) g", from+1, from+n)
}

// sourceChild runs a flow without tasks from Postgres to the null sink until it has caught up.
func sourceChild(ctx context.Context, a args) (figures, error) {
	sink := &nullSink{}
	f := tidemill.Flow{Name: "bench", Source: postgres.Source(a["url"], "accounts").Slot(a["slot"]), Sinks: []tidemill.Sink{sink},
		Store: store.Dir(a["state"]), Once: true}
	begin := time.Now()
	m, err := tidemill.Start(ctx, f)
	if err != nil {
		return nil, err
	}
	if err := m.Wait(); err != nil {
		return nil, err
	}
	if want := a.int("rows"); sink.n != uint64(want) {
		return nil, fmt.Errorf("%d changes came, not %d", sink.n, want)
	}
	if sink.n == 0 {
		return figures{}, nil
	}
	total := sink.last.Sub(begin).Seconds()
	return figures{"rows_per_s": float64(sink.n) / total, "after_first_per_s": float64(sink.n) / sink.last.Sub(sink.first).Seconds(),
		"first_s": sink.first.Sub(begin).Seconds()}, nil
}

func snapshotRow(ctx context.Context, b *bench) error {
	rows := 1_000_000
	if b.size > 0 {
		rows = b.size
	}
	s, err := startServer()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.exec(ctx, accounts, fillAccounts(0, rows), "VACUUM ANALYZE accounts", "CHECKPOINT"); err != nil {
		return err
	}
	i := 0
	ours := side{name: "tidemill", run: func(ctx context.Context) (figures, error) {
		i++
		slot := "ours" + strconv.Itoa(i)
		f, err := b.child("", "source", "url="+s.url(), "slot="+slot, "rows="+strconv.Itoa(rows), "state="+filepath.Join(s.dir, slot)).run(ctx)
		return f, errors.Join(err, s.exec(ctx, "SELECT pg_drop_replication_slot('"+slot+"')"))
	}}
	_, err = b.interleave(ctx, 5, ours,
		side{name: "COPY TO STDOUT", run: func(ctx context.Context) (figures, error) {
			took, err := s.copyOut(ctx, "COPY accounts TO STDOUT")
			return figures{"rows_per_s": float64(rows) / took.Seconds()}, err
		}},
		b.debezium(s, "snapshot", rows, 3),
	)
	return err
}

func streamRow(ctx context.Context, b *bench) error {
	rows := 500_000
	if b.size > 0 {
		rows = b.size
	}
	s, err := startServer()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.exec(ctx, accounts); err != nil {
		return err
	}
	words := []string{"url=" + s.url(), "slot=ours", "state=" + filepath.Join(s.dir, "ours")}
	if _, err := b.child("", "source", append(words, "rows=0")...).run(ctx); err != nil {
		return err
	}
	if err := s.exec(ctx, "SELECT pg_create_logical_replication_slot('peer', 'pgoutput')"); err != nil {
		return err
	}
	dbz := b.debezium(s, "stream", rows, 3)
	if !b.ours && (b.only == "" || strings.Contains(b.only, dbz.name)) {
		if err := b.debeziumPosition(ctx, s); err != nil {
			return err
		}
	}
	done := 0
	write := func(ctx context.Context) error {
		err := s.exec(ctx, fillAccounts(done, rows))
		done += rows
		return err
	}
	ours := b.child("tidemill", "source", append(words, "rows="+strconv.Itoa(rows))...)
	first := ours.run
	ours.run = func(ctx context.Context) (figures, error) {
		if err := write(ctx); err != nil {
			return nil, err
		}
		return first(ctx)
	}
	_, err = b.interleave(ctx, 5, ours,
		side{name: "pg_recvlogical", run: func(ctx context.Context) (figures, error) {
			end, err := s.text(ctx, "pg_current_wal_lsn()")
			if err != nil {
				return nil, err
			}
			f, err := command(ctx, nil, s.tool("pg_recvlogical"), "-d", s.url(), "--slot", "peer", "--start", "-f", os.DevNull, "--endpos", end, "--no-loop",
				"-o", "proto_version=1", "-o", "publication_names=ours")
			if err == nil {
				f["rows_per_s"] = float64(rows) / f["wall_s"]
			}
			return f, err
		}}, dbz)
	return err
}
