package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// slot is the slot's name of a test's database.
func slot(t *testing.T, s *postgrestest.Server, url string) string {
	t.Helper()
	return "tidemill_" + s.Query(t, url, "SELECT current_database()")[0][0]
}

// dropSlot waits until nobody uses the slot and drops it.
func dropSlot(t *testing.T, s *postgrestest.Server, url string) {
	t.Helper()
	waitSlotIdle(t, s, url)
	s.Exec(t, url, "SELECT pg_drop_replication_slot('"+slot(t, s, url)+"')")
}

// waitSlotIdle waits until nobody uses the slot.
func waitSlotIdle(t *testing.T, s *postgrestest.Server, url string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if len(s.Query(t, url, "SELECT 1 FROM pg_replication_slots WHERE slot_name = '"+slot(t, s, url)+"' AND active")) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the slot stays in use")
		}
	}
}

func begin(t *testing.T, s *postgrestest.Server, url string) (*postgres.Capture, tidemill.Position) {
	t.Helper()
	s.Exec(t, url, "CREATE TABLE a (id int PRIMARY KEY, x text)")
	src := postgres.Source(url, "a")
	c := open(t, src, "")
	c.until(func() bool { return c.live })
	c.close()
	return src, c.upto
}

func isGap(t *testing.T, err error, words ...string) {
	t.Helper()
	if !errors.Is(err, tidemill.ErrGap) || !tidemill.IsFatal(err) {
		t.Errorf("%v is not ErrGap", err)
	}
	mustSay(t, err.Error(), append(words, "tidemill run --fresh")...)
}

func TestGaps(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	name := slot(t, s, url)
	isGap(t, first(t, src, tidemill.Position(strings.Replace(string(at), "postgres:", "postgres:1", 1))), "system id 1", "this server has system id")
	isGap(t, first(t, src, tidemill.Position(strings.Replace(string(at), "/1 slot", "/7 slot", 1))), "timeline 7", "timeline 1")
	isGap(t, first(t, src, tidemill.Position(strings.Replace(string(at), "slot=", "slot=x", 1))), `"x`+name, `"`+name+`"`)
	isGap(t, first(t, src, tidemill.Position(strings.Replace(string(at), "lsn=0/", "lsn=FFFF/", 1))), "older copy")
	if err := first(t, src, "sqlite:7"); !tidemill.IsFatal(err) {
		t.Errorf("a strange position gave %v", err)
	}
	// Somebody moves the slot.
	s.Exec(t, url, "INSERT INTO a VALUES (1); SELECT pg_switch_wal()")
	waitSlotIdle(t, s, url)
	s.Exec(t, url, "SELECT pg_replication_slot_advance('"+name+"', pg_current_wal_lsn())")
	moved := s.Query(t, url, "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '"+name+"'")[0][0]
	isGap(t, first(t, src, at), "was moved to "+moved, strings.SplitAfter(string(at), "lsn=")[1])
	// Somebody drops it; a new one of the name is not the old one.
	dropSlot(t, s, url)
	isGap(t, first(t, src, at), `slot "`+name+`" is gone`)
	s.Exec(t, url, "SELECT pg_create_logical_replication_slot('"+name+"', 'pgoutput')")
	isGap(t, first(t, src, at), "was moved to")
	dropSlot(t, s, url)
	s.Exec(t, url, "SELECT pg_create_logical_replication_slot('"+name+"', 'test_decoding')")
	isGap(t, first(t, src, at), "test_decoding")
	dropSlot(t, s, url)
	s.Exec(t, url, "SELECT pg_create_physical_replication_slot('"+name+"', true)")
	isGap(t, first(t, src, at))
	s.Exec(t, url, "SELECT pg_drop_replication_slot('"+name+"')")
}

func TestInvalidatedSlot(t *testing.T) {
	s := postgrestest.Start(t, postgrestest.Conf("max_slot_wal_keep_size", "1MB"), postgrestest.Conf("wal_keep_size", "0"), postgrestest.Conf("max_wal_size", "32MB"), postgrestest.Conf("min_wal_size", "32MB"))
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	waitSlotIdle(t, s, url)
	for i := range 4 {
		s.Exec(t, url, fmt.Sprintf("INSERT INTO a SELECT g, 'x' FROM generate_series(%d, %d) g; SELECT pg_switch_wal()", i*1000, i*1000+999))
	}
	s.Exec(t, url, "CHECKPOINT")
	isGap(t, first(t, src, at), "invalidated", "max_slot_wal_keep_size")
	mustSay(t, findings(src), "that it needed (max_slot_wal_keep_size) | start over with a new snapshot: tidemill run --fresh", "max_slot_wal_keep_size is 1 MB")
	c := open(t, src, tidemill.Begun)
	c.until(func() bool { return c.live })
	if len(c.rows) != 4000 {
		t.Errorf("the fresh snapshot has %d rows", len(c.rows))
	}
}

func TestSlotWithoutCheckpoint(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, _ := begin(t, s, url)
	err := first(t, src, "")
	if !tidemill.IsFatal(err) || !errors.Is(err, tidemill.ErrGap) { // the exit code of a gap
		t.Errorf("got %v", err)
	}
	mustSay(t, err.Error(), "exists, but this flow has no checkpoint", "tidemill source drop", "tidemill run --fresh")
	c := open(t, src, tidemill.Begun)
	c.until(func() bool { return c.live })
	c.close()
	done, err := src.Drop(context.Background())
	if err != nil || len(done) != 2 {
		t.Errorf("dropped %v, %v", done, err)
	}
	done, err = src.Drop(context.Background())
	if err != nil || len(done) != 0 {
		t.Errorf("dropped %v, %v", done, err)
	}
	c = open(t, src, "")
	c.until(func() bool { return c.live })
}

func TestSlotInUse(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	c := open(t, src, at)
	c.until(func() bool { return c.caughtUp })
	s.Exec(t, url, "INSERT INTO a VALUES (1)")
	c.want("insert public.a -> (1, NULL)")
	pid := s.Query(t, url, "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '"+slot(t, s, url)+"'")[0][0]
	err := first(t, postgres.Source(url, "a"), at)
	if tidemill.IsFatal(err) {
		t.Errorf("%v is fatal, but waiting mends it", err)
	}
	mustSay(t, err.Error(), "server process "+pid, "pg_terminate_backend("+pid+")")
	// A run that ends lets the next one in.
	time.AfterFunc(300*time.Millisecond, c.cancel)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for c.step() == nil {
		}
	}()
	defer func() { <-ended }()
	d := open(t, postgres.Source(url, "a"), at)
	d.until(func() bool { return d.caughtUp })
	d.want("insert public.a -> (1, NULL)")
}

// TestSlowConsumer sleeps longer than the server waits for an answer.
func TestSlowConsumer(t *testing.T) {
	s := postgrestest.Start(t, postgrestest.Conf("wal_sender_timeout", "2s"))
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	c := open(t, src, at)
	c.until(func() bool { return c.caughtUp })
	s.Exec(t, url, "INSERT INTO a SELECT g, repeat('x', 200) FROM generate_series(1, 100000) g")
	c.until(func() bool { return len(c.rows) > 0 })
	sender := func() string {
		return fmt.Sprint(s.Query(t, url, "SELECT pid FROM pg_stat_replication"))
	}
	before := sender()
	time.Sleep(3 * time.Second) // in the middle of a transaction
	c.until(func() bool { return len(c.rows) >= 100000 })
	time.Sleep(3 * time.Second)
	s.Exec(t, url, "INSERT INTO a VALUES (0)")
	c.until(func() bool { return len(c.rows) >= 100001 })
	if after := sender(); after != before || len(before) < 5 {
		t.Errorf("the connection changed: %s, %s", before, after)
	}
	if len(c.rows) != 100001 {
		t.Errorf("%d changes", len(c.rows))
	}
}

// TestIdleSlotMoves: while other tables alone are written, heartbeats let the slot move.
func TestIdleSlotMoves(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	s.Exec(t, url, "CREATE TABLE other (x int)")
	c := open(t, src, at)
	c.until(func() bool { return c.caughtUp })
	confirmed := func() string {
		return s.Query(t, url, "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '"+slot(t, s, url)+"'")[0][0]
	}
	s.Exec(t, url, "INSERT INTO other SELECT generate_series(1, 1000)")
	end := s.Query(t, url, "SELECT pg_current_wal_lsn()")[0][0]
	c.until(func() bool { // heartbeats come
		return len(s.Query(t, url, "SELECT 1 WHERE '"+strings.SplitAfter(string(c.upto), "lsn=")[1]+"'::pg_lsn >= '"+end+"'")) == 1
	})
	if len(c.rows) != 0 {
		t.Errorf("changes of another table: %v", c.rows)
	}
	was := confirmed()
	time.Sleep(50 * time.Millisecond)
	if confirmed() != was {
		t.Error("the slot moved without a Release")
	}
	if err := src.Release(context.Background(), c.upto); err != nil {
		t.Fatal(err)
	}
	for late := time.Now().Add(time.Minute); len(s.Query(t, url, "SELECT 1 WHERE '"+confirmed()+"'::pg_lsn >= '"+end+"'")) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("the slot stays at %s", confirmed())
		}
	}
}

// TestServerRestarts: an orderly restart ends once all is released; a crash loses nothing that was committed.
func TestServerRestarts(t *testing.T) {
	s := postgrestest.Start(t, postgrestest.Fsync())
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	n := 0
	for _, end := range []func(testing.TB){s.Stop, s.Kill} {
		c := open(t, src, at)
		c.until(func() bool { return c.caughtUp })
		n++
		s.Exec(t, url, fmt.Sprintf("INSERT INTO a VALUES (%d)", n))
		c.want(fmt.Sprintf("insert public.a -> (%d, NULL)", n))
		n++
		s.Exec(t, url, fmt.Sprintf("INSERT INTO a VALUES (%d)", n)) // not taken before the end, or taken and not released
		ended := make(chan error, 1)
		go func() {
			for {
				if err := c.step(); err != nil {
					ended <- err
					return
				}
				src.Release(context.Background(), c.upto)
			}
		}()
		end(t)
		err := <-ended
		if tidemill.IsFatal(err) {
			t.Errorf("a server that ends gave %v", err)
		}
		s.Start(t)
		taken := len(c.rows)
		d := open(t, src, c.upto)
		d.until(func() bool { return d.caughtUp })
		if taken+len(d.rows) != 1 {
			t.Errorf("taken %v, then %v", c.rows, d.rows)
		}
		d.close()
		at = d.upto
	}
}

func TestCancelIsPrompt(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(200*time.Millisecond, cancel)
	var began time.Time
	var got error
	for b, err := range src.Changes(ctx, at) {
		began = time.Now()
		got = err
		_ = b
	}
	if !errors.Is(got, context.Canceled) {
		t.Errorf("got %v", got)
	}
	if d := time.Since(began); d > 5*time.Second { // what does not hear of the end waits for ever
		t.Errorf("took %v", d)
	}
	// Also while the slot cannot be made because a transaction is open.
	conn, err := pgconn.Connect(context.Background(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	conn.Exec(context.Background(), "BEGIN; INSERT INTO a VALUES (1)").ReadAll()
	ctx, cancel = context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	for _, err := range src.Changes(ctx, tidemill.Begun) {
		got = err
	}
	if !errors.Is(got, context.DeadlineExceeded) || time.Since(start) > 15*time.Second {
		t.Errorf("got %v after %v", got, time.Since(start))
	}
	conn.Exec(context.Background(), "COMMIT").ReadAll()
	c := open(t, src, tidemill.Begun)
	c.want("read public.a -> (1, NULL)")
}

// TestCrashInTheSnapshot: with Begun the slot that was left is ours, and the snapshot starts over.
func TestCrashInTheSnapshot(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE a (id int PRIMARY KEY, x text); INSERT INTO a SELECT g, 'x' FROM generate_series(1, 20000) g")
	src := postgres.Source(url, "a")
	c := open(t, src, "")
	c.step()
	if len(c.rows) == 0 || c.live || c.upto != "" {
		t.Fatalf("%d rows, live %v, upto %q", len(c.rows), c.live, c.upto)
	}
	order := c.changes[0].Tx.Order
	c.close()
	s.Exec(t, url, "DELETE FROM a WHERE id > 10000; INSERT INTO a VALUES (0)")
	d := open(t, postgres.Source(url, "a"), tidemill.Begun)
	d.until(func() bool { return d.live })
	if len(d.rows) != 10001 {
		t.Errorf("%d rows", len(d.rows))
	}
	if d.changes[0].Tx.Order <= order {
		t.Error("a new snapshot uses the identities of the old one")
	}
}

// promote lets the server come back as a standby, and makes it the primary again: its log goes on in a new timeline.
func promote(t *testing.T, s *postgrestest.Server, url string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.Dir, "standby.signal"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(s.Dir, "standby.signal"), 0o666); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	if got := s.Query(t, url, "SELECT pg_promote()")[0][0]; got != "t" {
		t.Fatalf("pg_promote gave %s", got)
	}
}

// TestPromotedServer goes on in the timeline of a server that was promoted, if that had all that was read before.
func TestPromotedServer(t *testing.T) {
	s := postgrestest.Start(t, postgrestest.Own())
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	s.Exec(t, url, "INSERT INTO a VALUES (1)")
	s.Stop(t)
	promote(t, s, url)
	s.Exec(t, url, "INSERT INTO a VALUES (2)")
	c := open(t, src, at)
	c.want("insert public.a -> (1, NULL)", "insert public.a -> (2, NULL)")
	c.until(func() bool { return c.caughtUp })
	c.close()
	mustSay(t, string(c.upto), "/2 slot=")
	waitSlotIdle(t, s, url)

	// A copy of the server misses what was committed, and read, since: it is not gone on with.
	s.Stop(t)
	copied := s.Dir + "-copied"
	if out, err := exec.Command("cp", "-a", s.Dir, copied).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.Start(t)
	at = c.upto
	s.Exec(t, url, "INSERT INTO a VALUES (3)")
	c = open(t, src, at)
	c.want("insert public.a -> (3, NULL)")
	c.until(func() bool { return c.caughtUp })
	c.close()
	s.Stop(t)
	if err := errors.Join(os.RemoveAll(s.Dir), os.Rename(copied, s.Dir)); err != nil {
		t.Fatal(err)
	}
	promote(t, s, url)
	s.Exec(t, url, "INSERT INTO a SELECT g FROM generate_series(4, 500) g")
	isGap(t, first(t, postgres.Source(url, "a"), c.upto), "left timeline 2 at", "a standby was promoted that was behind")
	isGap(t, first(t, src, at), "left timeline 2 at", "started again, the flow goes on if its checkpoint is from before")
	// Started again, it has read no more than the position says, and has lost nothing.
	d := open(t, postgres.Source(url, "a"), at)
	d.until(func() bool { return len(d.rows) == 497 })
}

// TestTableMadeAnew stops a running stream: the new table is not published.
func TestTableMadeAnew(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	src.Look(time.Millisecond)
	c := open(t, src, at)
	s.Exec(t, url, "INSERT INTO a VALUES (1)")
	c.want("insert public.a -> (1, NULL)")
	c.until(func() bool { return c.caughtUp })
	s.Exec(t, url, "DROP TABLE a; CREATE TABLE a (id int PRIMARY KEY, x text); INSERT INTO a VALUES (2)")
	var err error
	for err == nil {
		err = c.step()
	}
	isGap(t, err, "does not publish public.a (any more)")
	if len(c.rows) > 0 {
		t.Errorf("got %v", c.rows)
	}
}
