package durable_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemill/tidemill/durable"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	lock := func(f *os.File, want bool) {
		t.Helper()
		if got, err := durable.Lock(f); err != nil || got != want {
			t.Fatalf("the lock is taken: %v, %v", got, err)
		}
	}
	a, b := open(), open()
	lock(a, true)
	lock(b, false)
	if err := durable.Unlock(a); err != nil {
		t.Fatal(err)
	}
	lock(b, true)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	lock(a, true)
}

func TestSyncFolder(t *testing.T) {
	dir := t.TempDir()
	if err := durable.SyncFolder(dir); err != nil {
		t.Error(err)
	}
}
