package store_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest"
)

// TestMain becomes a writer where the environment asks for one: a process that a test can kill.
func TestMain(m *testing.M) {
	switch dir := os.Getenv("TIDEMILL_TEST_STORE"); os.Getenv("TIDEMILL_TEST_ROLE") {
	case "save":
		if err := saveForEver(dir); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
	case "hold":
		if _, _, err := store.Dir(dir).Lock(context.Background()); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Println("locked")
		time.Sleep(time.Minute)
	default:
		os.Exit(m.Run())
	}
}

// start runs this test binary in a role, and gives its lines.
func start(t *testing.T, role, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TIDEMILL_TEST_ROLE="+role, "TIDEMILL_TEST_STORE="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd, bufio.NewScanner(out)
}

func TestDir(t *testing.T) {
	tidemilltest.Store(t, func(t *testing.T) tidemill.Store { return store.Dir(filepath.Join(t.TempDir(), "deep", "state")) })
}

func TestMemory(t *testing.T) {
	tidemilltest.Store(t, func(*testing.T) tidemill.Store { return store.Memory() })
}

func text(id tidemill.CheckpointID) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "state of %d.%d;", id.Term, id.Seq), 200_000)
}

func saveForEver(dir string) error {
	ctx := context.Background()
	s := store.Dir(dir)
	term, _, err := s.Lock(ctx)
	if err != nil {
		return err
	}
	for seq := uint64(1); ; seq++ {
		name := fmt.Sprintf("seg-%d-%d", term, seq)
		w, err := s.Create(ctx, name)
		if err != nil {
			return err
		}
		if _, err := w.Write([]byte(name)); err != nil {
			return err
		}
		if err := errors.Join(w.Sync(), w.Close()); err != nil {
			return err
		}
		id := tidemill.CheckpointID{Term: term, Seq: seq}
		if err := s.Save(ctx, &tidemill.Checkpoint{ID: id, Segments: []string{name}, Sections: []tidemill.Section{{Name: "s", Data: text(id)}}}); err != nil {
			return err
		}
		fmt.Println(seq)
	}
}

// TestKill kills a writer in the middle of what it does, again and again on the same folder.
func TestKill(t *testing.T) {
	ctx := t.Context()
	dir := filepath.Join(t.TempDir(), "state")
	var lastTerm uint64
	for round := range 10 {
		cmd, lines := start(t, "save", dir)
		var last uint64
		for range 2 + round%3 {
			if !lines.Scan() {
				t.Fatal("the writer ended")
			}
			if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
				t.Fatal(lines.Text())
			}
		}
		time.Sleep(time.Duration(round) * 1700 * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it said before it died
			if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
				t.Fatal(lines.Text())
			}
		}
		_ = cmd.Wait()

		s := store.Dir(dir)
		ids, broken, err := s.List(ctx) // before Lock: what a reader beside it sees
		if err != nil || len(broken) > 0 || len(ids) == 0 || ids[0].Seq < last || ids[0].Term <= lastTerm {
			t.Fatalf("round %d: %d was saved, List gives %v, %v, %v", round, last, ids, broken, err)
		}
		lastTerm = ids[0].Term
		term, unlock, err := s.Lock(ctx)
		if err != nil || term <= lastTerm {
			t.Fatalf("round %d: Lock gives %d, %v", round, term, err)
		}
		for _, id := range ids {
			c, err := s.Load(ctx, id)
			if err != nil || !bytes.Equal(c.Sections[0].Data, text(id)) {
				t.Fatalf("round %d: Load %v: %v", round, id, err)
			}
			r, err := s.Open(ctx, c.Segments[0])
			if err != nil {
				t.Fatal(err)
			}
			if n, err := r.Size(); err != nil || n != int64(len(c.Segments[0])) {
				t.Fatalf("round %d: segment of %d bytes, %v", round, n, err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		left, err := filepath.Glob(filepath.Join(dir, "current", "*.tmp"))
		if err != nil || len(left) > 0 {
			t.Fatalf("round %d: left behind: %v, %v", round, left, err)
		}
		if err := unlock(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLockNamesItsHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	cmd, lines := start(t, "hold", dir)
	if !lines.Scan() || lines.Text() != "locked" {
		t.Fatal(lines.Text())
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	s := store.Dir(dir)
	_, _, err = s.Lock(t.Context())
	if want := fmt.Sprintf("process %d on %s has it", cmd.Process.Pid, host); !errors.Is(err, tidemill.ErrLocked) || !strings.Contains(err.Error(), want) {
		t.Errorf("Lock gives %v, which does not say %q", err, want)
	}
	if ids, _, err := s.List(t.Context()); err != nil || len(ids) > 0 {
		t.Errorf("List beside the holder gives %v, %v", ids, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	term, unlock, err := s.Lock(t.Context())
	if err != nil || term != 2 {
		t.Fatalf("after its death Lock gives %d, %v", term, err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// saved is a folder with checkpoints 1.1 and 1.2, unlocked.
func saved(t *testing.T) (dir string, s *store.Folder) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "state")
	s = store.Dir(dir)
	term, unlock, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); seq <= 2; seq++ {
		if err := s.Save(t.Context(), tidemilltest.SampleCheckpoint(term, seq)); err != nil {
			t.Fatal(err)
		}
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	return dir, s
}

func TestDamageIsNamedAndTheOlderOneStays(t *testing.T) {
	older := tidemill.CheckpointID{Term: 1, Seq: 1}
	for what, harm := range map[string]func([]byte) []byte{
		"truncated":          func(b []byte) []byte { return b[:len(b)/2] },
		"truncated: 0 bytes": func(b []byte) []byte { return nil },
		`"task/a/model"`:     func(b []byte) []byte { b[len(b)/2] ^= 16; return b },
		"not a checkpoint":   func(b []byte) []byte { clear(b); return b },
		"bytes after its":    func(b []byte) []byte { return append(b, b...) },
		"differs":            func(b []byte) []byte { b[4] = 77; return b },
	} {
		dir, s := saved(t)
		path := filepath.Join(dir, "current", "checkpoint-000001-000000000002")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, harm(b), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // before and after Lock
			ids, broken, err := s.List(t.Context())
			if err != nil || len(ids) != 1 || ids[0] != older || len(broken) != 1 {
				t.Fatalf("%s: List gives %v, %v, %v", what, ids, broken, err)
			}
			if m := broken[0].Error(); !strings.Contains(m, what) || !strings.Contains(m, path) {
				t.Errorf("%q does not say %q and the file", m, what)
			}
			if _, err := s.Load(t.Context(), tidemill.CheckpointID{Term: 1, Seq: 2}); err == nil {
				t.Errorf("%s: Load gives no error", what)
			}
			if _, _, err := s.Lock(t.Context()); err != nil && !errors.Is(err, tidemill.ErrLocked) {
				t.Fatal(err)
			}
		}
		if err := s.Save(t.Context(), tidemilltest.SampleCheckpoint(2, 1)); err != nil {
			t.Fatal(err)
		}
		ids, broken, err := s.List(t.Context())
		if err != nil || len(ids) != 2 || ids[1] != older || len(broken) != 1 {
			t.Errorf("%s: after Save, List gives %v, %v, %v: the damaged one counts as one of two", what, ids, broken, err)
		}
		if err := s.Save(t.Context(), tidemilltest.SampleCheckpoint(2, 2)); err != nil {
			t.Fatal(err)
		}
		if ids, broken, err := s.List(t.Context()); err != nil || len(ids) != 2 || len(broken) != 0 {
			t.Errorf("%s: after two Saves, List gives %v, %v, %v", what, ids, broken, err)
		}
	}
}

func TestMissingSegment(t *testing.T) {
	dir := t.TempDir()
	s := store.Dir(dir)
	term, _, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), "journal")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		t.Fatal(err)
	}
	c := tidemilltest.SampleCheckpoint(term, 1)
	c.Segments = []string{"journal"}
	if err := s.Save(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "current", "segments", "journal.seg")); err != nil {
		t.Fatal(err)
	}
	ids, broken, err := s.List(t.Context())
	if err != nil || len(ids) > 0 || len(broken) != 1 || !strings.Contains(broken[0].Error(), `segment "journal"`) {
		t.Errorf("List gives %v, %v, %v", ids, broken, err)
	}
}

func TestNothingIsRemovedWhereNoneIsWhole(t *testing.T) {
	dir, s := saved(t)
	for _, name := range []string{"checkpoint-000001-000000000001", "checkpoint-000001-000000000002"} {
		if err := os.WriteFile(filepath.Join(dir, "current", name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	orphan := filepath.Join(dir, "current", "segments", "journal.seg")
	if err := os.WriteFile(orphan, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(orphan); err != nil {
		t.Errorf("the segment that the damaged checkpoints may need: %v", err)
	}
	if ids, broken, err := s.List(t.Context()); err != nil || len(ids) != 0 || len(broken) != 2 {
		t.Errorf("List gives %v, %v, %v", ids, broken, err)
	}
	where, err := s.SetAside(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(where, "segments", "journal.seg")); err != nil {
		t.Error(err)
	}
}

func TestTerm(t *testing.T) {
	dir, s := saved(t)
	path := filepath.Join(dir, "term")
	lock := func() (uint64, error) {
		term, unlock, err := s.Lock(t.Context())
		if err == nil {
			err = unlock()
		}
		return term, err
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if term, err := lock(); err != nil || term != 2 {
		t.Errorf("without the file Lock gives %d, %v: not above the checkpoints", term, err)
	}
	if err := os.WriteFile(path, []byte("900\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if term, err := lock(); err != nil || term != 901 {
		t.Errorf("Lock gives %d, %v, not 901", term, err)
	}
	for _, bad := range []string{"", "12", "1x\n", "-1\n", "18446744073709551616\n", "18446744073709551615\n", strings.Repeat("1", 50)} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if term, err := lock(); err == nil {
			t.Errorf("a term file of %q gives term %d and no error", bad, term)
		}
	}
}

func TestFencedByTheTerm(t *testing.T) {
	dir, s := saved(t)
	term, _, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// What a second machine does where the lock does not hold.
	if err := os.Remove(filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	other := store.Dir(dir)
	higher, _, err := other.Lock(t.Context())
	if err != nil || higher <= term {
		t.Fatalf("the other's Lock gives %d, %v", higher, err)
	}
	if err := s.Save(t.Context(), tidemilltest.SampleCheckpoint(term, 1)); !errors.Is(err, tidemill.ErrFenced) {
		t.Errorf("Save of the fenced run gives %v, not ErrFenced", err)
	}
	if err := other.Save(t.Context(), tidemilltest.SampleCheckpoint(higher, 1)); err != nil {
		t.Error(err)
	}
}

func TestFilesAreTheOwnersOnly(t *testing.T) {
	dir, _ := saved(t)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestThePathIsAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.Dir(path).Lock(t.Context()); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("got %v", err)
	}
}

func BenchmarkSave(b *testing.B) {
	s := store.Dir(b.TempDir())
	term, _, err := s.Lock(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	data := bytes.Repeat([]byte("0123456789abcdef"), 100<<16)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		id := tidemill.CheckpointID{Term: term, Seq: uint64(b.N)}
		b.StopTimer()
		ids, _, err := s.List(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if len(ids) > 0 {
			id.Seq = ids[0].Seq + 1
		}
		b.StartTimer()
		if err := s.Save(b.Context(), &tidemill.Checkpoint{ID: id, Sections: []tidemill.Section{{Name: "s", Data: data}}}); err != nil {
			b.Fatal(err)
		}
	}
}

func ExampleDir() {
	dir, err := os.MkdirTemp("", "tidemill")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s := store.Dir(dir)
	term, unlock, err := s.Lock(ctx)
	if err != nil {
		panic(err)
	}
	for seq := uint64(1); seq <= 3; seq++ {
		err := s.Save(ctx, &tidemill.Checkpoint{
			ID: tidemill.CheckpointID{Term: term, Seq: seq}, Flow: "late-flights",
			Sections: []tidemill.Section{{Name: "task/late/model", Data: []byte("weights")}},
		})
		if err != nil {
			panic(err)
		}
	}
	ids, broken, err := s.List(ctx)
	fmt.Println(ids, len(broken), err, unlock())
	// Output: [{1 3} {1 2}] 0 <nil> <nil>
}
