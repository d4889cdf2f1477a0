package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

// cutDisk is a disk that knows what a power cut leaves. A file's bytes are safe after Sync; a name is safe after its
// folder was synced, and until then any first part of the folder's unsynced changes may have reached the disk. From
// operation failAt on it fails: once (an I/O error), or for ever (the cut). A failed Sync loses the bytes for good, as Linux does.
type cutDisk struct {
	root   *node
	ops    int
	failAt int
	cut    bool  // fail for ever
	err    error // what it fails with; nil: errDisk
	down   bool
	locked bool
	dead   map[*node]bool // a Sync of it failed
	resync []string       // Syncs of dead files: forbidden
	failed []string       // which operation failed
}

type node struct {
	now, safe map[string]*node // of a folder
	pending   []func(map[string]*node)
	data      []byte // of a file, as readers see it
	synced    []byte // what a cut leaves for sure
}

func folder() *node { return &node{now: map[string]*node{}, safe: map[string]*node{}} }

func newCutDisk() *cutDisk { return &cutDisk{root: folder(), dead: map[*node]bool{}} }

var errDisk = errors.New("input/output error")

// step counts an operation that changes the disk, and fails it when its time has come.
func (d *cutDisk) step(what string) error {
	if d.down {
		return errDisk
	}
	d.ops++
	if d.ops == d.failAt {
		d.failed = append(d.failed, what)
		d.down = d.cut
		if d.err != nil {
			return fmt.Errorf("%s: %w", what, d.err)
		}
		return fmt.Errorf("%s: %w", what, errDisk)
	}
	return nil
}

func (d *cutDisk) find(path string) *node {
	n := d.root
	for _, name := range strings.Split(filepath.ToSlash(path), "/") {
		if n == nil || n.now == nil {
			return nil
		}
		n = n.now[name]
	}
	return n
}

func (d *cutDisk) parent(path string) (*node, string) {
	dir, name := filepath.Split(path)
	if dir = filepath.Clean(dir); dir == "." {
		return d.root, name
	}
	return d.find(dir), name
}

func (n *node) change(f func(map[string]*node)) {
	f(n.now)
	n.pending = append(n.pending, f)
}

func (d *cutDisk) mkdir(dir string) error {
	if d.find(dir) != nil {
		return nil
	}
	if p := filepath.Dir(dir); p != "." {
		if err := d.mkdir(p); err != nil {
			return err
		}
	}
	if err := d.step("mkdir " + dir); err != nil {
		return err
	}
	p, name := d.parent(dir)
	made := folder()
	p.change(func(m map[string]*node) { m[name] = made })
	p.sync()
	return nil
}

func (n *node) sync() { n.safe, n.pending = maps.Clone(n.now), nil }

func (d *cutDisk) create(path string) (file, error) {
	if d.find(path) != nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	p, name := d.parent(path)
	if p == nil {
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrNotExist}
	}
	if err := d.step("create " + path); err != nil {
		return nil, err
	}
	made := &node{}
	p.change(func(m map[string]*node) { m[name] = made })
	return &cutFile{d, made, path}, nil
}

type cutFile struct {
	d    *cutDisk
	n    *node
	path string
}

func (f *cutFile) Write(b []byte) (int, error) {
	if err := f.d.step("write " + f.path); err != nil {
		f.n.data = append(f.n.data, b[:len(b)/2]...)
		return len(b) / 2, err
	}
	f.n.data = append(f.n.data, b...)
	return len(b), nil
}

func (f *cutFile) Sync() error {
	if f.d.dead[f.n] {
		f.d.resync = append(f.d.resync, f.path)
		return nil // as Linux answers, though the bytes are gone
	}
	if err := f.d.step("sync " + f.path); err != nil {
		f.d.dead[f.n] = true
		return err
	}
	f.n.synced = bytes.Clone(f.n.data)
	return nil
}

func (f *cutFile) Close() error {
	if f.d.down {
		return nil
	}
	return f.d.step("close " + f.path)
}

func (d *cutDisk) open(path string) (reader, error) {
	n := d.find(path)
	if n == nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return cutReader{n}, nil
}

type cutReader struct{ n *node }

func (r cutReader) Close() error         { return nil }
func (r cutReader) Size() (int64, error) { return int64(len(r.n.data)), nil }
func (r cutReader) ReadAt(b []byte, at int64) (int, error) {
	return bytes.NewReader(r.n.data).ReadAt(b, at)
}

func (d *cutDisk) list(dir string) ([]string, error) {
	n := d.find(dir)
	if n == nil {
		return nil, nil
	}
	return slices.Sorted(maps.Keys(n.now)), nil
}

func (d *cutDisk) rename(from, to string) error {
	n := d.find(from)
	p, old := d.parent(from)
	q, name := d.parent(to)
	if n == nil || p != q {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	if err := d.step("rename " + from); err != nil {
		return err
	}
	p.change(func(m map[string]*node) {
		if m[old] == n {
			delete(m, old)
			m[name] = n
		}
	})
	return nil
}

func (d *cutDisk) remove(path string) error {
	n := d.find(path)
	if n == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: fs.ErrNotExist}
	}
	if err := d.step("remove " + path); err != nil {
		return err
	}
	p, name := d.parent(path)
	p.change(func(m map[string]*node) { delete(m, name) })
	return nil
}

func (d *cutDisk) sync(dir string) error {
	if err := d.step("sync folder " + dir); err != nil {
		return err
	}
	d.find(dir).sync()
	return nil
}

func (d *cutDisk) lock(string) (func() error, string, error) {
	if d.locked {
		return nil, "", nil
	}
	d.locked = true
	return func() error { d.locked = false; return nil }, "", nil
}

// after is the disk as the next start finds it. What was not safe is there or not, as random says.
func (d *cutDisk) after(random *rand.Rand) *cutDisk {
	var copied func(n *node) *node
	copied = func(n *node) *node {
		if n.now == nil {
			c := &node{synced: bytes.Clone(n.synced)}
			rest := bytes.Clone(n.data[len(n.synced):])
			if d.dead[n] {
				rest = rest[:0]
			}
			rest = rest[:random.IntN(len(rest)+1)]
			if random.IntN(2) == 0 {
				clear(rest)
			}
			c.synced = append(c.synced, rest...)
			c.data = bytes.Clone(c.synced)
			return c
		}
		names := maps.Clone(n.safe)
		for _, f := range n.pending[:random.IntN(len(n.pending)+1)] {
			f(names)
		}
		c := folder()
		for _, name := range slices.Sorted(maps.Keys(names)) {
			c.now[name] = copied(names[name])
		}
		c.safe = maps.Clone(c.now)
		return c
	}
	return &cutDisk{root: copied(d.root), dead: map[*node]bool{}}
}

// life is what a run has been told is durable.
type life struct {
	term, last    uint64 // last Seq acknowledged; 0: none
	tried         uint64
	aside, asking bool // SetAside was acknowledged, was asked for
}

func sample(term, seq uint64, segments ...string) *tidemill.Checkpoint {
	return &tidemill.Checkpoint{
		ID: tidemill.CheckpointID{Term: term, Seq: seq}, Flow: "f", Segments: segments,
		Sections: []tidemill.Section{{Name: "s", Data: fmt.Appendf(nil, "state of %d.%d, long enough to tear", term, seq)}},
	}
}

// run works on d until it is done or the power goes; single errors do not stop it.
func run(d *cutDisk) (l life) {
	ctx := context.Background()
	f := &Folder{disk: d, root: "state"}
	term, unlock, err := f.Lock(ctx)
	for try := 0; err != nil; try++ {
		if d.down || try > 3 {
			return l
		}
		term, unlock, err = f.Lock(ctx)
	}
	l.term = term
	var segments []string
	for seq := uint64(1); seq <= 7; seq++ {
		name := fmt.Sprintf("seg-%d-%d", term, seq)
		w, err := f.Create(ctx, name)
		if err == nil {
			_, err = io.WriteString(w, "text of "+name)
			err = errors.Join(err, w.Sync(), w.Close())
			if err == nil {
				segments = append(segments, name)
			}
		}
		if len(segments) > 2 {
			segments = segments[1:]
		}
		l.tried = seq
		for range 2 { // the same ID again, after an error
			if f.Save(ctx, sample(term, seq, segments...)) == nil {
				l.last = seq
				break
			}
		}
		if seq == 4 {
			l.asking = true
			if where, err := f.SetAside(ctx); err == nil && where != "" {
				l.aside, l.last, segments = true, 0, nil
			}
		}
	}
	if err := unlock(); err != nil {
		panic(err)
	}
	return l
}

// inspect starts again on d and holds what it finds against what l was told.
func inspect(t *testing.T, d *cutDisk, l life, what string) {
	t.Helper()
	ctx := t.Context()
	f := &Folder{disk: d, root: "state"}
	term, _, err := f.Lock(ctx)
	if err != nil {
		t.Fatalf("%s: Lock: %v", what, err)
	}
	if term <= l.term {
		t.Fatalf("%s: term %d again", what, term)
	}
	ids, broken, err := f.List(ctx)
	if err != nil || len(broken) > 0 {
		t.Fatalf("%s: List: %v, %v", what, broken, err)
	}
	if l.last > 0 && (len(ids) == 0 || ids[0].Term != l.term || ids[0].Seq < l.last) && !(l.asking && !l.aside && len(ids) == 0) {
		t.Fatalf("%s: %d.%d was acknowledged, there is %v", what, l.term, l.last, ids)
	}
	if l.aside {
		for _, id := range ids {
			if id.Seq <= 4 {
				t.Fatalf("%s: %v was set aside and is back", what, ids)
			}
		}
	}
	for _, id := range ids {
		c, err := f.Load(ctx, id)
		if err != nil {
			t.Fatalf("%s: Load: %v", what, err)
		}
		if id.Seq > l.tried || !bytes.Equal(c.Sections[0].Data, sample(id.Term, id.Seq).Sections[0].Data) {
			t.Fatalf("%s: %v holds %q", what, id, c.Sections[0].Data)
		}
		for _, s := range c.Segments {
			b, err := f.read(f.segmentPath(s))
			if err != nil || string(b) != "text of "+s {
				t.Fatalf("%s: segment %s of %v holds %q, %v", what, s, id, b, err)
			}
		}
	}
	names, _ := d.list("state/current/segments")
	for _, name := range names {
		s, _ := segmentOf(name)
		if !f.refs[s] {
			t.Fatalf("%s: orphan %s is left", what, name)
		}
	}
	names, _ = d.list("state/current")
	for _, name := range names {
		if strings.HasSuffix(name, tempSuffix) {
			t.Fatalf("%s: %s is left", what, name)
		}
	}
	if err := f.Save(ctx, sample(term, 1)); err != nil {
		t.Fatalf("%s: Save: %v", what, err)
	}
}

func TestPowerCutAtEveryOperation(t *testing.T) {
	whole := newCutDisk()
	if l := run(whole); l.last != 7 || !l.aside {
		t.Fatalf("without a fault: %+v", l)
	}
	if whole.ops < 80 {
		t.Fatalf("%d operations: fewer than expected", whole.ops)
	}
	for at := 1; at <= whole.ops; at++ {
		d := newCutDisk()
		d.failAt, d.cut = at, true
		l := run(d)
		for seed := range uint64(10) {
			what := fmt.Sprintf("cut at %v, seed %d", d.failed, seed)
			inspect(t, d.after(rand.New(rand.NewPCG(seed, uint64(at)))), l, what)
		}
	}
}

func TestOneErrorAtEveryOperation(t *testing.T) {
	whole := newCutDisk()
	run(whole)
	for at := 1; at <= whole.ops; at++ {
		d := newCutDisk()
		d.failAt = at
		l := run(d)
		if len(d.failed) != 1 {
			t.Fatalf("operation %d: failed %v", at, d.failed)
		}
		if len(d.resync) > 0 {
			t.Fatalf("%v failed, then sync was tried again: %v", d.failed, d.resync)
		}
		if l.last != 7 {
			t.Fatalf("%v failed once, and the last Save is %d", d.failed, l.last)
		}
		for seed := range uint64(5) {
			what := fmt.Sprintf("%v failed, cut at the end, seed %d", d.failed, seed)
			inspect(t, d.after(rand.New(rand.NewPCG(seed, uint64(at)))), l, what)
		}
	}
}
