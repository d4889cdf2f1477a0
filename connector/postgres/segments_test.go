package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// TestOpenTransactionsComeAsWholeOnes reads one log twice: with transactions that come while they are open, and held by
// the server until they commit. Every change must be the same, identity and all.
func TestOpenTransactionsComeAsWholeOnes(t *testing.T) {
	s := postgrestest.Start(t)
	for _, budget := range []int{0, 1 << 20, 16 << 20} {
		t.Run(fmt.Sprint(budget), func(t *testing.T) {
			url := s.CreateDB(t)
			s.Exec(t, url, "CREATE TABLE a (c int, id int, x text, PRIMARY KEY (c, id)); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE unasked (id int)")
			name := s.Query(t, url, "SELECT current_database()")[0][0]
			s.Exec(t, url, "CREATE PUBLICATION p FOR TABLE a, b, unasked")
			source := func(which string) *postgres.Capture {
				c := postgres.NewSourceConfig()
				c.URL, c.Tables, c.Slot, c.Publication = url, []string{"a", "b"}, which+name, "p"
				src, err := c.Build(which)
				if err != nil {
					t.Fatal(err)
				}
				return src.(*postgres.Capture)
			}
			open1, whole := source("open"), source("whole")
			open1.Open("64kB", budget)
			whole.Open("", 0)
			var at [2]tidemill.Position
			for i, src := range []*postgres.Capture{open1, whole} {
				c := open(t, src, "")
				c.until(func() bool { return c.live })
				c.close()
				at[i] = c.upto
			}
			scribble(t, url, rand.New(rand.NewPCG(uint64(budget), 1)))
			end := s.Query(t, url, "SELECT pg_current_wal_lsn()")[0][0]
			var said [2][]string
			for i, src := range []*postgres.Capture{open1, whole} {
				c := open(t, src, at[i])
				c.until(func() bool { return c.caughtUp })
				c.close()
				for k := range c.changes {
					ch := &c.changes[k]
					said[i] = append(said[i], fmt.Sprint(ch.Tx.Order, ch.Tx.ID, ch.Tx.Commit, ch.N, ch.At, " ", show(ch)))
				}
				// Nothing is read again.
				c = open(t, src, c.upto)
				c.until(func() bool { return c.caughtUp })
				c.close()
				if len(c.changes) > 0 {
					t.Errorf("after the end came %s", show(&c.changes[0]))
				}
			}
			if len(said[1]) == 0 || len(said[0]) != len(said[1]) {
				t.Fatalf("%d and %d changes, up to %s", len(said[0]), len(said[1]), end)
			}
			for i, want := range said[1] {
				if said[0][i] != want {
					t.Fatalf("change %d is\n%.300s\nfrom the server's hold it is\n%.300s", i, said[0][i], want)
				}
			}
			sent := s.Query(t, url, "SELECT stream_txns > 5, stream_count > 20, (SELECT stream_txns FROM pg_stat_replication_slots WHERE slot_name = 'whole"+name+"') FROM pg_stat_replication_slots WHERE slot_name = 'open"+name+"'")
			if got := strings.Join(sent[0], " "); got != "t t 0" {
				t.Errorf("the server sent open transactions: %s", got)
			}
		})
	}
}

// scribble writes transactions large and small, side by side on several connections, with savepoints taken back, whole
// rollbacks, schema changes in between, and truncations.
func scribble(t *testing.T, url string, rnd *rand.Rand) {
	ctx := context.Background()
	conns := make([]*pgconn.PgConn, 4)
	for i := range conns {
		var err error
		if conns[i], err = pgconn.Connect(ctx, url); err != nil {
			t.Fatal(err)
		}
		defer conns[i].Close(ctx)
	}
	do := func(c int, sql string) {
		if _, err := conns[c].Exec(ctx, sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	open1, id, columns := make([]bool, len(conns)), 0, 0
	rows := func(c int) string {
		n := [...]int{1, 3, 300, 2500}[rnd.IntN(4)]
		id += n
		return fmt.Sprintf("INSERT INTO a SELECT %d, g, md5(g::text) FROM generate_series(%d, %d) g", c, id-n+1, id)
	}
	for range 250 {
		c := rnd.IntN(len(conns))
		switch rnd.IntN(14) {
		case 0, 1, 2:
			do(c, rows(c))
		case 3:
			do(c, fmt.Sprintf("UPDATE a SET x = x || 'y' WHERE c = %d AND id %% 3 = 0", c))
		case 4:
			do(c, fmt.Sprintf("UPDATE a SET id = -id WHERE c = %d AND id %% 50 = 0", c))
		case 5:
			do(c, fmt.Sprintf("DELETE FROM a WHERE c = %d AND id %% 4 = 0", c))
		case 6, 7:
			if !open1[c] {
				do(c, "BEGIN")
				open1[c] = true
			}
		case 8:
			if open1[c] {
				do(c, [...]string{"COMMIT", "COMMIT", "ROLLBACK"}[rnd.IntN(3)])
				open1[c] = false
			}
		case 9:
			if open1[c] {
				do(c, "SAVEPOINT s; "+rows(c)+"; SAVEPOINT s2; "+rows(c)+"; RELEASE s2; ROLLBACK TO s; "+rows(c))
			}
		case 10:
			if open1[c] {
				do(c, "SAVEPOINT s; "+rows(c)+"; RELEASE s")
			}
		case 11:
			do(c, fmt.Sprintf("INSERT INTO unasked SELECT generate_series(1, %d)", rnd.IntN(3000)))
		case 12:
			id++
			do(c, fmt.Sprintf("INSERT INTO b VALUES (%d)", id))
		case 13:
			alone := true
			for k, o := range open1 {
				alone = alone && (!o || k == c)
			}
			if !alone || rnd.IntN(3) > 0 {
				continue
			}
			if open1[c] && rnd.IntN(2) == 0 { // a shape that is taken back
				do(c, "SAVEPOINT s; ALTER TABLE a ADD gone int; "+strings.Replace(rows(c), "md5(g::text)", "md5(g::text)"+strings.Repeat(", NULL", columns)+", 1", 1)+"; ROLLBACK TO s; "+rows(c))
				continue
			}
			columns++
			do(c, fmt.Sprintf("%s; ALTER TABLE a ADD more%d int; %s", rows(c), columns, rows(c)))
		}
	}
	for c := range conns {
		if open1[c] {
			do(c, "COMMIT")
		}
	}
	do(0, "TRUNCATE a, b; "+rows(0))
}

// TestOpenTransactionIsReadAgain leaves a source in the middle of an open transaction.
func TestOpenTransactionIsReadAgain(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	src.Open("64kB", 1<<20)
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	do := func(sql string) {
		if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	do("BEGIN; INSERT INTO a SELECT g, 'x' FROM generate_series(1, 5000) g")
	for i := range 3 {
		s.Exec(t, url, fmt.Sprintf("INSERT INTO a VALUES (%d)", -i-1))
		c := open(t, src, at)
		c.until(func() bool { return len(c.changes) == 1 && c.caughtUp })
		if got := show(&c.changes[0]); got != fmt.Sprintf("insert public.a -> (%d, NULL)", -i-1) {
			t.Error(got)
		}
		c.close()
		at = c.upto
		if err := src.Release(ctx, at); err != nil {
			t.Fatal(err)
		}
		do("INSERT INTO a SELECT g, 'x' FROM generate_series(" + fmt.Sprint(10_000*(i+1)) + ", " + fmt.Sprint(10_000*(i+1)+2999) + ") g")
	}
	c := open(t, src, at)
	c.until(func() bool { return c.caughtUp })
	do("COMMIT")
	c.until(func() bool { return len(c.changes) == 14_000 })
	for i := range c.changes {
		if c.changes[i].N != uint64(i) {
			t.Fatalf("change %d has N %d", i, c.changes[i].N)
		}
	}
}

// TestNoRoomForOpenTransactions has nowhere to put what is too much for memory: the server is to hold it then.
func TestNoRoomForOpenTransactions(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	src.Open("64kB", 0)
	t.Setenv("TMPDIR", t.TempDir()+"/missing")
	s.Exec(t, url, "INSERT INTO a SELECT g, 'x' FROM generate_series(1, 20000) g")
	broken := open(t, src, at)
	var err error
	for err == nil {
		err = broken.step()
	}
	if tidemill.IsFatal(err) || !src.HeldOpen() {
		t.Fatalf("got %v", err)
	}
	c := open(t, src, at)
	c.until(func() bool { return len(c.changes) == 20_000 })
}
