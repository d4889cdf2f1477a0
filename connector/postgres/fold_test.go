package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// folded is a table as its changes make it: rows by key.
type folded map[string][]tidemill.Value

func (f folded) apply(t *testing.T, ch *tidemill.Change) {
	t.Helper()
	id := func(row []tidemill.Value) string {
		var b []byte
		for _, k := range ch.Table.Key {
			b = append(row[k].AppendText(b), 0)
		}
		return string(b)
	}
	row := slices.Clone(ch.After)
	for i := range row {
		row[i] = row[i].Clone()
	}
	switch ch.Op {
	case tidemill.Read, tidemill.Insert:
		if _, ok := f[id(row)]; ok {
			t.Fatalf("%s is there already", show(ch))
		}
		f[id(row)] = row
	case tidemill.Update:
		was := id(row)
		if ch.Before != nil {
			was = id(ch.Before)
		}
		old, ok := f[was]
		if !ok {
			t.Fatalf("%s: no such row", show(ch))
		}
		for i := range row { // an unchanged TOAST value is what it was
			if !row[i].Known() {
				row[i] = old[i]
			}
		}
		delete(f, was)
		f[id(row)] = row
	case tidemill.Delete:
		if _, ok := f[id(ch.Before)]; !ok {
			t.Fatalf("%s: no such row", show(ch))
		}
		delete(f, id(ch.Before))
	case tidemill.Truncate:
		clear(f)
	}
}

func (f folded) String() string {
	var rows []string
	for _, r := range f {
		rows = append(rows, tuple(r))
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

// TestTableIsTheFoldOfItsChanges does random DML with savepoints, key changes, TOAST, several connections and restarts
// of the source, and compares the table with the fold of what was captured.
func TestTableIsTheFoldOfItsChanges(t *testing.T) {
	s := postgrestest.Start(t)
	for _, identity := range []string{"DEFAULT", "FULL"} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(identity, seed), func(t *testing.T) { foldOnce(t, s, identity, seed) })
		}
	}
}

func foldOnce(t *testing.T, s *postgrestest.Server, identity string, seed uint64) {
	url := s.CreateDB(t)
	s.Exec(t, url, `CREATE TABLE a (x int, k text, n numeric, big text, at timestamptz, PRIMARY KEY (k, x)); ALTER TABLE a ALTER big SET STORAGE EXTERNAL; ALTER TABLE a REPLICA IDENTITY `+identity)
	rnd := rand.New(rand.NewPCG(seed, 7))
	ctx := context.Background()
	conns := make([]*pgconn.PgConn, 3)
	for i := range conns {
		var err error
		if conns[i], err = pgconn.Connect(ctx, url); err != nil {
			t.Fatal(err)
		}
		defer conns[i].Close(ctx)
	}
	open1 := make([]bool, len(conns))
	key := func(c int) string { return fmt.Sprintf("%d, 'k%d'", rnd.IntN(6), c) } // each connection has its own rows: no locks
	big := func() string {
		if rnd.IntN(2) == 0 {
			return "'s'"
		}
		return fmt.Sprintf("repeat(md5('%d'), %d)", rnd.IntN(1000), 200+1000*rnd.IntN(2))
	}
	step := func() {
		c := rnd.IntN(len(conns))
		var sql string
		switch rnd.IntN(12) {
		case 0, 1, 2:
			sql = fmt.Sprintf("INSERT INTO a VALUES (%s, %d.50, %s, now()) ON CONFLICT DO NOTHING", key(c), rnd.IntN(100), big())
		case 3, 4:
			sql = fmt.Sprintf("UPDATE a SET n = n + 1 WHERE k = 'k%d' AND x = %d", c, rnd.IntN(6))
		case 5:
			sql = fmt.Sprintf("UPDATE a SET big = %s, n = NULL WHERE k = 'k%d' AND x = %d", big(), c, rnd.IntN(6))
		case 6:
			sql = fmt.Sprintf("UPDATE a SET x = %d WHERE k = 'k%d' AND x = %d AND NOT EXISTS (SELECT FROM a WHERE k = 'k%[2]d' AND x = %[1]d)", rnd.IntN(9), c, rnd.IntN(6))
		case 7:
			sql = fmt.Sprintf("DELETE FROM a WHERE k = 'k%d' AND x = %d", c, rnd.IntN(6))
		case 8:
			if !open1[c] {
				sql, open1[c] = "BEGIN", true
			} else {
				sql = "SAVEPOINT s"
			}
		case 9:
			if open1[c] {
				sql, open1[c] = [...]string{"COMMIT", "COMMIT", "ROLLBACK"}[rnd.IntN(3)], false
			}
		case 10:
			if open1[c] {
				sql = fmt.Sprintf("SAVEPOINT s; INSERT INTO a VALUES (%d, 'k%d'); DELETE FROM a WHERE k = 'k%[2]d'; ROLLBACK TO s", 100+rnd.IntN(9), c)
			}
		case 11:
			if rnd.IntN(10) == 0 && !slices.Contains(open1, true) {
				sql = "TRUNCATE a"
			}
		}
		if sql == "" {
			return
		}
		if _, err := conns[c].Exec(ctx, sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	for range 30 {
		step()
	}
	for c := range conns { // a slot cannot be made while a transaction is open
		if open1[c] {
			conns[c].Exec(ctx, "COMMIT").ReadAll()
			open1[c] = false
		}
	}
	f := folded{}
	src := postgres.Source(url, "a")
	if seed > 0 { // large transactions come while they are open
		src.Open("64kB", int(seed-1)<<20)
	}
	c := open(t, src, "")
	c.until(func() bool { return c.live })
	take := func(c *capture) {
		for i := range c.changes {
			f.apply(t, &c.changes[i])
		}
		c.changes, c.rows = nil, nil
	}
	take(c)
	c.close()
	at := c.upto
	for range 5 {
		for range 60 {
			step()
		}
		d := open(t, src, at)
		d.until(func() bool { return d.caughtUp })
		take(d)
		d.close()
		at = d.upto
		if rnd.IntN(2) == 0 {
			src.Release(ctx, at)
		}
	}
	for c := range conns {
		if open1[c] {
			conns[c].Exec(ctx, "COMMIT").ReadAll()
		}
	}
	d := open(t, src, at)
	d.until(func() bool { return d.caughtUp })
	take(d)
	d.close()
	// The table as a snapshot reads it now.
	want := folded{}
	e := open(t, src, tidemill.Begun)
	e.until(func() bool { return e.live })
	for i := range e.changes {
		want.apply(t, &e.changes[i])
	}
	if f.String() != want.String() {
		t.Errorf("the fold is\n%.2000s\nthe table is\n%.2000s", f, want)
	}
	if len(want) == 0 {
		t.Log("the table is empty")
	}
}

func TestToast(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE a (id int PRIMARY KEY, n int, big text); ALTER TABLE a ALTER big SET STORAGE EXTERNAL")
	c := open(t, postgres.Source(url, "a"), "")
	c.until(func() bool { return c.live })
	s.Exec(t, url, "INSERT INTO a VALUES (1, 1, repeat('x', 5000)); UPDATE a SET n = 2")
	c.until(func() bool { return len(c.changes) == 2 })
	if got := c.changes[0].After[2]; len(got.Str()) != 5000 {
		t.Errorf("the value has %d bytes", len(got.Str()))
	}
	if got := c.changes[1].After[2]; got.Known() {
		t.Errorf("the unchanged value is %s", got.Kind())
	}
	c.rows, c.changes = nil, nil
	s.Exec(t, url, "ALTER TABLE a REPLICA IDENTITY FULL; UPDATE a SET n = 3; UPDATE a SET big = NULL; DELETE FROM a")
	c.until(func() bool { return len(c.changes) == 3 })
	if ch := c.changes[0]; len(ch.After[2].Str()) != 5000 || len(ch.Before[2].Str()) != 5000 || ch.Before[1].Int() != 2 {
		t.Errorf("with REPLICA IDENTITY FULL: %.100s", show(&ch))
	}
	if ch := c.changes[1]; !ch.After[2].IsNull() {
		t.Errorf("set to NULL: %.100s", show(&ch))
	}
	if got := show(&c.changes[2]); got != "delete public.a (1, 3, NULL)" {
		t.Error(got)
	}
}

func TestSchemaChanges(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	c := open(t, src, at)
	c.until(func() bool { return c.caughtUp })
	s.Exec(t, url, "INSERT INTO a VALUES (1, 'x'); ALTER TABLE a ADD y int DEFAULT 7; INSERT INTO a VALUES (2, 'x')")
	s.Exec(t, url, "ALTER TABLE a DROP x; ALTER TABLE a ALTER y TYPE text; ANALYZE a; INSERT INTO a VALUES (3, 'why'); INSERT INTO a VALUES (4, 'same')")
	c.until(func() bool { return len(c.changes) == 4 })
	tables := []*tidemill.Table{c.changes[0].Table, c.changes[1].Table, c.changes[2].Table, c.changes[3].Table}
	if tables[0].Sum == tables[1].Sum || tables[1].Sum == tables[2].Sum || tables[2] != tables[3] {
		t.Errorf("tables %+v", tables)
	}
	if k := tables[2].Key; len(k) != 1 || k[0] != 0 {
		t.Errorf("key %v", k)
	}
	if d := tables[1].Columns; len(d) == 3 && (d[2].Kind != tidemill.KindInt || d[2].Native != "integer") {
		t.Errorf("columns %+v", d)
	}
	c.want("insert public.a -> (1, x)", "insert public.a -> (2, x, 7)", "insert public.a -> (3, why)", "insert public.a -> (4, same)")
	// The same log read again gives the same tables, though the table has another shape now.
	d := open(t, src, at)
	c.close()
	d.until(func() bool { return len(d.changes) == 4 })
	for i, tb := range tables {
		if d.changes[i].Table.Sum != tb.Sum {
			t.Errorf("change %d: another table: %+v, %+v", i, tb, d.changes[i].Table)
		}
	}
	d.rows, d.changes = nil, nil
	s.Exec(t, url, "ALTER TABLE a RENAME TO b; INSERT INTO b VALUES (5)")
	for {
		if err := d.step(); err != nil {
			if !tidemill.IsFatal(err) {
				t.Errorf("%v is not fatal", err)
			}
			mustSay(t, err.Error(), "public.a was renamed to public.b")
			break
		}
		if len(d.rows) > 0 {
			t.Fatalf("got %v", d.rows)
		}
	}
	err := first(t, src, d.upto)
	isGap(t, err, "does not publish public.a")
}

func TestPartitionsAndChildren(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, `CREATE SCHEMA "Odd.Schema"; CREATE TABLE "Odd.Schema".p (id int, x text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
		CREATE TABLE p1 PARTITION OF "Odd.Schema".p FOR VALUES FROM (0) TO (10); CREATE TABLE p2 PARTITION OF "Odd.Schema".p FOR VALUES FROM (10) TO (20);
		INSERT INTO "Odd.Schema".p VALUES (1, 'one'), (11, 'eleven');
		CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (y int) INHERITS (parent); ALTER TABLE child ADD PRIMARY KEY (id); INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2)`)
	s.Exec(t, url, `CREATE PUBLICATION leaves FOR TABLE "Odd.Schema".p`)
	cfg := postgres.NewSourceConfig()
	cfg.URL, cfg.Tables, cfg.Publication = url, []string{`"Odd.Schema".p`}, "leaves"
	built, err := cfg.Build("leaves")
	if err != nil {
		t.Fatal(err)
	}
	mustSay(t, first(t, built.(*postgres.Capture), "").Error(), `ALTER PUBLICATION "leaves" SET (publish_via_partition_root = true)`)
	c := open(t, postgres.Source(url, `"Odd.Schema".p`, "parent"), "")
	c.want("read Odd.Schema.p -> (1, one)", "read Odd.Schema.p -> (11, eleven)", "read public.parent -> (1)")
	s.Exec(t, url, `UPDATE "Odd.Schema".p SET id = 12 WHERE id = 1; INSERT INTO p2 VALUES (13, 'direct'); INSERT INTO child VALUES (3); INSERT INTO parent VALUES (4)`)
	// A row that moves to another partition is deleted and inserted.
	c.want("delete Odd.Schema.p (1, ?)", "insert Odd.Schema.p -> (12, one)", "insert Odd.Schema.p -> (13, direct)", "insert public.parent -> (4)")
}

func TestColumnListAndRowFilter(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, `CREATE TABLE a (id int PRIMARY KEY, secret text, x int, g int GENERATED ALWAYS AS (x * 2) STORED); INSERT INTO a VALUES (1, 's', 1), (-2, 's', 2);
		CREATE TABLE unasked (id int PRIMARY KEY); CREATE PUBLICATION mine FOR TABLE a (id, x) WHERE (id > 0), unasked`)
	cfg := postgres.NewSourceConfig()
	cfg.URL, cfg.Tables, cfg.Publication = url, []string{"a"}, "mine"
	src, err := cfg.Build(strings.Repeat("Long-Name-", 9) + t.Name())
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, src.(*postgres.Capture), "")
	c.want("read public.a -> (1, 1)")
	s.Exec(t, url, "INSERT INTO a VALUES (3, 's', 3), (-4, 's', 4); INSERT INTO unasked VALUES (1); BEGIN; INSERT INTO unasked VALUES (2); UPDATE a SET x = 5 WHERE id = 3; COMMIT; TRUNCATE unasked, a")
	c.want("insert public.a -> (3, 3)", "update public.a -> (3, 5)", "truncate public.a")
}

// TestBehind reads a log of small transactions that is much longer than a batch: places to resume from come all the way,
// not only at its end, and so do they where every transaction is larger than a batch.
func TestBehind(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	s.Exec(t, url, "DO $$ BEGIN FOR i IN 1..3000 LOOP INSERT INTO a VALUES (4*i), (4*i+1), (4*i+2), (4*i+3); COMMIT; END LOOP; END $$")
	s.Exec(t, url, "DO $$ BEGIN FOR i IN 1..6 LOOP INSERT INTO a SELECT 100000*i+g FROM generate_series(1, 4096) g; COMMIT; END LOOP; END $$")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, since, places := 0, 0, 0
	for b, err := range src.Changes(ctx, at) {
		if err != nil {
			t.Fatal(err)
		}
		n, since = n+len(b.Changes), since+len(b.Changes)
		limit := 2048
		if n > 12000 {
			limit = 2 * 4096
		}
		if since > limit {
			t.Fatalf("%d changes without a place to resume from, after %d", since, n)
		}
		if b.Upto != "" {
			places, since = places+1, 0
		}
		if b.CaughtUp {
			break
		}
	}
	if n != 36576 || places < 14 {
		t.Errorf("%d changes, %d places", n, places)
	}
}

// TestLargeTransaction comes in several batches, of which only the last can be resumed from.
func TestLargeTransaction(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	for _, sql := range []string{"INSERT INTO a VALUES (-1)", "INSERT INTO a SELECT g, repeat('x', 100) FROM generate_series(1, 30000) g", "INSERT INTO a VALUES (-2)"} {
		s.Exec(t, url, sql)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n, cuts, large := 0, 0, uint64(0)
	for b, err := range src.Changes(ctx, at) {
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Changes) > 5000 {
			t.Errorf("a batch of %d changes", len(b.Changes))
		}
		for _, ch := range b.Changes {
			if ch.N == 1 {
				large = ch.Tx.Order
			}
			if ch.Tx.Order == large && ch.After[0].Int() != int64(ch.N)+1 {
				t.Fatalf("%s has N %d", show(&ch), ch.N)
			}
		}
		n += len(b.Changes)
		if n > 1 && n < 30001 {
			if cuts++; b.Upto != "" || b.CaughtUp {
				t.Errorf("inside the transaction Upto is %q", b.Upto)
			}
		}
		if b.CaughtUp {
			break
		}
	}
	if n != 30002 || cuts < 2 {
		t.Errorf("%d changes, %d cuts", n, cuts)
	}
}

func TestOriginIsNamed(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	src, at := begin(t, s, url)
	c := open(t, src, at)
	name := "o" + slot(t, s, url)
	s.Exec(t, url, "SELECT pg_replication_origin_create('"+name+"'), pg_replication_origin_session_setup('"+name+"'); INSERT INTO a VALUES (1)")
	t.Cleanup(func() { s.Exec(t, url, "SELECT pg_replication_origin_drop('"+name+"')") })
	s.Exec(t, url, "INSERT INTO a VALUES (2)")
	c.until(func() bool { return len(c.changes) == 2 })
	if a, b := c.changes[0].Tx.Origin, c.changes[1].Tx.Origin; a != name || b != "" {
		t.Errorf("origins %q, %q", a, b)
	}
}
