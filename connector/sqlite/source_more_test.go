package sqlite

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
}

func TestGaps(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.db")
	d, err := open(path, readWriteCreate)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.exec("CREATE TABLE t(id INTEGER PRIMARY KEY, a)"); err != nil {
		t.Fatal(err)
	}
	src := Source(path, "t")
	take := func(after tidemill.Position) (pos tidemill.Position, err error) {
		for b, err := range src.Changes(context.Background(), after) {
			if err != nil {
				return "", err
			}
			if b.CaughtUp {
				return b.Upto, nil
			}
		}
		return "", errors.New("ended")
	}
	begin, err := take("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := take(""); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "tidemill source drop") {
		t.Errorf("a second fresh start: %v", err)
	}
	old := filepath.Join(dir, "old.db")
	copyFile(t, path, old)
	if err := d.exec("INSERT INTO t VALUES(1,1)"); err != nil {
		t.Fatal(err)
	}
	late, err := take(begin)
	if err != nil {
		t.Fatal(err)
	}
	d.close()
	now := filepath.Join(dir, "now.db")
	copyFile(t, path, now)
	for _, test := range []struct {
		name   string
		mangle string // of the file
		file   string
		after  tidemill.Position
		says   string
	}{
		{"an older copy", "", old, late, "the file is an older copy"},
		{"a copy that went another way", "INSERT INTO t VALUES(2,2)", old, late, "a copy that went another way"},
		{"rows deleted", "INSERT INTO t VALUES(3,3); DELETE FROM tidemill_log WHERE seq<3", now, begin, "its rows were deleted"},
		{"another log", `UPDATE tidemill_log_shapes SET body=replace(body, '"id":"', '"id":"0') WHERE shape=0`, now, late, "is another one"},
		{"no log", "DROP TABLE tidemill_log; DROP TABLE tidemill_log_shapes", now, late, "there is no change log"},
		{"not ours", "", now, "0/16B3748", "is not of this source"},
	} {
		copyFile(t, test.file, path)
		d, err := open(path, readWrite)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond) // another time in the log
		if err := d.exec(test.mangle); err != nil {
			t.Fatal(err)
		}
		d.close()
		if _, err := take(test.after); !errors.Is(err, tidemill.ErrGap) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	// What is left is ours and is cleared.
	if _, err := take(tidemill.Begun); err != nil {
		t.Error(err)
	}
	done, err := src.Drop(context.Background())
	if err != nil || strings.Join(done, ", ") != "trigger tidemill_log:t:delete, trigger tidemill_log:t:insert, trigger tidemill_log:t:update, "+
		"table tidemill_log, table tidemill_log_shapes, table tidemill_log_gone" {
		t.Errorf("dropped %q, %v", done, err)
	}
	if done, err := src.Drop(context.Background()); err != nil || len(done) != 0 {
		t.Errorf("dropped again %q, %v", done, err)
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{filepath.Join(dir, "none.db"): "no such file", text: "is not a database", dir: "is a folder", "": "is no file", ":memory:": "is no file"} {
		said := 0
		for _, err := range Source(path, "t").Changes(context.Background(), "") {
			if said++; !tidemill.IsFatal(err) || !strings.Contains(err.Error(), says) {
				t.Errorf("%q: %v", path, err)
			}
		}
		if said != 1 {
			t.Errorf("%q: it yields %d times, not one error", path, said)
		}
		if f := Source(path, "t").Check(context.Background()); len(f) == 0 || f[0].Level != "error" || !strings.Contains(f[0].Text, says) {
			t.Errorf("Check of %q: %v", path, f)
		}
	}
	if err := Sink(text, "p").Resume(context.Background(), tidemill.Resumption{Flow: "f", Term: 1}); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "is not a database") {
		t.Errorf("a sink into a text: %v", err)
	}
	if err := Sink(filepath.Join(dir, "no", "p.db"), "p").Resume(context.Background(), tidemill.Resumption{Flow: "f", Term: 1}); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "cannot be opened") {
		t.Errorf("a sink in no folder: %v", err)
	}
}

func TestCancelIsPrompt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	narrow(t, path, 30_000)
	src := Source(path, "t")
	for _, phase := range []string{"snapshot", "stream"} {
		ctx, cancel := context.WithCancel(context.Background())
		var began time.Time
		for b, err := range src.Changes(ctx, tidemill.Begun) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", phase, err)
				}
				continue
			}
			if phase == "snapshot" && began.IsZero() {
				began = time.Now()
				cancel()
			}
			if b.CaughtUp {
				go func() { time.Sleep(30 * time.Millisecond); began = time.Now(); cancel() }()
			}
		}
		cancel()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: it took %s to stop", phase, took)
		}
	}
	// A lock that somebody holds does not keep it either.
	d, err := open(path, readWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if err := d.exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	for _, err := range src.Changes(ctx, tidemill.Begun) {
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("waiting for a lock it took %s to stop", took)
	}
}

func TestSlowConsumerHoldsNobody(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		path := filepath.Join(t.TempDir(), "a.db")
		d := narrow(t, path, 10_000)
		if err := d.exec("PRAGMA journal_mode=" + mode); err != nil {
			t.Fatal(err)
		}
		sqliteBusy(d, 0) // a writer that does not wait
		n, read := 0, 0
		for b, err := range Source(path, "t").Changes(context.Background(), "") {
			if err != nil {
				t.Fatal(err)
			}
			read += len(b.Changes)
			// While the consumer has a batch, of the snapshot or of the stream, a writer commits at once.
			if err := d.exec("INSERT INTO t(a) VALUES(1)"); err != nil {
				t.Fatalf("%s: after batch %d: %v", mode, n, err)
			}
			if n++; n == 20 { // half of them of the snapshot
				break
			}
		}
		if read < 10_000+6 {
			t.Errorf("%s: read %d changes", mode, read)
		}
	}
}

func TestRelease(t *testing.T) {
	const rows = pruneMost + 5_000
	path := filepath.Join(t.TempDir(), "a.db")
	d := narrow(t, path, 0)
	src := Source(path, "t")
	c := collect(src, "")
	defer c.stop()
	c.until(t, "snapshot", func(b tidemill.Batch) bool { return b.CaughtUp })
	fill := func() (upto tidemill.Position) {
		fillNarrow(t, d, rows)
		n := 0
		c.until(t, "the rows", func(b tidemill.Batch) bool { n += len(b.Changes); upto = b.Upto; return n == rows })
		return upto
	}
	upto := fill()
	left := func() int64 {
		var n int64
		if err := d.retry(context.Background(), func() (err error) { n, err = d.one("SELECT count(*) FROM tidemill_log"); return err }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if done, err := d.prune(context.Background(), "tidemill_log", rows, 2000); done || err != nil || left() < rows-5000 {
		t.Errorf("a bounded deletion left %d rows; %t, %v", left(), done, err)
	}
	if err := src.Release(context.Background(), upto); err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 1 {
		t.Errorf("Release left %d rows", n)
	}
	// What a Release leaves, the stream deletes while idle.
	at, err := parsePlace(fill())
	if err != nil {
		t.Fatal(err)
	}
	src.wanted.Store(at.seq)
	for deadline := time.Now().Add(20 * time.Second); left() > 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d log rows are left", left())
		}
	}
	// And the next change goes on where the log was.
	fillNarrow(t, d, 1)
	cs, _ := c.take(t, 1)
	if want := uint64(2*rows + 2); cs[0].At != want {
		t.Errorf("the next change is at %d, want %d", cs[0].At, want)
	}
}

// TestOneFileForAll: the user's writers, the source, Release and the sink share one file.
func TestOneFileForAll(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "a.db")
			u := userDB(t, path, mode, "CREATE TABLE t(id INTEGER PRIMARY KEY, a)")
			ctx := context.Background()
			sink := Sink(path, "predictions")
			defer sink.Close()
			if err := sink.Resume(ctx, tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
				t.Fatal(err)
			}
			const n = 100
			var writers sync.WaitGroup
			writers.Go(func() {
				for i := range n {
					if _, err := u.Exec("INSERT INTO t(a) VALUES(?)", i); err != nil {
						t.Error("the user's writer: ", err)
						return
					}
				}
			})
			defer writers.Wait()
			src := Source(path, "t")
			seen := 0
			for b, err := range src.Changes(ctx, "") {
				if err != nil {
					t.Fatal(err)
				}
				var out []tidemill.Output
				for i := range b.Changes {
					seen++
					out = append(out, predicted(uint64(seen), b.Changes[i].After[0].String(), "x"))
				}
				if err := sink.Write(ctx, out); err != nil {
					t.Fatal(err)
				}
				if _, err := sink.Flush(ctx); err != nil {
					t.Fatal(err)
				}
				if err := src.Release(ctx, b.Upto); err != nil {
					t.Fatal(err)
				}
				if seen == n {
					break
				}
			}
			if got := rowsOf(t, path, "SELECT count(*) FROM predictions"); got != "100\n" {
				t.Errorf("predictions: %s", got)
			}
		})
	}
}
