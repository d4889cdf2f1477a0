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
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// accounts is the shape of pgbench_accounts.
const accounts = "CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84))"

func fillAccounts(from, n int) string {
	return fmt.Sprintf("INSERT INTO accounts SELECT g, g / 100000 + 1, 0, '' FROM generate_series(%d, %d) g",
		from+1, from+n)
}

// sourceChild runs a flow without tasks from Postgres to the null sink until it has caught up.
func sourceChild(ctx context.Context, a args) (figures, error) {
	sink := &nullSink{}
	f := tidemill.Flow{Name: "bench", Source: postgres.Source(a["url"], "accounts").Slot(a["slot"]),
		Sinks: []tidemill.Sink{sink}, Store: store.Dir(a["state"]), Once: true}
	begin := time.Now()
	m, err := engine.Start(ctx, f)
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
	return figures{"rows_per_s": float64(sink.n) / total,
		"after_first_per_s": float64(sink.n) / sink.last.Sub(sink.first).Seconds(),
		"first_s":           sink.first.Sub(begin).Seconds()}, nil
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
		f, err := b.child("", "source", "url="+s.url(), "slot="+slot, "rows="+strconv.Itoa(rows), "state="+
			filepath.Join(s.dir, slot)).run(ctx)
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

// streamRow writes one large transaction, and lets each side read it from a slot of its own that was made just before:
// a slot that has read something already makes the server decode that again, until it has
// moved the slot's restart_lsn on.
func streamRow(ctx context.Context, b *bench) error {
	rows := 500_000
	if b.size > 0 {
		rows = b.size
	}
	s, err := startServer(postgrestest.Conf("autovacuum", "off")) // which would fall on one side or the other
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.exec(ctx, accounts); err != nil {
		return err
	}
	// Debezium keeps its slot: it has no way to begin without a snapshot.
	dbz := b.debezium(s, "stream", rows, 3)
	withDebezium := !b.ours && (b.only == "" || strings.Contains(b.only, dbz.name))
	if withDebezium {
		if err := b.debeziumPosition(ctx, s); err != nil {
			return err
		}
	}
	r := &streamRounds{b: b, s: s, rows: rows}
	_, err = b.interleave(ctx, 5, r.ours(), r.peer("pg_recvlogical", "peer", "-o", "proto_version=1"),
		r.peer("pg_recvlogical streaming", "peers", "-o", "proto_version=2", "-o", "streaming=on"), dbz)
	return err
}

// streamRounds is the rounds of streamRow: our side begins one and writes its rows, and the others read the same rows
// through slots that were made before.
type streamRounds struct {
	b     *bench
	s     *server
	rows  int
	round int
	words []string // of our child in this round
	end   string   // the WAL position behind the round's rows
}

// next empties the table, makes the round's slots and writes its rows.
func (r *streamRounds) next(ctx context.Context) error {
	r.round++
	slot := "ours" + strconv.Itoa(r.round)
	r.words = []string{"url=" + r.s.url(), "slot=" + slot, "state=" + filepath.Join(r.s.dir, slot)}
	if err := r.dropSlots(ctx); err != nil {
		return err
	}
	if err := r.s.exec(ctx, "TRUNCATE accounts"); err != nil {
		return err
	}
	if _, err := r.b.child("", "source", append(r.words, "rows=0")...).run(ctx); err != nil {
		return err
	}
	for _, name := range []string{"peer", "peers"} {
		err := r.s.exec(ctx, fmt.Sprintf("SELECT pg_create_logical_replication_slot('%s%d', 'pgoutput')", name, r.round))
		if err != nil {
			return err
		}
	}
	if err := r.s.exec(ctx, fillAccounts(0, r.rows), "CHECKPOINT"); err != nil {
		return err
	}
	var err error
	r.end, err = r.s.text(ctx, "pg_current_wal_lsn()")
	return err
}

// dropSlots drops the slots of the rounds before.
func (r *streamRounds) dropSlots(ctx context.Context) error {
	for i := 1; i < r.round; i++ {
		for _, name := range []string{"ours", "peer", "peers"} {
			err := r.s.exec(ctx, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '"+
				name+strconv.Itoa(i)+"'")
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// withServerCPU adds the processor time of the server during run to run's figures.
func (r *streamRounds) withServerCPU(run func() (figures, error)) (figures, error) {
	before := r.s.cpu()
	f, err := run()
	if err != nil {
		return nil, err
	}
	time.Sleep(50 * time.Millisecond) // the walsender ends
	f["server_cpu_s"] = r.s.cpu() - before
	return f, nil
}

// ours begins a round and reads its rows with our source.
func (r *streamRounds) ours() side {
	return side{name: "tidemill", run: func(ctx context.Context) (figures, error) {
		if err := r.next(ctx); err != nil {
			return nil, err
		}
		return r.withServerCPU(func() (figures, error) {
			return r.b.child("", "source", append(r.words, "rows="+strconv.Itoa(r.rows))...).run(ctx)
		})
	}}
}

// peer reads the round's rows with pg_recvlogical.
func (r *streamRounds) peer(name, slot string, options ...string) side {
	return side{name: name, run: func(ctx context.Context) (figures, error) {
		return r.withServerCPU(func() (figures, error) {
			round := strconv.Itoa(r.round)
			words := append([]string{"-d", r.s.url(), "--slot", slot + round, "--start", "-f", os.DevNull,
				"--endpos", r.end, "--no-loop", "-o", "publication_names=ours" + round}, options...)
			f, err := command(ctx, nil, r.s.tool("pg_recvlogical"), words...)
			if err == nil {
				f["rows_per_s"] = float64(r.rows) / f["wall_s"]
			}
			return f, err
		})
	}}
}
