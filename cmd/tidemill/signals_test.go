package main

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestSecondSignal stops a flow whose sink takes nothing: the first signal waits for it, the second ends the process at
// once, and what was not written is written by the next run.
func TestSecondSignal(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "rows.db")+busy)
	must(t, err)
	defer db.Close()
	_, err = db.Exec(`PRAGMA journal_mode = WAL; CREATE TABLE rows (id INTEGER PRIMARY KEY, x REAL, y TEXT);
		INSERT INTO rows VALUES (1, 0.5, 'a'), (2, 0.7, 'b')`)
	must(t, err)
	asked, release := make(chan struct{}, 100), make(chan struct{})
	var taken atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-release:
			taken.Add(1)
		case <-r.Context().Done():
		}
	}))
	defer hook.Close()
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(`name: rows
source: {sqlite: {path: rows.db, tables: [rows]}}
tasks:
  - name: y
    predict: {on: insert, table: rows}
    learn: {on: update, table: rows, label: y}
    features: [numeric: x]
    model: {logistic: {optimizer: sgd}}
sinks:
  - webhook: {url: "`+hook.URL+`"}
checkpoint: {dir: state, every: 1h}
`), 0o644))
	r := launch(t, dir, nil, "run", "flow.yaml", "--log", "json", "--listen", "localhost:0")
	r.await(`serving on`)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err = db.Exec("INSERT INTO rows(x) VALUES (0.6)")
		must(t, err)
		select {
		case <-asked:
		default:
			if time.Now().After(end) {
				t.Fatalf("the sink is not asked:\n%s", r.stderr())
			}
			continue
		}
		break
	}
	must(t, r.cmd.Process.Signal(syscall.SIGINT))
	r.await("stopping: what has arrived is finished and saved; once more ends at once")
	select {
	case <-r.done:
		t.Fatalf("it did not wait for its sink:\n%s", r.stderr())
	case <-time.After(300 * time.Millisecond):
	}
	began := time.Now()
	must(t, r.cmd.Process.Signal(syscall.SIGINT))
	r.exit(exitAgain)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the second signal took %v", took)
	}
	close(release)
	call(t, dir, nil, exitOK, "run", "flow.yaml", "--once", "--quiet")
	if taken.Load() == 0 {
		t.Error("the next run has written nothing")
	}
}
