package main

import (
	"database/sql"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const threeKindsFlow = `name: kinds
source: {sqlite: {path: shop.db, tables: [orders]}}
tasks:
  - name: returned
    learn: {on: insert, table: orders, label: returned}
    features: [numeric: [amount]]
    model: logistic
  - name: price
    learn: {on: insert, table: orders, label: price}
    features: [numeric: [amount]]
    model: linear
  - name: groups
    learn: {on: insert, table: orders}
    features: [numeric: [amount]]
    model: {kmeans: {centers: [[10], [80]]}}
`

// TestPredictJSON: a prediction has one form, whoever is asked: the checkpoint, a server through the command, or a server itself.
func TestPredictJSON(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "shop.db")+busy)
	must(t, err)
	defer db.Close()
	_, err = db.Exec(`PRAGMA journal_mode=WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, returned BOOLEAN, price REAL);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO orders SELECT i, i % 100, i % 100 > 50, i % 100 * 3 FROM n`)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(threeKindsFlow), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "row.json"), []byte(`{"amount": 90}`), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "rows.json"), []byte(`[{"amount": 90}, {"amount": 5}]`), 0o644))
	call(t, dir, nil, exitOK, "run", "flow.yaml", "--once", "--quiet")
	r := launch(t, dir, nil, "run", "flow.yaml", "--listen", "localhost:0")
	url := r.await(`serving on (http://localhost:\d+)`)[1]
	r.await(`resumed`)
	figures := regexp.MustCompile(`"trained_through[^}]*`) // the checkpoint may be a little behind the flow
	for task, want := range map[string]string{"returned": `{"prediction":"1",`, "price": `{"prediction":2`, "groups": `{"prediction":"0",`} {
		for _, file := range []string{"row.json", "rows.json"} {
			local, _ := call(t, dir, nil, exitOK, "predict", "flow.yaml", file, "--json", "--task", task)
			remote, _ := call(t, dir, nil, exitOK, "predict", "flow.yaml", file, "--json", "--task", task, "--url", url)
			body, err := os.ReadFile(filepath.Join(dir, file))
			must(t, err)
			resp, err := http.Post(url+"/predict/"+task, "application/json", strings.NewReader(string(body)))
			must(t, err)
			served, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			must(t, err)
			plain := func(s string) string { return strings.TrimSpace(figures.ReplaceAllString(s, "")) }
			if plain(local) != plain(string(served)) || plain(remote) != plain(string(served)) {
				t.Errorf("task %s, %s:\nserved %s\nremote %slocal  %s", task, file, served, remote, local)
			}
			if !strings.HasPrefix(strings.TrimPrefix(local, "["), want) {
				t.Errorf("task %s: %s, want %s", task, local, want)
			}
		}
	}
}

// TestFreshNeedsPort: a run that cannot listen has not set the old state aside.
func TestFreshNeedsPort(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "shop.db")+busy)
	must(t, err)
	defer db.Close()
	_, err = db.Exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, returned BOOLEAN, price REAL); INSERT INTO orders VALUES (1, 20, true, 5)`)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(threeKindsFlow), 0o644))
	call(t, dir, nil, exitOK, "run", "flow.yaml", "--once", "--quiet")
	saved := regexp.MustCompile(`(?m)^checkpoint.*$`)
	before, _ := call(t, dir, nil, exitOK, "state", "flow.yaml")
	taken, err := net.Listen("tcp", "localhost:0")
	must(t, err)
	defer taken.Close()
	_, stderr := call(t, dir, nil, exitEnvironment, "run", "flow.yaml", "--once", "--fresh", "--listen", taken.Addr().String())
	if !strings.Contains(stderr, "cannot listen on") {
		t.Error(stderr)
	}
	after, _ := call(t, dir, nil, exitOK, "state", "flow.yaml")
	if was, is := saved.FindString(before), saved.FindString(after); was == "" || was != is {
		t.Errorf("there was %q and is %q", was, is)
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "state", "kinds", "set-aside*")); len(aside) > 0 {
		t.Errorf("set aside: %v", aside)
	}
}
