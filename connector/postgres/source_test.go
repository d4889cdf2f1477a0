package postgres_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// capture is a source with what a test has taken from it.
type capture struct {
	t      testing.TB
	source *postgres.Capture
	cancel context.CancelFunc
	next   func() (tidemill.Batch, error, bool)
	stop   func()

	rows     []string // changes as text
	changes  []tidemill.Change
	upto     tidemill.Position
	live     bool
	caughtUp bool
	batches  int
}

// open starts a source after a position; a test that ends closes it.
func open(t testing.TB, source *postgres.Capture, after tidemill.Position) *capture {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	c := &capture{t: t, source: source, cancel: cancel, upto: after}
	c.next, c.stop = iter.Pull2(source.Changes(ctx, after))
	t.Cleanup(c.close)
	return c
}

func (c *capture) close() {
	c.cancel()
	c.stop()
}

// step takes one batch.
func (c *capture) step() error {
	b, err, ok := c.next()
	if !ok {
		return errors.New("the source has ended")
	}
	if err != nil {
		return err
	}
	c.batches++
	for i := range b.Changes {
		c.rows = append(c.rows, show(&b.Changes[i]))
	}
	c.changes = append(c.changes, b.Changes...)
	if b.Upto != "" {
		c.upto = b.Upto
	}
	c.live = c.live || b.Live
	c.caughtUp = c.caughtUp || b.CaughtUp
	return nil
}

// until takes batches until done.
func (c *capture) until(done func() bool) {
	c.t.Helper()
	for !done() {
		if err := c.step(); err != nil {
			c.t.Fatalf("after %d changes (%v): %v", len(c.rows), last(c.rows, 5), err)
		}
	}
}

func last(s []string, n int) []string { return s[max(0, len(s)-n):] }

// want takes batches until there are as many changes as named, and compares; they are then forgotten.
func (c *capture) want(rows ...string) {
	c.t.Helper()
	c.until(func() bool { return len(c.rows) >= len(rows) })
	got := strings.Join(c.rows, "\n")
	if want := strings.Join(rows, "\n"); got != want {
		c.t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	c.rows, c.changes = nil, nil
}

// show is a change as "update public.a (1, x) -> (1, y)".
func show(ch *tidemill.Change) string {
	s := ch.Op.String() + " " + ch.Table.String()
	if ch.Before != nil {
		s += " " + tuple(ch.Before)
	}
	if ch.After != nil {
		s += " -> " + tuple(ch.After)
	}
	return s
}

func tuple(row []tidemill.Value) string {
	cells := make([]string, len(row))
	for i, v := range row {
		cells[i] = v.String()
	}
	return "(" + strings.Join(cells, ", ") + ")"
}

func TestSnapshotThenStream(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, `CREATE TABLE a (id int PRIMARY KEY, x text); CREATE TABLE empty (id int PRIMARY KEY);
		INSERT INTO a VALUES (1, 'one'), (2, NULL), (3, E'tab\there \\ back\nline')`)
	c := open(t, postgres.Source(url, "a", "public.empty"), "")
	c.until(func() bool { return c.live })
	if !c.caughtUp || c.upto == "" {
		t.Errorf("the snapshot's end has Upto %q and CaughtUp %v", c.upto, c.caughtUp)
	}
	flags := []tidemill.Flags{tidemill.First | tidemill.FirstOf, 0, tidemill.Last | tidemill.LastOf}
	for i, ch := range c.changes {
		if ch.Flags != flags[i] || ch.N != uint64(i) {
			t.Errorf("row %d has flags %d and N %d", i, ch.Flags, ch.N)
		}
	}
	snap := c.changes[0].Tx.Order
	c.want("read public.a -> (1, one)", "read public.a -> (2, NULL)", "read public.a -> (3, tab\there \\ back\nline)")
	s.Exec(t, url, "INSERT INTO a VALUES (4, 'four')")
	c.until(func() bool { return len(c.changes) > 0 })
	if o := c.changes[0].Tx.Order; o <= snap {
		t.Errorf("the stream's order %d is not beyond the snapshot's %d", o, snap)
	}
	if l := c.source.Locate(&c.changes[0]); !strings.Contains(l, "/") {
		t.Errorf("Locate says %q", l)
	}
	c.want("insert public.a -> (4, four)")
	s.Exec(t, url, "BEGIN; UPDATE a SET x = 'vier' WHERE id = 4; UPDATE a SET id = 5 WHERE id = 4; DELETE FROM a WHERE id = 1; COMMIT; TRUNCATE a; INSERT INTO empty VALUES (1)")
	c.want("update public.a -> (4, vier)", "update public.a (4, ?) -> (5, vier)", "delete public.a (1, ?)", "truncate public.a", "insert public.empty -> (1)")
	// A savepoint that was rolled back, a transaction that was.
	s.Exec(t, url, "BEGIN; INSERT INTO a VALUES (6); SAVEPOINT s; INSERT INTO a VALUES (7); ROLLBACK TO s; INSERT INTO a VALUES (8); COMMIT; BEGIN; INSERT INTO a VALUES (9); ROLLBACK; INSERT INTO a VALUES (10)")
	c.want("insert public.a -> (6, NULL)", "insert public.a -> (8, NULL)", "insert public.a -> (10, NULL)")
	c.close()

	// Everything after the position comes, nothing twice.
	s.Exec(t, url, "INSERT INTO a VALUES (11, 'while away')")
	d := open(t, c.source, c.upto)
	d.until(func() bool { return d.caughtUp })
	d.want("insert public.a -> (11, while away)")
	if !d.live {
		t.Error("a source that goes on is not live")
	}
}

func TestResumeGivesTheSameIdentities(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE a (id int PRIMARY KEY, x text)")
	src := postgres.Source(url, "a")
	c := open(t, src, "")
	c.until(func() bool { return c.live })
	from := c.upto
	s.Exec(t, url, "INSERT INTO a SELECT g, 'x' FROM generate_series(1, 10) g; BEGIN; UPDATE a SET x = 'y'; DELETE FROM a WHERE id < 3; COMMIT; INSERT INTO a VALUES (100, '')")
	c.until(func() bool { return len(c.rows) >= 23 })
	c.close()
	d := open(t, src, from)
	d.until(func() bool { return len(d.rows) >= 23 })
	for i := range c.changes {
		a, b := &c.changes[i], &d.changes[i]
		if c.rows[i] != d.rows[i] || a.Tx.Order != b.Tx.Order || a.N != b.N || a.At != b.At || a.Tx.ID != b.Tx.ID || !a.Tx.Commit.Equal(b.Tx.Commit) || a.Table.Sum != b.Table.Sum {
			t.Fatalf("change %d: %s and %s, %+v and %+v", i, c.rows[i], d.rows[i], a.Tx, b.Tx)
		}
	}
	if d.upto != c.upto {
		t.Errorf("ends at %s and %s", c.upto, d.upto)
	}
}

// TestEncrypted takes encrypted connections over as well.
func TestEncrypted(t *testing.T) {
	s := postgrestest.Start(t, postgrestest.TLS(), postgrestest.Password("p w:/@"))
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	c := open(t, src, at)
	c.until(func() bool { return c.caughtUp })
	s.Exec(t, url, "INSERT INTO a SELECT g, repeat('x', 100) FROM generate_series(1, 5000) g")
	c.until(func() bool { return len(c.rows) == 5000 })
	if got := table(t, s, url, "SELECT bool_and(ssl) FROM pg_stat_ssl WHERE pid IN (SELECT pid FROM pg_stat_replication)"); got != "t" {
		t.Errorf("the stream is encrypted: %s", got)
	}
	if err := src.Release(context.Background(), c.upto); err != nil {
		t.Fatal(err)
	}
	c.close()
	w := postgres.Sink(url, "predictions")
	resume(t, w, 1, tidemill.Mark{})
	write(t, w, predicted(1, "1", "no"))
}

func TestTablesAndNames(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE a (x text DEFAULT 'd', k2 int, k1 int NOT NULL, PRIMARY KEY (k1, k2))")
	src := postgres.Source(url, "a")
	tables, err := src.Tables(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	a := tables[0]
	if a.String() != "public.a" || len(a.Key) != 2 || a.Key[0] != 2 || a.Key[1] != 1 || !a.Columns[0].Nullable || a.Columns[1].Nullable || *a.Columns[0].Default != "'d'::text" {
		t.Errorf("table %+v", a)
	}
	c := open(t, src, "")
	c.until(func() bool { return c.live })
	s.Exec(t, url, "INSERT INTO a VALUES ('x', 2, 1)")
	c.until(func() bool { return len(c.changes) == 1 })
	if got := c.changes[0].Table; got.Sum != a.Sum || *got.Columns[0].Default != "'d'::text" || got.Columns[1].Nullable {
		t.Errorf("the stream's table is %+v", got)
	}
	if _, err := postgres.Source(url, "none").Tables(context.Background()); err == nil || !strings.Contains(err.Error(), "public.none") {
		t.Errorf("got %v", err)
	}
	// The same table has one name, however it is written.
	one := postgres.Source("postgres://u:p@LOCALHOST:5432/db", "predictions").TableNames()
	two := postgres.Sink("host=127.0.0.1 port=5432 dbname=db user=other password=x", "public.predictions").TableNames()
	if len(one) != 1 || len(two) != 2 || one[0] != two[0] || one[0] != "postgres://localhost:5432/db/public.predictions" {
		t.Errorf("names %v, %v", one, two)
	}
	for _, bad := range [][]string{nil, {"a", "public.a"}, {"a.b.c"}, {""}} {
		if _, err := (&postgres.SourceConfig{URL: url, Tables: bad}).Build("f"); err == nil {
			t.Errorf("tables %q are taken", bad)
		}
	}
	if _, err := (&postgres.SourceConfig{URL: url, Tables: []string{"a"}, Slot: "No-Slot"}).Build("f"); err == nil {
		t.Error("a slot's name with capitals is taken")
	}
}
