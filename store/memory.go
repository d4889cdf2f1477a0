package store

import (
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/tidemill/tidemill"
)

// Memory keeps checkpoints and segments in the process, in the same form as Dir and under the same laws: for tests and
// for flows that begin afresh on every start. All methods may be called from any goroutine.
func Memory() tidemill.Store { return &Folder{disk: newMemory(), root: "memory"} }

// memory is a disk in the process; everything is durable at once.
type memory struct {
	mu     sync.Mutex
	files  map[string]*memoryFile
	locked map[string]bool
}

type memoryFile struct {
	mu   sync.RWMutex
	data []byte
}

func newMemory() *memory {
	return &memory{files: map[string]*memoryFile{}, locked: map[string]bool{}}
}

func (m *memory) mkdir(string) error { return nil }

func (m *memory) create(path string) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[path] != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	m.files[path] = &memoryFile{}
	return m.files[path], nil
}

func (m *memory) open(path string) (reader, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := m.files[path]
	if f == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return f, nil
}

func (m *memory) list(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for path := range m.files {
		if rest, ok := strings.CutPrefix(path, dir+string(filepath.Separator)); ok {
			name, _, _ := strings.Cut(rest, string(filepath.Separator))
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (m *memory) rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.files[from]; f != nil {
		delete(m.files, from)
		m.files[to] = f
		return nil
	}
	moved := map[string]*memoryFile{}
	for path, f := range m.files {
		if rest, ok := strings.CutPrefix(path, from+string(filepath.Separator)); ok {
			moved[filepath.Join(to, rest)] = f
			delete(m.files, path)
		}
	}
	if len(moved) == 0 {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	for path, f := range moved {
		m.files[path] = f
	}
	return nil
}

func (m *memory) remove(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files[path] == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	delete(m.files, path)
	return nil
}

func (m *memory) sync(string) error { return nil }

func (m *memory) lock(path string) (unlock func() error, holder string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locked[path] {
		return nil, "another run in this process", nil
	}
	m.locked[path] = true
	return func() error {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.locked, path)
		return nil
	}, "", nil
}

func (f *memoryFile) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.data = append(f.data, b...)
	return len(b), nil
}

func (f *memoryFile) Sync() error  { return nil }
func (f *memoryFile) Close() error { return nil }

func (f *memoryFile) Size() (int64, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return int64(len(f.data)), nil
}

func (f *memoryFile) ReadAt(b []byte, at int64) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if at < 0 {
		return 0, fmt.Errorf("read at %d: negative", at)
	}
	if at >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(b, f.data[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
