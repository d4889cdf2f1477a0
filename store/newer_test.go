package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemill/tidemill"
)

func TestNothingIsTouchedBesideANewerVersion(t *testing.T) {
	dir := t.TempDir()
	current := filepath.Join(dir, "current")
	if err := os.MkdirAll(filepath.Join(current, "segments"), 0o700); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"checkpoint-000003-000000000042":       newer(t),
		"checkpoint-000003-000000000041":       encode(t, sample(3, 41)),
		"checkpoint-000003-000000000043.1.tmp": []byte("half"),
		"segments/journal.seg":                 []byte("what only the newer one refers to"),
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(current, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := Dir(dir)
	term, _, err := f.Lock(t.Context())
	if err != nil || term != 4 {
		t.Fatalf("Lock gives %d, %v", term, err)
	}
	if ids, broken, err := f.List(t.Context()); !errors.Is(err, tidemill.ErrNewer) || len(broken) > 0 || len(ids) != 1 {
		t.Errorf("List gives %v, %v, %v", ids, broken, err)
	}
	if _, err := f.Load(t.Context(), tidemill.CheckpointID{Term: 3, Seq: 42}); !errors.Is(err, tidemill.ErrNewer) {
		t.Errorf("Load gives %v", err)
	}
	if err := f.Save(t.Context(), sample(4, 1)); !errors.Is(err, tidemill.ErrNewer) {
		t.Errorf("Save gives %v", err)
	}
	if _, err := f.Create(t.Context(), "x"); !errors.Is(err, tidemill.ErrNewer) {
		t.Errorf("Create gives %v", err)
	}
	if err := f.Remove(t.Context(), "journal"); !errors.Is(err, tidemill.ErrNewer) {
		t.Errorf("Remove gives %v", err)
	}
	where, err := f.SetAside(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if b, err := os.ReadFile(filepath.Join(where, name)); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s: %v, changed: %v", name, err, !bytes.Equal(b, want))
		}
	}
	if err := f.Save(t.Context(), sample(4, 1)); err != nil {
		t.Error(err)
	}
}

func TestErrorsSayWhatMends(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{syscall.ENOSPC, "the disk is full"},
		{syscall.EROFS, "cannot be written"},
		{syscall.EACCES, "cannot be written"},
	} {
		d := newCutDisk()
		f := &Folder{disk: d, root: "state"}
		term, _, err := f.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		d.failAt, d.err = d.ops+2, c.err
		if err := f.Save(t.Context(), sample(term, 1)); !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v gives %v, which does not say %q", c.err, err, c.want)
		}
		if err := f.Save(t.Context(), sample(term, 1)); err != nil {
			t.Errorf("once %v has passed: %v", c.err, err)
		}
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	f := Dir(filepath.Join(dir, "state"))
	level := func(want string) {
		t.Helper()
		found := f.Check(t.Context())
		for _, x := range found {
			if x.Level == want {
				return
			}
		}
		t.Errorf("no %s among %+v", want, found)
	}
	level("ok")
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("Check made %v, %v", names, err)
	}
	term, unlock, err := f.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Save(t.Context(), sample(term, 1)); err != nil {
		t.Fatal(err)
	}
	level("ok")
	if err := os.WriteFile(f.path(tidemill.CheckpointID{Term: term, Seq: 1}), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	level("error")
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

// TestReadErrorsSayReading: who may not read the folder is not told to make it writable.
func TestReadErrorsSayReading(t *testing.T) {
	f := &Folder{disk: unreadable{newCutDisk()}, root: "state"}
	if _, _, err := f.List(t.Context()); !errors.Is(err, syscall.EACCES) || !strings.Contains(err.Error(), "cannot be read; give this user read permission") {
		t.Errorf("%v", err)
	}
}

// unreadable is a disk whose folders this user may not list.
type unreadable struct{ *cutDisk }

func (unreadable) list(string) ([]string, error) { return nil, syscall.EACCES }
