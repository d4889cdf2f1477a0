package postgres_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// findings are a check's lines.
func findings(c tidemill.Checker) string {
	var b strings.Builder
	for _, f := range c.Check(context.Background()) {
		b.WriteString(f.Level + ": " + f.Text + " | " + f.Mend + "\n")
	}
	return b.String()
}

func mustSay(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("%q is not in\n%s", w, got)
		}
	}
}

// first is the first error of a source.
func first(t *testing.T, src *postgres.Capture, after tidemill.Position) error {
	t.Helper()
	c := open(t, src, after)
	defer c.close()
	for {
		if err := c.step(); err != nil {
			return err
		}
		if c.live {
			t.Fatal("the source runs")
		}
	}
}

func TestCheckFindsNothingWrong(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE a (id int PRIMARY KEY, x text, y int GENERATED ALWAYS AS (id + 1) STORED); CREATE TABLE nokey (x int); CREATE TABLE plain (x int); ALTER TABLE plain REPLICA IDENTITY FULL")
	src := postgres.Source(url, "a")
	got := findings(src)
	mustSay(t, got, "ok: wal_level is logical", "ok: role postgres may replicate", "ok: public.a has a primary key", "public.a.y is a generated column", "will be made", "is not there")
	if strings.Contains(got, "error") {
		t.Error(got)
	}
	mustSay(t, findings(postgres.Source(url, "nokey", "plain", "B", "A")),
		"error: public.nokey has no primary key and no replica identity", `ALTER TABLE "public"."nokey" REPLICA IDENTITY FULL`,
		"warning: public.plain has no primary key", "error: there is no table public.B", "did you mean public.a?")
	c := open(t, src, "")
	c.until(func() bool { return c.live })
	s.Exec(t, url, "INSERT INTO a VALUES (1)")
	c.want("insert public.a -> (1, NULL)")
	mustSay(t, findings(src), "publishes the tables", "is in use by server process")
	s.Exec(t, url, "CREATE TABLE other (id int PRIMARY KEY)")
	mustSay(t, findings(postgres.Source(url, "a", "other")), `does not publish public.other | ALTER PUBLICATION`)
	mustSay(t, findings(postgres.Sink(url, "predictions")), "ok: table public.predictions may be made", "ok: table public.tidemill_marks may be made")
}

func TestNoPrimaryKeyIsRefused(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE nokey (x int)")
	err := first(t, postgres.Source(url, "nokey"), "")
	if !tidemill.IsFatal(err) {
		t.Error("not fatal")
	}
	mustSay(t, err.Error(), "public.nokey has neither a primary key nor REPLICA IDENTITY FULL", `ALTER TABLE "public"."nokey" REPLICA IDENTITY FULL`, "publish = 'insert, truncate'")
	s.Exec(t, url, "UPDATE nokey SET x = 1") // the application still works
	if got := s.Query(t, url, "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"); got[0][0] != "0" {
		t.Error("a slot was left")
	}
	// A publication made by hand is taken as it is.
	s.Exec(t, url, "INSERT INTO nokey VALUES (1); CREATE PUBLICATION mine FOR TABLE nokey WITH (publish = 'insert, truncate')")
	cfg := postgres.NewSourceConfig()
	cfg.URL, cfg.Tables, cfg.Publication = url, []string{"nokey"}, "mine"
	built, err := cfg.Build(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, built.(*postgres.Capture), "")
	c.want("read public.nokey -> (1)")
	s.Exec(t, url, "INSERT INTO nokey VALUES (2); UPDATE nokey SET x = 3")
	c.want("insert public.nokey -> (2)")
	c.close()
	// It is not ours to drop.
	done, err := built.(*postgres.Capture).Drop(context.Background())
	if err != nil || len(done) != 1 || !strings.HasPrefix(done[0], "slot ") {
		t.Errorf("dropped %v, %v", done, err)
	}
}

func TestWrongPasswordAndUnreachable(t *testing.T) {
	s := postgrestest.Start(t, postgrestest.Password("right-secret"), postgrestest.WALLevel("replica"))
	url := s.CreateDB(t)
	s.Exec(t, url, "CREATE TABLE a (id int PRIMARY KEY)")
	wrong := strings.Replace(url, "right-secret", "wrong-secret", 1)
	err := first(t, postgres.Source(wrong, "a"), "")
	if !tidemill.IsFatal(err) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	mustSay(t, err.Error(), "password")
	got := findings(postgres.Source(wrong, "a"))
	mustSay(t, got, "correct the password in url")
	if strings.Contains(got, "secret") {
		t.Error(got)
	}
	err = postgres.Sink(wrong, "predictions").Resume(context.Background(), tidemill.Resumption{Flow: "f", Term: 1})
	if !tidemill.IsFatal(err) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}

	// wal_level = replica
	err = first(t, postgres.Source(url, "a"), "")
	if !tidemill.IsFatal(err) {
		t.Error("not fatal")
	}
	mustSay(t, err.Error(), "wal_level is replica", "ALTER SYSTEM SET wal_level = 'logical'")
	mustSay(t, findings(postgres.Source(url, "a")), "error: wal_level is replica | ALTER SYSTEM SET wal_level = 'logical'")

	s.Stop(t)
	err = first(t, postgres.Source(url, "a"), "")
	if tidemill.IsFatal(err) || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	mustSay(t, findings(postgres.Source(url, "a")), "start the server")
	for _, bad := range []string{"", "postgres://u:my-secret@[::1/db", "host=x password=my-secret port=none", "postgres://u:my-secret@h/db?sslmode=odd"} {
		_, err := (&postgres.SourceConfig{URL: bad, Tables: []string{"a"}}).Build("f")
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("url %q gave %v", bad, err)
		}
	}
}

func TestPrivileges(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	db := s.Query(t, url, "SELECT current_database()")[0][0]
	role := "r" + db
	s.Exec(t, url, "CREATE TABLE a (id int PRIMARY KEY); CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() { s.Exec(t, url, "DROP OWNED BY "+role+"; DROP ROLE "+role) })
	mine := s.UserURL(role, "", db)
	src := postgres.Source(mine, "a")
	mustSay(t, findings(src), "ALTER ROLE "+role+" REPLICATION", `GRANT SELECT ON "public"."a" TO `+role, "may not make it | have an owner of the tables run: CREATE PUBLICATION")
	if err := first(t, src, ""); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "ALTER ROLE") {
		t.Errorf("without REPLICATION: %v", err)
	}
	s.Exec(t, url, "ALTER ROLE "+role+" REPLICATION")
	err := first(t, src, "")
	if !tidemill.IsFatal(err) {
		t.Error("not fatal")
	}
	mustSay(t, err.Error(), `have an owner of the tables run: CREATE PUBLICATION "tidemill_`+db+`" FOR TABLE ONLY "public"."a"`)
	s.Exec(t, url, "CREATE PUBLICATION tidemill_"+db+" FOR TABLE ONLY a")
	err = first(t, src, tidemill.Begun)
	if !tidemill.IsFatal(err) {
		t.Error("not fatal")
	}
	mustSay(t, err.Error(), `GRANT SELECT ON "public"."a"`)
	s.Exec(t, url, "GRANT SELECT ON a TO "+role+"; INSERT INTO a VALUES (1)")
	c := open(t, src, tidemill.Begun)
	c.want("read public.a -> (1)")
	c.until(func() bool { return c.live })
	s.Exec(t, url, "INSERT INTO a VALUES (2)")
	c.want("insert public.a -> (2)")
	c.close()
	s.Exec(t, url, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database() AND NOT active")
	// The sink's rights.
	w := postgres.Sink(mine, "predictions")
	mustSay(t, findings(w), "GRANT CREATE, USAGE ON SCHEMA")
	if err := w.Resume(context.Background(), tidemill.Resumption{Flow: "f", Term: 1}); err == nil || !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "GRANT CREATE ON SCHEMA") {
		t.Errorf("got %v", err)
	}
}
