package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

// TestMisnamedCheckpoint: a file that holds another checkpoint than its name says, a copy by hand, is named as broken and not loaded.
func TestMisnamedCheckpoint(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	f := Dir(dir)
	term, unlock, err := f.Lock(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Save(ctx, sample(term, 3)); err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	current := filepath.Join(dir, "current")
	b, err := os.ReadFile(filepath.Join(current, fileName(tidemill.CheckpointID{Term: term, Seq: 3})))
	if err != nil {
		t.Fatal(err)
	}
	wrong := tidemill.CheckpointID{Term: term, Seq: 9}
	if err := os.WriteFile(filepath.Join(current, fileName(wrong)), b, 0o600); err != nil {
		t.Fatal(err)
	}
	ids, broken, err := f.List(ctx)
	if err != nil || len(ids) != 1 || ids[0].Seq != 3 || len(broken) != 1 || !strings.Contains(broken[0].Error(), "misnamed: it holds checkpoint") {
		t.Errorf("listed %v, broken %v, %v", ids, broken, err)
	}
	if c, err := f.Load(ctx, wrong); err == nil || !strings.Contains(err.Error(), "holds checkpoint") {
		t.Errorf("loaded %+v, %v", c, err)
	}
}

// TestSegmentNames: a name has 1 to 80 bytes.
func TestSegmentNames(t *testing.T) {
	f := Dir(t.TempDir())
	_, unlock, err := f.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for n, ok := range map[int]bool{0: false, 1: true, 80: true, 81: false} {
		w, err := f.Create(t.Context(), strings.Repeat("n", n))
		if (err == nil) != ok {
			t.Errorf("a name of %d bytes: %v", n, err)
		}
		if w != nil {
			w.Close()
		}
	}
}
