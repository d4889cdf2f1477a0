package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tidemill/tidemill"
)

// userDB is a database file as a user's program has it, through database/sql.
func userDB(t testing.TB, path, journal string, stmts ...string) *sql.DB {
	t.Helper()
	u, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode("+journal+")&_pragma=synchronous(normal)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { u.Close() })
	u.SetMaxOpenConns(1)
	must(t, u, stmts...)
	return u
}

func must(t testing.TB, u *sql.DB, stmts ...string) {
	t.Helper()
	for _, s := range stmts {
		if _, err := u.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// collector runs a source in a goroutine.
type collector struct {
	batches chan tidemill.Batch
	err     chan error
	cancel  context.CancelFunc
	done    chan struct{}
}

func collect(src tidemill.Source, after tidemill.Position) *collector {
	ctx, cancel := context.WithCancel(context.Background())
	c := &collector{batches: make(chan tidemill.Batch, 1000), err: make(chan error, 1), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		for b, err := range src.Changes(ctx, after) {
			if err != nil {
				c.err <- err
				return
			}
			select {
			case c.batches <- b:
			case <-ctx.Done():
			}
		}
	}()
	return c
}

func (c *collector) stop() { c.cancel(); <-c.done }

// until takes batches until enough says so.
func (c *collector) until(t testing.TB, what string, enough func(b tidemill.Batch) bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case b := <-c.batches:
			if enough(b) {
				return
			}
		case err := <-c.err:
			t.Fatalf("%s: %v", what, err)
		case <-timeout:
			t.Fatalf("%s: nothing for 20 s", what)
		}
	}
}

// take takes n changes.
func (c *collector) take(t testing.TB, n int) (cs []tidemill.Change, upto tidemill.Position) {
	t.Helper()
	if n == 0 {
		return
	}
	c.until(t, fmt.Sprintf("%d changes", n), func(b tidemill.Batch) bool {
		cs = append(cs, b.Changes...)
		upto = b.Upto
		return len(cs) >= n
	})
	if len(cs) != n {
		t.Fatalf("got %d changes, want %d: %s", len(cs), n, show(cs))
	}
	return cs, upto
}

func show(cs []tidemill.Change) (s string) {
	for i := range cs {
		s += "\n" + showOne(&cs[i])
	}
	return s
}

func showOne(c *tidemill.Change) string {
	row := func(vs []tidemill.Value) string {
		if vs == nil {
			return "-"
		}
		s := "("
		for i, v := range vs {
			if i > 0 {
				s += " "
			}
			s += v.Kind().String() + ":" + v.String()
		}
		return s + ")"
	}
	return fmt.Sprintf("%s %s %s -> %s", c.Op, c.Table, row(c.Before), row(c.After))
}

func TestSnapshotAndStream(t *testing.T) {
	for _, journal := range []string{"wal", "delete"} {
		t.Run(journal, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.db")
			u := userDB(t, path, journal, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b REAL)", "CREATE TABLE e(x)",
				"CREATE TABLE u(k TEXT PRIMARY KEY, p BLOB) WITHOUT ROWID",
				"INSERT INTO t VALUES(1,'one',1.5),(2,NULL,2)", "INSERT INTO u VALUES('k', x'0001')")
			src := Source(path, "t", "u", "e")
			c := collect(src, "")
			cs, upto := c.take(t, 3)
			want := "\nread t - -> (int:1 text:one float:1.5)\nread t - -> (int:2 null:NULL float:2)\nread u - -> (text:k bytes:\x00\x01)"
			if got := show(cs); got != want {
				t.Errorf("snapshot: %q, want %q", got, want)
			}
			flags := []tidemill.Flags{tidemill.First | tidemill.FirstOf, tidemill.LastOf, tidemill.FirstOf | tidemill.LastOf | tidemill.Last}
			for i, f := range flags {
				if cs[i].Flags != f {
					t.Errorf("row %d has flags %b, want %b", i, cs[i].Flags, f)
				}
			}
			if upto == "" {
				t.Error("the last batch of the snapshot has no Upto")
			}
			must(t, u, "INSERT INTO t VALUES(3,'three',NULL)", "UPDATE t SET a='uno' WHERE id=1", "UPDATE t SET b=3 WHERE id=1",
				"UPDATE t SET id=9 WHERE id=2", "DELETE FROM u", "INSERT INTO e VALUES(x'00'), (7)", "UPDATE e SET x=8 WHERE x=7", "DELETE FROM t")
			cs, _ = c.take(t, 11)
			want = "\ninsert t - -> (int:3 text:three null:NULL)" +
				"\nupdate t (int:1 text:one float:1.5) -> (int:1 text:uno float:1.5)" +
				"\nupdate t (int:1 text:uno float:1.5) -> (int:1 text:uno float:3)" +
				"\nupdate t (int:2 null:NULL float:2) -> (int:9 null:NULL float:2)" +
				"\ndelete u (text:k bytes:\x00\x01) -> -" +
				"\ninsert e - -> (bytes:\x00 int:1)" +
				"\ninsert e - -> (int:7 int:2)" +
				"\nupdate e (int:7 int:2) -> (int:8 int:2)" +
				"\ndelete t (int:1 text:uno float:3) -> -" +
				"\ndelete t (int:3 text:three null:NULL) -> -" +
				"\ndelete t (int:9 null:NULL float:2) -> -"
			if got := show(cs); got != want {
				t.Errorf("stream: %s\nwant %s", got, want)
			}
			for i := range cs {
				if d := time.Since(cs[i].Tx.Commit); d < -time.Second || d > time.Minute {
					t.Errorf("commit time %s", cs[i].Tx.Commit)
				}
			}
			c.stop()
			// The same again from the end of the snapshot.
			c = collect(src, upto)
			cs, _ = c.take(t, 11)
			if got := show(cs); got != want {
				t.Errorf("stream after a restart: %s\nwant %s", got, want)
			}
			c.stop()
		})
	}
}

// sqliteBusy sets how long SQLite waits for a lock itself.
func sqliteBusy(d *db, ms int32) { sqlite3.Xsqlite3_busy_timeout(d.tls, d.handle, ms) }
