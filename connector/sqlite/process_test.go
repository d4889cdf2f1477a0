package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
)

// TestMain is also another process that writes: "path worker transactions".
func TestMain(m *testing.M) {
	if args := strings.Fields(os.Getenv("SQLITE_TEST_WRITER")); len(args) == 3 {
		if err := writeMuch(args[0], args[1], args[2]); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// writeMuch commits transactions of ten rows of one batch number, and rolls some back.
func writeMuch(path, worker, times string) error {
	w, _ := strconv.Atoi(worker)
	n, _ := strconv.Atoi(times)
	d, err := open(path, readWrite)
	if err != nil {
		return err
	}
	defer d.close()
	r := rand.New(rand.NewPCG(uint64(w), 1))
	for i := range n {
		bad := r.IntN(4) == 0
		err := d.write(context.Background(), func() error {
			for k := range 10 {
				if err := d.exec(fmt.Sprintf("INSERT INTO t(worker, batch, n, b) VALUES(%d, %d, %d, randomblob(%d))", w, i, k, r.IntN(2000))); err != nil {
					return err
				}
			}
			if err := d.exec(fmt.Sprintf("UPDATE t SET n=n+1 WHERE worker=%d AND batch=%d", w, i-1)); err != nil {
				return err
			}
			if err := d.exec(fmt.Sprintf("DELETE FROM t WHERE worker=%d AND batch<%d", w, i-3)); err != nil {
				return err
			}
			if bad {
				return os.ErrInvalid
			}
			return nil
		})
		if err != nil && !bad {
			return err
		}
		if i == 0 || i%10 == 0 {
			fmt.Println("wrote", i)
		}
	}
	return nil
}

func writer(t *testing.T, path string, worker, times int) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("SQLITE_TEST_WRITER=%s %d %d", path, worker, times))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd, bufio.NewReader(out)
}

const writersTable = "CREATE TABLE t(id INTEGER PRIMARY KEY, worker, batch, n, b BLOB)"

// settled compares fold and table once the writers are still.
func settled(t *testing.T, path string, c *collector, f *fold) {
	t.Helper()
	d, err := look(path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for n := int64(0); n == 0; time.Sleep(time.Millisecond) { // the source may not have begun
		if n, err = d.one("SELECT count(*) FROM sqlite_schema WHERE name='tidemill_log'"); err != nil && !isBusy(err) {
			t.Fatal(err)
		}
	}
	var last int64
	if err := d.retry(context.Background(), func() (err error) {
		last, err = d.one("SELECT max(seq) FROM tidemill_log")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for f.at != last {
		c.until(t, "the end of the log", func(b tidemill.Batch) bool {
			for i := range b.Changes {
				f.apply(&b.Changes[i])
			}
			at, err := parsePlace(b.Upto)
			f.at = at.seq
			return err == nil
		})
	}
	if got, want := f.String(), tableText(t, d, "SELECT * FROM t"); got != want {
		t.Fatalf("the fold is\n%.500s\nthe table is\n%.500s", got, want)
	}
}

func TestWritersInOtherProcesses(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "a.db")
			userDB(t, path, mode, writersTable)
			times := 60
			if mode != "wal" {
				times = 20
			}
			one, _ := writer(t, path, 1, times)
			c := collect(Source(path, "t"), "")
			defer c.stop()
			two, _ := writer(t, path, 2, times)
			f := &fold{rows: map[string][]tidemill.Value{}, t: t}
			done := make(chan error, 2)
			go func() { done <- one.Wait() }()
			go func() { done <- two.Wait() }()
			for range 2 {
				if err := <-done; err != nil {
					t.Fatal("a writer failed beside the source: ", err)
				}
			}
			settled(t, path, c, f)
			if len(f.rows) == 0 {
				t.Error("no rows")
			}
		})
	}
}

func TestKilledWriter(t *testing.T) {
	for _, mode := range []string{"wal", "delete"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "a.db")
			userDB(t, path, mode, writersTable)
			c := collect(Source(path, "t"), "")
			defer c.stop()
			f := &fold{rows: map[string][]tidemill.Value{}, t: t}
			c.until(t, "snapshot", func(b tidemill.Batch) bool { f.at = 1; return b.CaughtUp })
			for i := range 4 {
				cmd, out := writer(t, path, 10+i, 1_000_000)
				if _, err := out.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Duration(10+7*i) * time.Millisecond)
				cmd.Process.Kill()
				cmd.Wait()
				settled(t, path, c, f)
			}
			// Whole transactions only: a batch has ten rows or none.
			per := map[string]int{}
			for _, r := range f.rows {
				per[r[1].String()+"/"+r[2].String()]++
			}
			for k, n := range per {
				if n != 10 {
					t.Errorf("batch %s has %d rows", k, n)
				}
			}
		})
	}
}
