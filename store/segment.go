package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tidemill/tidemill"
)

// segmentFile is a segment's file name: letters, digits, "-", "_" and "." as they are, all else as %XX. The ".seg"
// keeps names such as "con" and ".." harmless.
func segmentFile(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String() + ".seg"
}

// segmentOf is segmentFile's inverse; ok is false for files that are no segments.
func segmentOf(file string) (name string, ok bool) {
	name, ok = strings.CutSuffix(file, ".seg")
	if !ok {
		return "", false
	}
	name, err := url.PathUnescape(name)
	return name, err == nil && segmentFile(name) == file
}

func (f *Folder) segmentPath(name string) string {
	return filepath.Join(f.segments(), segmentFile(name))
}

// Create starts a segment. A name is 1 to 80 bytes, and is given to one segment only.
func (f *Folder) Create(ctx context.Context, name string) (tidemill.SegmentWriter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := f.writable("create a segment"); err != nil {
		return nil, err
	}
	if name == "" || len(name) > 80 {
		return nil, fmt.Errorf("store: create segment %q in %s: a name has 1 to 80 bytes", name, f.root)
	}
	if err := f.disk.mkdir(f.segments()); err != nil {
		return nil, f.explain("make the folder", err)
	}
	w, err := f.disk.create(f.segmentPath(name))
	if err != nil {
		return nil, f.explain(fmt.Sprintf("create segment %q", name), err)
	}
	return &segmentWriter{f: f, file: w, name: name}, nil
}

// segmentWriter writes one segment. After its first error it is dead and gives that error to every call.
type segmentWriter struct {
	f    *Folder
	name string

	mu     sync.Mutex
	file   file
	named  bool // the name is durable
	closed bool
	err    error
}

func (w *segmentWriter) fail(doing string, err error) error {
	if err != nil {
		w.err = w.f.explain(fmt.Sprintf("%s segment %q", doing, w.name), err)
	}
	return w.err
}

func (w *segmentWriter) alive() error {
	if w.err == nil && w.closed {
		return fmt.Errorf("store: segment %q is closed", w.name)
	}
	return w.err
}

func (w *segmentWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.alive(); err != nil {
		return 0, err
	}
	n, err := w.file.Write(b)
	return n, w.fail("write", err)
}

func (w *segmentWriter) Sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.alive(); err != nil {
		return err
	}
	if err := w.fail("sync", w.file.Sync()); err != nil {
		return err
	}
	if !w.named {
		if err := w.fail("sync the name of", w.f.disk.sync(w.f.segments())); err != nil {
			return err
		}
		w.named = true
	}
	return nil
}

func (w *segmentWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.err
	}
	w.closed = true
	err := w.file.Close()
	if w.err != nil {
		return w.err
	}
	return w.fail("close", err)
}

// Open reads a segment. A missing one is fs.ErrNotExist.
func (f *Folder) Open(ctx context.Context, name string) (tidemill.SegmentReader, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := f.disk.open(f.segmentPath(name))
	if err != nil {
		return nil, f.explainRead(fmt.Sprintf("open segment %q", name), err)
	}
	return r, nil
}

// Remove deletes a segment; one that is gone already is no error. It refuses where a kept checkpoint refers to it: such
// a segment goes with the last of them.
func (f *Folder) Remove(ctx context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.writable("remove a segment"); err != nil {
		return err
	}
	for _, c := range f.kept {
		for _, s := range c.segments {
			if s == name {
				return fmt.Errorf("store: remove segment %q in %s: checkpoint %d.%d refers to it",
					name, f.root, c.id.Term, c.id.Seq)
			}
		}
	}
	if err := f.disk.remove(f.segmentPath(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.explain(fmt.Sprintf("remove segment %q", name), err)
	}
	delete(f.refs, name)
	return nil
}
