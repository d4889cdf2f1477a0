package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/tidemill/tidemill"
)

// writable says why nothing can be written now, or nil. The caller holds f.mu.
func (f *Folder) writable(doing string) error {
	if f.term == 0 {
		return fmt.Errorf("store: %s in %s: not locked by this run", doing, f.root)
	}
	return f.newer
}

// Save writes c, makes it durable and removes what is older than the one before it. c.ID has the term that Lock gave
// and is above every ID that was saved. The bytes go from the sections to the file without a copy; the caller leaves c
// alone until Save returns. After an error nothing of c is left, and a Save of the same ID may follow.
func (f *Folder) Save(ctx context.Context, c *tidemill.Checkpoint) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.writable("save a checkpoint"); err != nil {
		return err
	}
	if c.ID.Term != f.term {
		return fmt.Errorf("store: save checkpoint %d.%d in %s: this run has term %d", c.ID.Term, c.ID.Seq, f.root, f.term)
	}
	if n := len(f.kept); n > 0 && compareIDs(c.ID, f.kept[n-1].id) <= 0 {
		return fmt.Errorf("store: save checkpoint %d.%d in %s: %d.%d is there already",
			c.ID.Term, c.ID.Seq, f.root, f.kept[n-1].id.Term, f.kept[n-1].id.Seq)
	}
	term, err := f.readTerm()
	if err != nil {
		return err
	}
	if term > f.term {
		return fmt.Errorf("store: %s: this run has term %d, another took %d: %w", f.root, f.term, term, tidemill.ErrFenced)
	}
	for _, s := range c.Segments {
		r, err := f.disk.open(f.segmentPath(s))
		if err != nil {
			return f.explain(fmt.Sprintf("save a checkpoint that refers to segment %q", s), err)
		}
		if err := r.Close(); err != nil {
			return f.explainRead("look at a segment", err)
		}
	}
	if err := f.write(ctx, c); err != nil {
		return f.explain("save a checkpoint", err)
	}
	f.kept = append(f.kept, named{c.ID, append([]string(nil), c.Segments...)})
	for _, s := range c.Segments {
		f.refs[s] = true
	}
	f.prune()
	return nil
}

// write makes the file. Whatever fails, the file is dead and is removed: it is never written to or synced again.
func (f *Folder) write(ctx context.Context, c *tidemill.Checkpoint) error {
	if err := f.disk.mkdir(f.segments()); err != nil {
		return err
	}
	f.temp++
	path := f.path(c.ID)
	tmp := path + "." + strconv.FormatUint(f.temp, 10) + tempSuffix
	w, err := f.disk.create(tmp)
	if err != nil {
		return err
	}
	_, err = writeCheckpoint(ctx, w, c)
	if err == nil {
		err = w.Sync()
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return f.bury(tmp, err)
	}
	if err := f.disk.rename(tmp, path); err != nil {
		return f.bury(tmp, err)
	}
	if err := f.disk.sync(f.current()); err != nil {
		return f.bury(path, err)
	}
	return nil
}

// bury removes a dead file. One that cannot be removed now is temporary, and goes at the next Lock, or is a whole
// checkpoint of which only the name's durability is in doubt.
func (f *Folder) bury(path string, err error) error {
	if gone := f.disk.remove(path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		return errors.Join(err, gone)
	}
	return err
}

// prune removes the checkpoints older than the second newest whole one, and the segments to which none of the rest
// refers. What cannot be removed now is tried again after the next Save: it costs space and nothing else.
func (f *Folder) prune() {
	if len(f.kept) < keep {
		return
	}
	f.kept = f.kept[len(f.kept)-keep:]
	names, err := f.disk.list(f.current())
	if err != nil {
		return
	}
	for _, name := range names {
		if id, ok := parseName(name); ok && compareIDs(id, f.kept[0].id) < 0 {
			if err := f.disk.remove(filepath.Join(f.current(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return
			}
		}
	}
	used := map[string]bool{}
	for _, c := range f.kept {
		for _, s := range c.segments {
			used[s] = true
		}
	}
	synced := false
	for _, s := range slices.Sorted(maps.Keys(f.refs)) {
		if used[s] {
			continue
		}
		if !synced {
			// No checkpoint may come back after a power cut whose segments do not.
			if err := f.disk.sync(f.current()); err != nil {
				return
			}
			synced = true
		}
		if err := f.disk.remove(f.segmentPath(s)); err == nil || errors.Is(err, fs.ErrNotExist) {
			delete(f.refs, s)
		}
	}
}

// SetAside renames the folder current to set-aside-1, or the next number that is free, in one step: renamed back to
// current it is what it was. where is "" when there was no checkpoint to keep.
func (f *Folder) SetAside(ctx context.Context) (where string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if f.term == 0 {
		return "", fmt.Errorf("store: set aside the checkpoints in %s: not locked by this run", f.root)
	}
	names, err := f.disk.list(f.current())
	if err != nil {
		return "", f.explainRead("list the checkpoints", err)
	}
	any := false
	for _, name := range names {
		_, ok := parseName(name)
		any = any || ok
	}
	if !any {
		return "", nil
	}
	names, err = f.disk.list(f.root)
	if err != nil {
		return "", f.explainRead("list the folder", err)
	}
	there := map[string]bool{}
	for _, name := range names {
		there[name] = true
	}
	n := 1
	for there[asideName+strconv.Itoa(n)] {
		n++
	}
	where = filepath.Join(f.root, asideName+strconv.Itoa(n))
	if err := f.disk.rename(f.current(), where); err != nil {
		return "", f.explain("set the checkpoints aside", err)
	}
	f.kept, f.refs, f.newer = nil, map[string]bool{}, nil
	err = errors.Join(f.disk.sync(f.root), f.disk.mkdir(f.segments()))
	return where, f.explain("set the checkpoints aside", err)
}
