package main

import (
	"database/sql"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

const brokenFlow = `name: broken
source: {postgres: {url: "${DATABASE_URL}", tables: [orders, nokey, app.secret]}}
tasks:
  - name: returned
    predict: {on: insert, table: orders}
    learn: {table: orders, label: returned}
    features: [numeric: [amount]]
    model: logistic
sinks:
  - postgres: {url: "${DATABASE_URL}"}
`

// TestCheckMends: what check --connect prints is the SQL that mends it. Everything is wrong with the database at once; what is
// printed is run, as it stands, until nothing is found, and then the flow runs.
func TestCheckMends(t *testing.T) {
	server := postgrestest.Start(t, postgrestest.WALLevel("replica"), postgrestest.Conf("max_replication_slots", "1"))
	url := server.CreateDB(t)
	db := server.Query(t, url, "SELECT current_database()")[0][0]
	server.Exec(t, url, `CREATE TABLE orders (id int PRIMARY KEY, amount int, returned boolean); INSERT INTO orders SELECT i, i % 100, i % 100 > 50 FROM generate_series(1, 200) i;
		CREATE TABLE nokey (x int); CREATE SCHEMA app; CREATE TABLE app.secret (id int PRIMARY KEY, x int);
		CREATE TABLE predictions (id int, what text); CREATE ROLE "the Mill" LOGIN; GRANT SELECT ON orders, nokey TO "the Mill";
		SELECT pg_create_physical_replication_slot('left_over', true)`)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(brokenFlow), 0o644))
	env := []string{"DATABASE_URL=" + server.UserURL("the Mill", "", db)}
	statement := regexp.MustCompile(`\b(ALTER|GRANT|CREATE) .*`)
	expect := map[string]bool{
		"wal_level is replica":                               false,
		"all of max_replication_slots = 1 are taken":         false,
		"ALTER ROLE \"the Mill\" REPLICATION":                false,
		"the role may not read app.secret":                   false,
		"public.nokey has no primary key and no replica ide": false,
		"publication tidemill_broken is missing":             false,
		"table public.predictions: not allowed":              false,
		"table public.predictions is not one of predictions": false,
		"table public.tidemill_marks: not allowed":           false,
	}
	for round := 0; ; round++ {
		want := exitEnvironment
		c := exec.Command(binary, "check", "flow.yaml", "--connect", "--json")
		c.Dir, c.Env = dir, append(os.Environ(), env...)
		out, err := c.Output()
		if err == nil {
			want = exitOK
		}
		if got := c.ProcessState.ExitCode(); got != want {
			t.Fatalf("round %d: exit code %d, want %d: %s", round, got, want, out)
		}
		var found checked
		must(t, json.Unmarshal(out, &found))
		restart, wrong := false, 0
		for _, f := range found.Findings {
			if f.Level != "error" {
				continue
			}
			wrong++
			for text := range expect {
				if strings.Contains(f.Text+f.Mend, text) {
					expect[text] = true
				}
			}
			if strings.Contains(f.Text, "max_replication_slots") && !strings.Contains(f.Mend, "SELECT pg_drop_replication_slot('left_over')") {
				t.Errorf("the slot that nobody reads is not named: %s", f.Mend)
			}
			text, rest, _ := strings.Cut(statement.FindString(f.Mend), "\n")
			if text == "" {
				text = statement.FindString(rest)
			}
			if text == "" {
				t.Fatalf("%s: no SQL mends it: %q", f.Text, f.Mend)
			}
			text, later, _ := strings.Cut(text, "; then restart the server")
			restart = restart || later != "" || strings.Contains(f.Mend, "then restart the server")
			server.Exec(t, url, text)
		}
		if wrong == 0 {
			break
		}
		if round == 5 {
			t.Fatalf("it is not mended: %s", out)
		}
		if restart {
			server.Restart(t)
		}
	}
	for text, seen := range expect {
		if !seen {
			t.Errorf("never found: %s", text)
		}
	}
	out, stderr := call(t, dir, env, exitOK, "run", "flow.yaml", "--once", "--json")
	if !strings.Contains(out, `"learned":200,`) {
		t.Errorf("the mended flow: %s%s", out, stderr)
	}
}

// TestCheckMendsKeys: a task over a table without a key cannot join; what check prints makes it run.
func TestCheckMendsKeys(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.CreateDB(t)
	server.Exec(t, url, `CREATE TABLE "the Log" ("id" text, amount int, returned boolean); ALTER TABLE "the Log" REPLICA IDENTITY FULL; INSERT INTO "the Log" SELECT 'same', i, i > 50 FROM generate_series(1, 100) i`)
	dir := t.TempDir()
	flow := strings.NewReplacer("orders, nokey, app.secret", "the Log", "table: orders", "table: the Log").Replace(brokenFlow)
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(flow), 0o644))
	env := []string{"DATABASE_URL=" + url}
	out, _ := call(t, dir, env, exitEnvironment, "check", "flow.yaml", "--connect", "--json")
	var found checked
	must(t, json.Unmarshal([]byte(out), &found))
	mended := 0
	for _, f := range found.Findings {
		if f.Level == "error" {
			text, _, _ := strings.Cut(f.Mend, "\n")
			server.Exec(t, url, text)
			mended++
		}
	}
	if mended != 1 {
		t.Errorf("%d errors: %s", mended, out)
	}
	call(t, dir, env, exitOK, "check", "flow.yaml", "--connect")
	if out, stderr := call(t, dir, env, exitOK, "run", "flow.yaml", "--once", "--json"); !strings.Contains(out, `"learned":100,`) {
		t.Errorf("the mended flow: %s%s", out, stderr)
	}
	call(t, dir, env, exitOK, "source", "drop", "flow.yaml")
}

// TestCheckRights: a SQLite file without the right to write, and one that is not in WAL mode.
func TestCheckRights(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "shop.db")+busy)
	must(t, err)
	_, err = db.Exec("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount INTEGER, returned BOOLEAN)")
	must(t, err)
	must(t, db.Close())
	flow := strings.NewReplacer(`postgres: {url: "${DATABASE_URL}", tables: [orders, nokey, app.secret]}`, "sqlite: {path: shop.db, tables: [orders]}", `postgres: {url: "${DATABASE_URL}"}`, "sqlite: {path: shop.db}").Replace(brokenFlow)
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(flow), 0o644))
	_, stderr := call(t, dir, nil, exitOK, "check", "flow.yaml", "--connect")
	if !strings.Contains(stderr, "journal_mode is delete") || !strings.Contains(stderr, "mend: PRAGMA journal_mode=WAL") {
		t.Errorf("without WAL: %s", stderr)
	}
	db, err = sql.Open("sqlite", filepath.Join(dir, "shop.db")+busy)
	must(t, err)
	_, err = db.Exec("PRAGMA journal_mode=WAL") // as it is printed
	must(t, err)
	must(t, db.Close())
	if _, stderr = call(t, dir, nil, exitOK, "check", "flow.yaml", "--connect"); strings.Contains(stderr, "journal_mode") {
		t.Errorf("with WAL: %s", stderr)
	}
	must(t, os.Chmod(filepath.Join(dir, "shop.db"), 0o444))
	must(t, os.Chmod(dir, 0o555))
	defer os.Chmod(dir, 0o755)
	program := binary
	c := exec.Command(program, "check", "flow.yaml", "--connect")
	if os.Getuid() == 0 { // root may write everything: nobody tries
		open := t.TempDir()
		data, err := os.ReadFile(binary)
		must(t, err)
		program = filepath.Join(open, "tidemill")
		must(t, os.WriteFile(program, data, 0o755))
		for d := open; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
			must(t, os.Chmod(d, 0o755))
		}
		must(t, os.Chmod(dir, 0o555))
		c = exec.Command(program, "check", "flow.yaml", "--connect")
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	c.Dir = dir
	text, err := c.CombinedOutput()
	if c.ProcessState == nil || c.ProcessState.ExitCode() != exitEnvironment {
		t.Fatalf("%v: %s", err, text)
	}
	if !strings.Contains(string(text), "shop.db cannot be written") || !strings.Contains(string(text), "give this user write access to the file") {
		t.Errorf("without rights: %s", text)
	}
}
