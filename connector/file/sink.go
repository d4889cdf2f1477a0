package file

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/durable"
)

// Writer is the sink that appends to a file. Sink and SinkConfig make it. One goroutine uses it.
type Writer struct {
	path  string
	lines lineWriter

	file  *os.File
	side  *os.File // the sidecar: locked while the file is written, says whose it is
	owner owner
	size  int64  // of the file, as this sink has left it
	seq   uint64 // of the last output in it
	last  []byte // the file's last bytes, as many as the mark's hash takes
	mark  tidemill.Mark
	dirty bool // written since the last fsync
	dead  error
	buf   []byte

	writeAt    func(f *os.File, b []byte, at int64) (int, error)
	syncFile   func(*os.File) error // fsync, and that of a folder: where a test cuts the power
	syncFolder func(dir string) error
}

// Sink appends outputs to the file at path, each message of the format as a line. Beside it lies path.tidemill.
func Sink(path string, f tidemill.Format) *Writer {
	return &Writer{path: path, lines: lineWriter{format: f}, writeAt: (*os.File).WriteAt,
		syncFile: (*os.File).Sync, syncFolder: durable.SyncFolder}
}

var (
	_ tidemill.Sink      = (*Writer)(nil)
	_ tidemill.Describer = (*Writer)(nil)
	_ tidemill.Namer     = (*Writer)(nil)
)

// Describe names the file, and the format where it is not the usual one.
func (w *Writer) Describe() string { return fmt.Sprintf("file path=%q%s", w.path, w.lines.describe()) }

// TableNames is the file, as "file://path".
func (w *Writer) TableNames() []string { return []string{fileURL(w.path)} }

// owner is what the sidecar holds.
type owner struct {
	Flow string `json:"flow"`
	Term uint64 `json:"term"`
	// Base is the length that the file had when this history of the flow began.
	Base int64 `json:"base"`
	// First is the length that it had when the flow took it first: what is before it is somebody else's.
	First int64 `json:"first,omitempty"`
}

const sidecarMax = 64 << 10

// lock takes the sidecar for this process until unlock, and reads it. ok is false where nobody has written to it yet.
func (w *Writer) lock(ctx context.Context) (o owner, ok bool, err error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		locked, err := durable.Lock(w.side)
		if err != nil {
			return o, false, fmt.Errorf("file: lock %s: %w", w.side.Name(), err)
		}
		if locked {
			break
		}
		select {
		case <-ctx.Done():
			return o, false, ctx.Err()
		case <-time.After(wait):
		}
	}
	b, err := io.ReadAll(io.NewSectionReader(w.side, 0, sidecarMax))
	if err == nil && len(b) > 0 {
		if err = json.Unmarshal(b, &o); err != nil {
			err = tidemill.Fatalf("file: %s is damaged: %w; remove it, and start with --adopt to go on "+
				"at the end of %s", w.side.Name(), err, w.path)
		}
		ok = true
	}
	if err != nil {
		w.unlock()
	}
	return o, ok, err
}

func (w *Writer) unlock() { _ = durable.Unlock(w.side) }

// own writes the sidecar.
func (w *Writer) own(o owner) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if _, err := w.side.WriteAt(b, 0); err != nil {
		return err
	}
	return errors.Join(w.side.Truncate(int64(len(b))), w.syncFile(w.side))
}

// Mark is the term in the sidecar, and the place of the file's end if it has bytes: how many
// outputs those are is not known.
func (w *Writer) Mark(ctx context.Context, flow string) (m tidemill.Mark, err error) {
	look := &Writer{path: w.path} // this one may be writing
	if look.side, err = os.Open(w.path + ".tidemill"); err == nil {
		defer look.side.Close()
		o, owned, err := look.lock(ctx)
		if err != nil {
			return m, err
		}
		look.unlock()
		if owned && o.Flow != flow {
			return m, w.foreign(o, flow)
		}
		m.Term = o.Term
	} else if !errors.Is(err, fs.ErrNotExist) {
		return m, tidemill.Fatalf("file: %w; name a file that can be read and written", err)
	}
	info, err := os.Stat(w.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (info.Size() == 0 || !info.Mode().IsRegular()) {
		return m, nil
	}
	f, err := os.Open(w.path)
	if err != nil {
		return m, tidemill.Fatalf("file: %w; name a file that can be read and written", err)
	}
	defer f.Close()
	last, err := tail(f, info.Size())
	m.Place = placeOf(info.Size(), last)
	return m, err
}

// foreign refuses a file that belongs to another flow.
func (w *Writer) foreign(o owner, flow string) error {
	return tidemill.Fatalf("file: %s belongs to the flow %q, this one is %q: give each flow a file of its own",
		w.path, o.Flow, flow)
}

// Resume cuts the file off at the mark. Without a mark the file has to be empty, unless it is adopted: then its lines
// stay, and the next ones come after them.
func (w *Writer) Resume(ctx context.Context, r tidemill.Resumption) error {
	if w.path == "" {
		return tidemill.Fatalf("file: path is missing: name the file to write")
	}
	if err := w.lines.check(); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("file: %w", err)
	}
	w.dead, w.dirty = nil, false
	var err error
	if w.side, err = os.OpenFile(w.path+".tidemill", os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return tidemill.Fatalf("file: %w; name a file in a folder that can be written", err)
	}
	was, owned, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer w.unlock()
	switch {
	case r.Reset && owned && was.Flow != r.Flow:
		return tidemill.Fatalf("file: %s belongs to the flow %q, this one is %q: --reset removes what is this flow's; "+
			"give it a file of its own", w.path, was.Flow, r.Flow)
	case r.Adopt:
	case owned && was.Flow != r.Flow:
		return w.foreign(was, r.Flow)
	case owned && was.Term > r.Term:
		return fmt.Errorf("file: sink %s: term %d, the file has seen term %d: %w",
			w.path, r.Term, was.Term, tidemill.ErrFenced)
	}
	f, err := os.OpenFile(w.path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return tidemill.Fatalf("file: %w; name a file that can be written", err)
	}
	now := owner{Flow: r.Flow, Term: r.Term, Base: was.Base, First: was.First}
	size, err := w.settle(f, r, was, owned, &now)
	if err == nil {
		err = w.own(now)
	}
	if err == nil {
		err = w.syncFolder(filepath.Dir(w.path))
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	w.file, w.owner, w.size, w.seq = f, now, size, r.After.Seq
	return w.remember()
}

// settle finds the length from which the sink goes on, and cuts the file there.
func (w *Writer) settle(f *os.File, r tidemill.Resumption, was owner, owned bool, now *owner) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return 0, tidemill.Fatalf("file: %s is not a regular file; use stdout: {} for pipes", w.path)
	}
	size, to := info.Size(), int64(0)
	switch {
	case r.Reset && size > 0:
		if !owned || size < was.First {
			return 0, w.unknown("it has %d bytes that are not this flow's: --reset removes none of them", size)
		}
		to, now.Base = was.First, was.First
	case r.Adopt:
		// A line that a crash tore is no row; one that somebody else left without an end is.
		to = size
		if end, err := lastLine(f, size); err != nil {
			return 0, err
		} else if end < size && owned {
			to = end
		} else if end < size {
			if _, err := f.WriteAt([]byte("\n"), size); err != nil {
				return 0, fmt.Errorf("file: %w", err)
			}
			to = size + 1
		}
		now.Base = to
		if !owned || was.Flow != r.Flow {
			now.First = to
		}
	case r.After == (tidemill.Mark{}):
		if size > 0 {
			return 0, w.unknown("it has %d bytes, and this state folder is new", size)
		}
		now.Base = 0
	case r.After.Place == "": // a history that has begun, with no output in a checkpoint
		if !owned && size > 0 {
			return 0, w.unknown("it has %d bytes that are not this flow's", size)
		}
		if size < was.Base {
			return 0, w.unknown("it has %d bytes and had %d when this history began", size, was.Base)
		}
		to = was.Base
	default:
		var sum string
		if n, err := fmt.Sscanf(r.After.Place, "%d:%16s", &to, &sum); n != 2 || err != nil || to < 0 {
			return 0, w.unknown("the checkpoint's mark is %q, which is not of a file", r.After.Place)
		}
		if size < to {
			return 0, w.unknown("it has %d bytes, the checkpoint knows %d: it was cut, rotated or removed", size, to)
		}
		last, err := tail(f, to)
		if err != nil {
			return 0, err
		}
		if hash(last) != sum {
			return 0, w.unknown("its bytes before %d are not those that the checkpoint knows: "+
				"it was replaced or edited", to)
		}
	}
	if to < size {
		if err := errors.Join(f.Truncate(to), w.syncFile(f)); err != nil {
			return 0, fmt.Errorf("file: cut %s at %d: %w", w.path, to, err)
		}
	}
	return to, nil
}

func (w *Writer) unknown(format string, a ...any) error {
	return tidemill.Fatalf("file: sink %s: %s; move it away, start with --adopt to go on at its end, or with --reset "+
		"to remove what the flow wrote: %w", w.path, fmt.Sprintf(format, a...), tidemill.ErrUnknownMark)
}

// tail is the bytes before size that a mark's hash takes.
func tail(f *os.File, size int64) ([]byte, error) {
	b := make([]byte, min(windowSize, size))
	if _, err := f.ReadAt(b, size-int64(len(b))); err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	return b, nil
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// lastLine is the length of the file without a last line that has no end.
func lastLine(f *os.File, size int64) (int64, error) {
	b := make([]byte, windowSize)
	for end := size; end > 0; {
		n := min(int64(len(b)), end)
		if _, err := f.ReadAt(b[:n], end-n); err != nil {
			return 0, fmt.Errorf("file: %w", err)
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
	}
	return 0, nil
}

// remember reads the last bytes, and makes the mark of the present length.
func (w *Writer) remember() (err error) {
	w.last, err = tail(w.file, w.size)
	w.setMark()
	return err
}

func (w *Writer) setMark() {
	w.mark = tidemill.Mark{Term: w.owner.Term, Seq: w.seq, Place: placeOf(w.size, w.last)}
}

// placeOf is the note of a file's length: the length, and a hash of the bytes before it.
func placeOf(size int64, last []byte) string { return fmt.Sprintf("%d:%s", size, hash(last)) }

// Write appends a line per message. Outputs that are in the file already are passed over, so the same Write may come
// again.
func (w *Writer) Write(ctx context.Context, out []tidemill.Output) error {
	if w.file == nil {
		return tidemill.Fatalf("file: sink %s: Write before Resume", w.path)
	}
	if w.dead != nil {
		return w.dead
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var seq uint64
	var err error
	if w.buf, seq, err = w.lines.append(w.buf[:0], out, w.seq); err != nil {
		return err
	}
	now, _, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer w.unlock()
	if now != w.owner {
		return fmt.Errorf("file: sink %s: this run of %q has term %d, the file has seen term %d of %q: %w",
			w.path, w.owner.Flow, w.owner.Term, now.Term, now.Flow, tidemill.ErrFenced)
	}
	if len(w.buf) == 0 {
		return nil
	}
	info, err := w.file.Stat()
	if err != nil {
		return fmt.Errorf("file: %w", err)
	}
	if info.Size() != w.size {
		return tidemill.Fatalf("file: sink %s has %d bytes where this flow left %d: somebody else writes to it "+
			"or cut it; give the flow a file of its own", w.path, info.Size(), w.size)
	}
	if _, err := w.writeAt(w.file, w.buf, w.size); err != nil {
		// What came through is cut off, so that a reader does not see half a line for long.
		return fmt.Errorf("file: sink %s: %w", w.path, errors.Join(err, w.file.Truncate(w.size)))
	}
	w.size += int64(len(w.buf))
	w.seq, w.dirty = seq, true
	if len(w.buf) >= windowSize {
		w.last = append(w.last[:0], w.buf[len(w.buf)-windowSize:]...)
	} else {
		w.last = append(w.last, w.buf...)
		w.last = w.last[:copy(w.last, w.last[max(0, len(w.last)-windowSize):])]
	}
	return nil
}

// Flush makes the lines durable. When that fails the sink is dead: a second fsync can succeed although the lines are
// lost.
func (w *Writer) Flush(context.Context) (tidemill.Mark, error) {
	if w.file == nil {
		return tidemill.Mark{}, tidemill.Fatalf("file: sink %s: Flush before Resume", w.path)
	}
	if w.dead != nil || !w.dirty {
		return w.mark, w.dead
	}
	open, err := w.file.Stat()
	if err != nil {
		return w.mark, fmt.Errorf("file: %w", err)
	}
	if named, err := os.Stat(w.path); errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(open, named) {
		w.dead = tidemill.Fatalf("file: sink %s was moved or removed while it is written; it cannot be rotated: "+
			"move it back and start again", w.path)
		return w.mark, w.dead
	}
	if err := w.syncFile(w.file); err != nil {
		w.dead = tidemill.Fatalf("file: sink %s: %w; start again: the lines since the last checkpoint are written anew",
			w.path, err)
		return w.mark, w.dead
	}
	w.dirty = false
	w.setMark()
	return w.mark, nil
}

// Close closes the file.
func (w *Writer) Close() error {
	var err error
	for _, f := range []*os.File{w.file, w.side} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	w.file, w.side = nil, nil
	return err
}
