package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tidemill/tidemill/durable"
)

// local is the disk of the operating system.
type local struct{}

func (l local) mkdir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: dir, Err: errors.New("is a file, not a folder")}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := l.mkdir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return l.sync(parent)
}

func (local) create(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (local) open(path string) (reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return localReader{f}, nil
}

type localReader struct{ *os.File }

func (r localReader) Size() (int64, error) {
	info, err := r.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, &fs.PathError{Op: "read", Path: r.Name(), Err: errors.New("is not a regular file")}
	}
	return info.Size(), nil
}

func (r localReader) ModTime() (time.Time, error) {
	info, err := r.Stat()
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

func (local) list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (local) rename(from, to string) error { return os.Rename(from, to) }

func (local) remove(path string) error { return os.Remove(path) }

func (local) sync(dir string) error { return durable.SyncFolder(dir) }

func (local) lock(path string) (unlock func() error, holder string, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, "", err
	}
	ok, err := durable.Lock(f)
	if err != nil {
		f.Close()
		return nil, "", fmt.Errorf("lock %s: %w", path, err)
	}
	if !ok {
		b := make([]byte, 256)
		n, _ := f.ReadAt(b, 0)
		f.Close()
		return nil, strings.TrimSpace(string(b[:n])), nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	// Only people read what is in it, so an error of writing it changes nothing.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host), 0)
	}
	return func() error {
		_ = f.Truncate(0)
		return errors.Join(durable.Unlock(f), f.Close())
	}, "", nil
}
