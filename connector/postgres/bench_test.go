package postgres_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// accounts is pgbench_accounts' shape.
const accounts = `CREATE TABLE accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
	ALTER TABLE accounts REPLICA IDENTITY DEFAULT;`

func fill(n int) string {
	return fmt.Sprintf("INSERT INTO accounts SELECT g, g / 100000 + 1, 0, '' FROM generate_series(1, %d) g", n)
}

// drain takes n changes and forgets them.
func drain(b *testing.B, src *postgres.Capture, after tidemill.Position, n int) (upto tidemill.Position, peak uint64) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	got := 0
	for batch, err := range src.Changes(ctx, after) {
		if err != nil {
			b.Fatal(err)
		}
		got += len(batch.Changes)
		if got/100_000 != (got-len(batch.Changes))/100_000 {
			peak = max(peak, resident(b))
		}
		if batch.Upto != "" && got >= n {
			upto = batch.Upto
			if batch.Live {
				break
			}
		}
	}
	if got != n {
		b.Fatalf("%d changes, want %d", got, n)
	}
	return upto, max(peak, resident(b))
}

// resident is the process's memory in MB.
func resident(b *testing.B) uint64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.Sys >> 20
	}
	pages, _ := strconv.ParseUint(strings.Fields(string(data))[1], 10, 64)
	return pages * uint64(os.Getpagesize()) >> 20
}

// BenchmarkSnapshot reads a million rows.
func BenchmarkSnapshot(b *testing.B) {
	s := postgrestest.Start(b)
	url := s.CreateDB(b)
	const n = 1_000_000
	s.Exec(b, url, accounts+fill(n))
	s.Exec(b, url, "VACUUM ANALYZE accounts")
	src := postgres.Source(url, "accounts")
	copied := copyTo(b, url, "COPY accounts TO STDOUT")
	binary := copyTo(b, url, "COPY accounts TO STDOUT (FORMAT binary)")
	var peak uint64
	after := tidemill.Position("")
	for b.Loop() {
		_, peak = drain(b, src, after, n)
		after = tidemill.Begun
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(n)/copied.Seconds(), "COPY-text/s")
	b.ReportMetric(float64(n)/binary.Seconds(), "COPY-binary/s")
	b.ReportMetric(float64(peak), "MB")
}

// copyTo is how long the server takes to send rows that nobody reads.
func copyTo(b *testing.B, url, sql string) time.Duration {
	b.Helper()
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	begin := time.Now()
	if _, err := conn.CopyTo(ctx, io.Discard, sql); err != nil {
		b.Fatal(err)
	}
	return time.Since(begin)
}

// stream measures a workload against pg_recvlogical on a slot of its own.
func stream(b *testing.B, n int, work func(s *postgrestest.Server, url string)) {
	s := postgrestest.Start(b)
	url := s.CreateDB(b)
	s.Exec(b, url, accounts)
	src := postgres.Source(url, "accounts")
	after, _ := drain(b, src, "", 0)
	pub := strings.TrimSuffix(strings.Fields(src.Describe())[3], "x")[len("publication="):]
	s.Exec(b, url, "SELECT pg_create_logical_replication_slot('peer_' || current_database(), 'pgoutput')")
	work(s, url)
	end := s.Query(b, url, "SELECT pg_current_wal_lsn(), current_database()")[0]
	peer, peerCPU := recvlogical(b, url, "peer_"+end[1], pub, end[0])
	var peak uint64
	began := used()
	for b.Loop() {
		_, peak = drain(b, src, after, n)
	}
	b.ReportMetric(float64((used()-began).Nanoseconds())/float64(n*b.N), "cpu-ns/change")
	b.ReportMetric(float64(peerCPU.Nanoseconds())/float64(n), "pg_recvlogical-cpu-ns/change")
	rate := float64(n) * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate, "changes/s")
	b.ReportMetric(float64(n)/peer.Seconds(), "pg_recvlogical/s")
	b.ReportMetric(rate/(float64(n)/peer.Seconds()), "ratio")
	b.ReportMetric(float64(peak), "MB")
}

func recvlogical(b *testing.B, url, slot, publication, end string) (took, cpu time.Duration) {
	b.Helper()
	bin, err := postgrestest.Bin()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, "pg_recvlogical"), "-d", url, "--slot", slot, "--start", "-f", os.DevNull, "--endpos", end, "--no-loop",
		"-o", "proto_version=1", "-o", "publication_names="+publication)
	begin := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return time.Since(begin), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// BenchmarkStreamLarge reads one transaction of 500,000 rows.
func BenchmarkStreamLarge(b *testing.B) {
	stream(b, 500_000, func(s *postgrestest.Server, url string) { s.Exec(b, url, fill(500_000)) })
}

// BenchmarkStreamSmall reads 20,000 transactions of 5 rows.
func BenchmarkStreamSmall(b *testing.B) {
	stream(b, 100_000, func(s *postgrestest.Server, url string) {
		s.Exec(b, url, `DO $$ BEGIN FOR i IN 0..19999 LOOP
			INSERT INTO accounts SELECT i * 5 + g, 1, 0, '' FROM generate_series(1, 5) g; COMMIT; END LOOP; END $$`)
	})
}

// BenchmarkLatency is the time from a commit's answer to the change in hand; it can be below zero, for the log is sent
// beside the answer.
func BenchmarkLatency(b *testing.B) {
	s := postgrestest.Start(b)
	url := s.CreateDB(b)
	s.Exec(b, url, accounts)
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close(ctx)
	came := make(chan time.Time)
	ctx2, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for batch, err := range postgres.Source(url, "accounts").Changes(ctx2, "") {
			if err != nil {
				return
			}
			if batch.CaughtUp && len(batch.Changes) == 0 && batch.Upto == "" {
				continue
			}
			if len(batch.Changes) > 0 || batch.CaughtUp {
				select {
				case came <- time.Now():
				case <-ctx2.Done():
				}
			}
		}
	}()
	<-came
	var took, whole []time.Duration
	i := 0
	for b.Loop() {
		i++
		begin := time.Now()
		if _, err := conn.Exec(ctx, fmt.Sprintf("INSERT INTO accounts VALUES (%d, 1, 0, '')", i)).ReadAll(); err != nil {
			b.Fatal(err)
		}
		done := time.Now()
		t := <-came
		took, whole = append(took, t.Sub(done)), append(whole, t.Sub(begin))
		for {
			select {
			case <-came: // heartbeats
				continue
			case <-time.After(2 * time.Millisecond):
			}
			break
		}
	}
	slices.Sort(took)
	slices.Sort(whole)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(whole[len(whole)/2].Microseconds()), "whole-p50-µs")
}

// BenchmarkSink writes predictions in batches of 1,000, each one commit.
func BenchmarkSink(b *testing.B) {
	for _, n := range []int{1, 1000, 4000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := postgrestest.Start(b, postgrestest.Fsync())
			url := s.CreateDB(b)
			w := postgres.Sink(url, "predictions")
			resume(b, w, 1, tidemill.Mark{})
			var seq uint64
			rows := 0
			for b.Loop() {
				out := make([]tidemill.Output, n)
				for i := range out {
					seq++
					out[i] = predicted(seq, strconv.FormatUint(seq, 10), "no")
				}
				write(b, w, out...)
				rows += n
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
