package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// TestLostState loses the state folder of a flow over PostgreSQL, whose slot and predictions stay: each stop has the exit
// code of the environment and the mend, and the mends work.
func TestLostState(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.CreateDB(t)
	server.Exec(t, url, "CREATE TABLE orders (id int PRIMARY KEY, amount int, late boolean)")
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(`name: lost
source: {postgres: {url: "${DATABASE_URL}", tables: [orders]}}
tasks:
  - name: late
    predict: {on: insert, table: orders}
    learn: {on: update, table: orders, label: late}
    features: [numeric: [amount], window: {mean: amount, of: orders, over: 1h}]
    snapshot: skip
    model: logistic
sinks:
  - postgres: {url: "${DATABASE_URL}"}
checkpoint: {dir: state}
`), 0o644))
	run := func(want int, says string, args ...string) {
		t.Helper()
		c := exec.Command(binary, args...)
		c.Dir, c.Env = dir, append(os.Environ(), "DATABASE_URL="+url)
		out, _ := c.CombinedOutput()
		if got := c.ProcessState.ExitCode(); got != want || !strings.Contains(string(out), says) {
			t.Fatalf("%v: exit code %d, want %d and %q:\n%s", args, got, want, says, out)
		}
	}
	run(exitEnvironment, "mend: ALTER TABLE public.orders REPLICA IDENTITY FULL\n", "check", "flow.yaml", "--connect")
	server.Exec(t, url, "ALTER TABLE orders REPLICA IDENTITY FULL")
	run(exitOK, "", "run", "flow.yaml", "--once")
	server.Exec(t, url, "INSERT INTO orders SELECT i, i, NULL FROM generate_series(1, 10) i; UPDATE orders SET late = true WHERE id < 4")
	run(exitOK, "10 asked, 3 answered", "run", "flow.yaml", "--once")
	must(t, os.RemoveAll(filepath.Join(dir, "state")))
	run(exitEnvironment, "there is no checkpoint (another state folder, or it was lost); --adopt keeps the rows and goes on, --reset removes them", "run", "flow.yaml", "--once")
	run(exitEnvironment, "drop it with `tidemill source drop`, or start over with a new snapshot: tidemill run --fresh", "run", "flow.yaml", "--once", "--adopt")
	if n := server.Query(t, url, "SELECT count(*) FROM predictions")[0][0]; n != "10" {
		t.Errorf("%s of 10 rows are left", n)
	}
	run(exitOK, "", "run", "flow.yaml", "--once", "--fresh", "--reset")
	if n := server.Query(t, url, "SELECT count(*) FROM predictions WHERE truth IS NOT NULL")[0][0]; n != "0" {
		t.Errorf("%s rows of the lost history are there after --reset", n)
	}
}
