package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidemill/tidemill"
)

// Dir keeps checkpoints and segments in the folder path, which Lock makes where it is missing. The path is looked at
// only when a method is called. All methods may be called from any goroutine.
func Dir(path string) *Folder { return &Folder{disk: local{}, root: path} }

// Folder is a tidemill.Store in a folder. Dir makes one.
type Folder struct {
	disk disk
	root string

	mu     sync.Mutex // held through Lock, Save, SetAside, Create and Remove
	term   uint64     // 0: not locked
	unlock func() error
	newer  error           // wraps ErrNewer: such a file is there, so nothing is written or removed
	kept   []named         // the whole checkpoints, oldest first
	refs   map[string]bool // the segments that a checkpoint in the folder refers to, or did before it was removed
	temp   uint64          // number of the last temporary file
}

// named is a checkpoint as the folder knows it.
type named struct {
	id       tidemill.CheckpointID
	segments []string
}

const (
	currentName  = "current"
	segmentsName = "segments"
	asideName    = "set-aside-"
	termName     = "term"
	lockName     = "lock"
	tempSuffix   = ".tmp"
	keep         = 2 // checkpoints
)

// Describe is "dir state".
func (f *Folder) Describe() string { return "dir " + f.root }

func (f *Folder) current() string  { return filepath.Join(f.root, currentName) }
func (f *Folder) segments() string { return filepath.Join(f.current(), segmentsName) }

func fileName(id tidemill.CheckpointID) string {
	return fmt.Sprintf("checkpoint-%06d-%012d", id.Term, id.Seq)
}

// parseName is fileName's inverse; ok is false for every other name.
func parseName(name string) (id tidemill.CheckpointID, ok bool) {
	term, seq, ok := strings.Cut(strings.TrimPrefix(name, "checkpoint-"), "-")
	if !ok {
		return id, false
	}
	var err1, err2 error
	id.Term, err1 = strconv.ParseUint(term, 10, 64)
	id.Seq, err2 = strconv.ParseUint(seq, 10, 64)
	return id, err1 == nil && err2 == nil && fileName(id) == name
}

func compareIDs(a, b tidemill.CheckpointID) int {
	return cmp.Or(cmp.Compare(a.Term, b.Term), cmp.Compare(a.Seq, b.Seq))
}

// explain says in words what the commonest errors of a folder mean, and what mends them.
func (f *Folder) explain(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case isFull(err):
		return fmt.Errorf("store: %s in %s: the disk is full; free some space, the next checkpoint tries again: %w",
			doing, f.root, err)
	case isReadOnly(err):
		return fmt.Errorf("store: %s in %s: the folder cannot be written; give this user write permission, or name "+
			"another folder under checkpoint.dir: %w", doing, f.root, err)
	}
	return fmt.Errorf("store: %s in %s: %w", doing, f.root, err)
}

// explainRead is explain for what only reads.
func (f *Folder) explainRead(doing string, err error) error {
	if err != nil && isReadOnly(err) {
		return fmt.Errorf("store: %s in %s: the folder cannot be read; give this user read permission: %w",
			doing, f.root, err)
	}
	return f.explain(doing, err)
}

// Lock takes the folder for this process and gives out the next term. It removes what a killed process left behind:
// temporary files, and segments to which no checkpoint refers. These stay where a checkpoint is damaged and none is
// whole, since a person will want to look, and where one is of a newer version.
func (f *Folder) Lock(ctx context.Context) (term uint64, unlock func() error, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	if f.term != 0 {
		return 0, nil, fmt.Errorf("store: %s: this process has it already: %w", f.root, tidemill.ErrLocked)
	}
	if err := f.disk.mkdir(f.root); err != nil {
		return 0, nil, f.explain("make the folder", err)
	}
	release, holder, err := f.disk.lock(filepath.Join(f.root, lockName))
	if err != nil {
		return 0, nil, f.explain("take the lock", err)
	}
	if release == nil {
		return 0, nil, fmt.Errorf("store: %s: %s has it; stop that run, or give this flow a folder of its own: %w",
			f.root, cmp.Or(holder, "another process"), tidemill.ErrLocked)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, release())
		}
	}()
	if err := f.disk.mkdir(f.segments()); err != nil {
		return 0, nil, f.explain("make the folder", err)
	}
	term, err = f.nextTerm()
	if err != nil {
		return 0, nil, err
	}
	if err := f.takeStock(ctx); err != nil {
		return 0, nil, err
	}
	f.term, f.unlock = term, release
	return term, sync.OnceValue(func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.term, f.kept, f.refs, f.newer = 0, nil, nil, nil
		return f.explain("give back the lock", f.unlock())
	}), nil
}

// nextTerm makes a term that is above the one in the term file and above those of all checkpoints durable.
func (f *Folder) nextTerm() (uint64, error) {
	term, err := f.readTerm()
	if err != nil {
		return 0, err
	}
	names, err := f.disk.list(f.current())
	if err != nil {
		return 0, f.explainRead("list the checkpoints", err)
	}
	for _, name := range names {
		if id, ok := parseName(name); ok {
			term = max(term, id.Term)
		}
	}
	if term++; term == 0 {
		return 0, fmt.Errorf("store: %s: the terms are used up", f.root)
	}
	err = f.replace(filepath.Join(f.root, termName), fmt.Appendf(nil, "%d\n", term))
	return term, f.explain("write the term", err)
}

// readTerm is 0 where there is no term yet.
func (f *Folder) readTerm() (uint64, error) {
	path := filepath.Join(f.root, termName)
	r, err := f.disk.open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, f.explainRead("read the term", err)
	}
	defer r.Close()
	b := make([]byte, 32)
	n, _ := r.ReadAt(b, 0)
	text, whole := strings.CutSuffix(string(b[:n]), "\n")
	term, err := strconv.ParseUint(text, 10, 64)
	if err != nil || !whole {
		return 0, fmt.Errorf("store: %s holds %q, not a number; write into it a number as high as the highest term that "+
			"the sinks of this flow have seen", path, b[:n])
	}
	return term, nil
}

// replace writes a small file anew: temporary file, fsync, rename, fsync of the folder.
func (f *Folder) replace(path string, b []byte) error {
	tmp := path + tempSuffix
	if err := f.disk.remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w, err := f.disk.create(tmp)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	if err == nil {
		err = w.Sync()
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return errors.Join(err, f.disk.remove(tmp))
	}
	if err := f.disk.rename(tmp, path); err != nil {
		return err
	}
	return f.disk.sync(filepath.Dir(path))
}

// takeStock reads what is there and removes what nobody will use.
func (f *Folder) takeStock(ctx context.Context) error {
	found, broken, err := f.scan(ctx)
	if err != nil && !errors.Is(err, tidemill.ErrNewer) {
		return err
	}
	f.kept, f.newer, f.refs = found, err, map[string]bool{}
	for _, c := range found {
		for _, s := range c.segments {
			f.refs[s] = true
		}
	}
	if f.newer != nil || (len(broken) > 0 && len(found) == 0) {
		return nil
	}
	names, err := f.disk.list(f.current())
	if err != nil {
		return f.explainRead("list the checkpoints", err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, tempSuffix) {
			if err := f.disk.remove(filepath.Join(f.current(), name)); err != nil {
				return f.explain("remove a temporary file", err)
			}
		}
	}
	names, err = f.disk.list(f.segments())
	if err != nil {
		return f.explainRead("list the segments", err)
	}
	for _, name := range names {
		if s, ok := segmentOf(name); !ok || !f.refs[s] {
			if err := f.disk.remove(filepath.Join(f.segments(), name)); err != nil {
				return f.explain("remove a segment that no checkpoint refers to", err)
			}
		}
	}
	return nil
}

// scan reads every checkpoint file whole. found is oldest first. err wraps ErrNewer when that is all that is wrong.
// Where all that were listed are pruned before they are read, it lists again: there are newer ones then.
func (f *Folder) scan(ctx context.Context) (found []named, broken []error, err error) {
	for {
		found, broken, gone, err := f.scanOnce(ctx)
		if err != nil || gone == 0 || len(found) > 0 {
			return found, broken, err
		}
	}
}

func (f *Folder) scanOnce(ctx context.Context) (found []named, broken []error, gone int, err error) {
	names, err := f.disk.list(f.current())
	if err != nil {
		return nil, nil, 0, f.explainRead("list the checkpoints", err)
	}
	var newer error
	for _, name := range names {
		id, ok := parseName(name)
		if !ok {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, 0, err
		}
		segments, err := f.check(id)
		switch {
		case err == nil:
			found = append(found, named{id, segments})
		case errors.Is(err, fs.ErrNotExist): // pruned by the process that runs the flow
			gone++
		case errors.Is(err, tidemill.ErrNewer):
			newer = fmt.Errorf("store: %s: %w; run that version again, or name another folder under checkpoint.dir",
				f.path(id), err)
		case isDamage(err):
			broken = append(broken, fmt.Errorf("store: %s is %w", f.path(id), err))
		default:
			return nil, nil, 0, f.explainRead("read "+name, err)
		}
	}
	return found, broken, gone, newer
}

func (f *Folder) path(id tidemill.CheckpointID) string {
	return filepath.Join(f.current(), fileName(id))
}

// check reads one checkpoint file whole, and looks for the segments that it refers to.
func (f *Folder) check(id tidemill.CheckpointID) (segments []string, err error) {
	r, err := f.disk.open(f.path(id))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	c, _, err := verify(r, size)
	if err != nil {
		return nil, err
	}
	if c.ID != id {
		return nil, damagef("misnamed: it holds checkpoint %d.%d", c.ID.Term, c.ID.Seq)
	}
	for _, s := range c.Segments {
		seg, err := f.disk.open(f.segmentPath(s))
		if errors.Is(err, fs.ErrNotExist) {
			// Checkpoints are pruned before their segments: if it is still there, the segment is truly lost.
			again, err := f.disk.open(f.path(id))
			if err != nil {
				return nil, err
			}
			return nil, errors.Join(damagef("of no use: segment %q, to which it refers, is missing", s), again.Close())
		}
		if err != nil {
			return nil, err
		}
		if err := seg.Close(); err != nil {
			return nil, err
		}
	}
	return c.Segments, nil
}

// List reads every checkpoint in full, so that none is called whole whose bytes have changed. A damaged file is named
// in broken with what is wrong with it. A file of a newer version is an error that wraps ErrNewer, beside the ids of
// those that can be read.
func (f *Folder) List(ctx context.Context) (ids []tidemill.CheckpointID, broken []error, err error) {
	found, broken, err := f.scan(ctx)
	for i := len(found) - 1; i >= 0; i-- {
		ids = append(ids, found[i].id)
	}
	return ids, broken, err
}

// Load reads a checkpoint and verifies every byte of it. The caller owns the result.
func (f *Folder) Load(ctx context.Context, id tidemill.CheckpointID) (*tidemill.Checkpoint, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := f.read(f.path(id))
	if err != nil {
		return nil, f.explainRead("read "+fileName(id), err)
	}
	c, err := readCheckpoint(b)
	if err != nil {
		return nil, fmt.Errorf("store: %s is %w", f.path(id), err)
	}
	if c.ID != id {
		return nil, fmt.Errorf("store: %s holds checkpoint %d.%d", f.path(id), c.ID.Term, c.ID.Seq)
	}
	return c, nil
}

// SavedAt is the time of the checkpoint's file.
func (f *Folder) SavedAt(_ context.Context, id tidemill.CheckpointID) (time.Time, error) {
	r, err := f.disk.open(f.path(id))
	if err != nil {
		return time.Time{}, f.explainRead("read "+fileName(id), err)
	}
	defer r.Close()
	d, ok := r.(interface{ ModTime() (time.Time, error) })
	if !ok {
		return time.Time{}, nil
	}
	return d.ModTime()
}

func (f *Folder) read(path string) ([]byte, error) {
	r, err := f.disk.open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	size, err := r.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	if n, err := r.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	return b, nil
}
