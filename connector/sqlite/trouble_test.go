package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// sinkBeside is a sink that has begun, and another connection to its file.
func sinkBeside(t *testing.T) (path string, s *Predictions, d *db) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "p.db")
	s = Sink(path, "predictions")
	t.Cleanup(func() { s.Close() })
	if err := s.Resume(context.Background(), tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	d, err := open(path, readWrite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.close() })
	return path, s, d
}

func TestSinkWaitsForALock(t *testing.T) {
	ctx := context.Background()
	path, s, d := sinkBeside(t)
	if err := d.exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 60*time.Millisecond)
	defer cancel()
	if err := s.Write(short, []tidemill.Output{predicted(1, "a", "x")}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write beside a lock, until the deadline: %v", err)
	}
	go func() { time.Sleep(100 * time.Millisecond); d.exec("COMMIT") }()
	if err := s.Write(ctx, []tidemill.Output{predicted(1, "a", "x")}); err != nil {
		t.Errorf("Write beside a lock that ends: %v", err)
	}
	if got := rowsOf(t, path, "SELECT id FROM predictions"); got != "a\n" {
		t.Errorf("rows: %q", got)
	}
}

func TestSinkOnAFullDisk(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "p.db")
	s := Sink(path, "predictions")
	defer s.Close()
	if err := s.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.table.d.one("PRAGMA max_page_count=10"); err != nil { // SQLite's own way to a full disk
		t.Fatal(err)
	}
	big := predicted(1, strings.Repeat("long", 20_000), "x")
	err := s.Write(ctx, []tidemill.Output{predicted(1, "a", "x"), big})
	if err == nil || tidemill.IsFatal(err) || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("Write on a full disk: %v", err)
	}
	if got := rowsOf(t, path, "SELECT count(*) FROM predictions"); got != "0\n" {
		t.Errorf("a half of the batch is there: %s", got)
	}
	if _, err := s.table.d.one("PRAGMA max_page_count=100000"); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(ctx, []tidemill.Output{predicted(1, "a", "x"), big}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestSinkColumnsOfTruth(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "p.db")
	s := Sink(path, "predictions").WithoutTruth()
	if err := s.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	truth := tidemill.Output{Kind: tidemill.Truth, Seq: 2, Task: "late", ID: "a", Truth: "no", Answered: asked}
	if err := s.Write(ctx, []tidemill.Output{predicted(1, "a", "x"), truth}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got := rowsOf(t, path, "SELECT count(*) FROM pragma_table_info('predictions') WHERE name IN ('truth','answered_at')"); got != "0\n" {
		t.Errorf("columns of truth: %s", got)
	}
	with := Sink(path, "predictions")
	defer with.Close()
	if err := with.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 2, After: tidemill.Mark{Term: 1, Seq: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := with.Write(ctx, []tidemill.Output{truth}); err != nil {
		t.Fatal(err)
	}
	if got := rowsOf(t, path, "SELECT id, truth FROM predictions"); got != "a|no\n" {
		t.Errorf("rows: %q", got)
	}
}

func TestFileReplaced(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "a.db"), filepath.Join(dir, "b.db")
	for _, p := range []string{path, other} {
		userDB(t, p, "delete", "CREATE TABLE t(a)").Close()
	}
	src := Source(path, "t")
	c := collect(src, "")
	defer c.stop()
	var upto tidemill.Position
	c.until(t, "snapshot", func(b tidemill.Batch) bool { upto = b.Upto; return b.CaughtUp })
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if err := stops(t, c); tidemill.IsFatal(err) || !strings.Contains(err.Error(), "was replaced") {
		t.Errorf("another file moved over: %v", err)
	}
	for _, err := range src.Changes(context.Background(), upto) {
		if !errors.Is(err, tidemill.ErrGap) {
			t.Errorf("the other file is read on: %v", err)
		}
	}
}

func TestFileRestoredWhileOpen(t *testing.T) {
	path, exec, c, _ := start(t, "CREATE TABLE t(a)")
	d, err := open(path, readWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	backup, err := d.copyTo(context.Background(), filepath.Join(t.TempDir(), "copy.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer backup.close()
	exec("INSERT INTO t VALUES(1),(2),(3)")
	c.take(t, 3)
	if err := d.retry(context.Background(), func() error { return backup.backup(context.Background(), d) }); err != nil {
		t.Fatal(err)
	}
	if err := stops(t, c); !errors.Is(err, tidemill.ErrGap) {
		t.Errorf("a restored file is read on: %v", err)
	}
}
