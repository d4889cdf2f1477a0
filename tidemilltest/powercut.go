package tidemilltest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	"github.com/tidemill/tidemill"
)

// PowerCut is a disk that loses, when the power goes, what was not made durable: segments of a store that it wraps, and
// files of a folder, of which it is told every fsync. A flow that runs on it shows whether each fsync is there:
//
//	cut := tidemilltest.NewPowerCut(folder)
//	flow.Store = cut.Store(store)
//	… run the flow until it dies, then …
//	cut.Cut(random)
//	… and run it again: nothing that a checkpoint knows may be missing …
//
// Methods may be called from any goroutine; Cut when nothing else runs.
type PowerCut struct {
	dir string // "" where there is none

	mu       sync.Mutex
	files    map[string][]byte // by path: what a cut leaves for sure
	named    map[string]bool   // files whose names are durable
	segments map[string]*cutSegment
}

// NewPowerCut is a disk for the files of dir, an empty folder, or for segments alone where dir is "".
func NewPowerCut(dir string) *PowerCut {
	return &PowerCut{dir: dir, files: map[string][]byte{}, named: map[string]bool{}, segments: map[string]*cutSegment{}}
}

// SyncFile is the fsync of a file.
func (p *PowerCut) SyncFile(f *os.File) error {
	b, err := os.ReadFile(f.Name())
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.files[f.Name()] = b
	return nil
}

// SyncFolder is the fsync of a folder: the names in it are durable.
func (p *PowerCut) SyncFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range entries {
		p.named[filepath.Join(dir, e.Name())] = true
	}
	return nil
}

// Cut leaves what the next start finds. What was not safe is there, or is zeros, or is not there, as random says; nil
// takes all of it.
func (p *PowerCut) Cut(random *rand.Rand) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.segments)
	if p.dir == "" {
		return nil
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(p.dir, e.Name())
		if !p.named[path] && (random == nil || random.IntN(2) == 0) {
			delete(p.files, path)
			err = errors.Join(err, os.Remove(path))
			continue
		}
		now, e := os.ReadFile(path)
		if err = errors.Join(err, e); err != nil {
			return err
		}
		left := p.after(now, p.files[path], random)
		p.files[path], p.named[path] = left, true
		err = errors.Join(err, os.WriteFile(path, left, 0o600))
	}
	return err
}

// after is what a cut leaves of a file that was safe, and is now.
func (p *PowerCut) after(now, safe []byte, random *rand.Rand) []byte {
	switch {
	case random == nil:
		return safe
	case !bytes.HasPrefix(now, safe): // cut off or written anew
		if random.IntN(2) == 0 {
			return safe
		}
		return now
	}
	rest := bytes.Clone(now[len(safe):])
	rest = rest[:random.IntN(len(rest)+1)]
	if random.IntN(2) == 0 {
		clear(rest)
	}
	return append(bytes.Clone(safe), rest...)
}

// Store wraps s: what was written to a segment is read again, and is gone after Cut, unless it was synced. Checkpoints
// are as durable as s makes them.
func (p *PowerCut) Store(s tidemill.Store) tidemill.Store { return &cutStore{s, p} }

type cutStore struct {
	tidemill.Store
	p *PowerCut
}

func (s *cutStore) Create(ctx context.Context, name string) (tidemill.SegmentWriter, error) {
	w, err := s.Store.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	made := &cutSegment{p: s.p, w: w}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.segments[name] = made
	return made, nil
}

func (s *cutStore) Open(ctx context.Context, name string) (tidemill.SegmentReader, error) {
	s.p.mu.Lock()
	w := s.p.segments[name]
	s.p.mu.Unlock()
	if w == nil {
		return s.Store.Open(ctx, name)
	}
	return w, nil
}

func (s *cutStore) Remove(ctx context.Context, name string) error {
	err := s.Store.Remove(ctx, name)
	if err == nil {
		s.p.mu.Lock()
		delete(s.p.segments, name)
		s.p.mu.Unlock()
	}
	return err
}

// cutSegment is a segment as the system's memory has it: its writer and its readers.
type cutSegment struct {
	p      *PowerCut
	w      tidemill.SegmentWriter
	data   []byte
	synced int
}

func (w *cutSegment) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.data = append(w.data, b...)
	return len(b), nil
}

func (w *cutSegment) Sync() error {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if _, err := w.w.Write(w.data[w.synced:]); err != nil {
		return err
	}
	w.synced = len(w.data)
	return w.w.Sync()
}

func (w *cutSegment) Close() error { return w.w.Close() }

func (w *cutSegment) Size() (int64, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return int64(len(w.data)), nil
}

func (w *cutSegment) ReadAt(b []byte, at int64) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if at > int64(len(w.data)) {
		return 0, io.EOF
	}
	n := copy(b, w.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
