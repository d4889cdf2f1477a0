package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// server is a PostgreSQL server of a row's own: durable, PostgreSQL's defaults but for wal_level.
type server struct {
	*postgrestest.Server
	bin string
	dir string // for what a row writes
}

func startServer(conf ...postgrestest.Option) (*server, error) {
	bin, err := postgrestest.Bin()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tidemill-bench-")
	if err != nil {
		return nil, err
	}
	s, err := postgrestest.New(append([]postgrestest.Option{postgrestest.Fsync(),
		postgrestest.Conf("shared_buffers", "128MB"), postgrestest.Conf("max_wal_size", "4GB")}, conf...)...)
	if err != nil {
		return nil, err
	}
	return &server{s, bin, dir}, nil
}

func (s *server) close() {
	s.Close()
	os.RemoveAll(s.dir)
}

// tool is the path of one of PostgreSQL's programs.
func (s *server) tool(name string) string { return filepath.Join(s.bin, name) }

func (s *server) url() string { return s.URL("postgres") }

// exec runs statements.
func (s *server) exec(ctx context.Context, sql ...string) error {
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, q := range sql {
		if _, err := conn.PgConn().Exec(ctx, q).ReadAll(); err != nil {
			return fmt.Errorf("%w in %s", err, q)
		}
	}
	return nil
}

// text is the one value that a query answers.
func (s *server) text(ctx context.Context, sql string) (string, error) {
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var out string
	err = conn.QueryRow(ctx, "SELECT ("+sql+")::text").Scan(&out)
	return out, err
}

// copyOut is COPY ... TO STDOUT with nobody who looks at the rows.
func (s *server) copyOut(ctx context.Context, sql string) (time.Duration, error) {
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	begin := time.Now()
	_, err = conn.PgConn().CopyTo(ctx, io.Discard, sql)
	return time.Since(begin), err
}

// reach waits until a query answers want or more.
func (s *server) reach(ctx context.Context, sql string, want int) error {
	conn, err := pgx.Connect(ctx, s.url())
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for end := time.Now().Add(2 * time.Minute); ; {
		var n int
		if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil || n >= want {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s is still %d, not %d", sql, n, want)
		}
		time.Sleep(3 * time.Millisecond)
	}
}

// cpu is the processor time that the server has used: the postmaster, its children that
// live, and those that have ended.
func (s *server) cpu() float64 {
	b, err := os.ReadFile(filepath.Join(s.Dir, "postmaster.pid"))
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	ticks := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		own := filepath.Base(filepath.Dir(path)) == first
		if len(f) < 15 || !own && f[1] != first {
			continue
		}
		for i := 11; i < 15; i++ { // utime, stime, and of the children that have been waited for
			n, _ := strconv.Atoi(f[i])
			if i < 13 || own {
				ticks += n
			}
		}
	}
	return float64(ticks) / 100 // USER_HZ
}
