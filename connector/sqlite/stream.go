package sqlite

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
)

// stream reads the log of one run of Changes.
type stream struct {
	c       *Capture
	d       *db
	path    string
	file    os.FileInfo // as it was when it was opened
	meta    *meta
	shapes  map[int64]*shape
	rows    *stmt
	version *stmt
	schema  int64 // PRAGMA schema_version under which the triggers are known to be right
	safe    int64 // the last log row that was read under it
	seq     int64 // the last log row read
	at      int64 // its time, ms since 1970; 0 for a continuation
	b       *builder
	pruned  int64 // the log was deleted up to here while idle
}

// idlePause is the pause from which on the stream counts as idle.
const idlePause = 20 * time.Millisecond

// prune goes on with what Release was told to delete and left.
func (st *stream) prune(ctx context.Context) error {
	upto := st.c.wanted.Load()
	if err := st.d.relaxed(ctx); err != nil {
		return err
	}
	done, err := st.d.prune(ctx, st.meta.log, upto, pruneMost)
	if done {
		st.pruned = upto
	}
	if err != nil {
		return err
	}
	// A change of triggers must not be lost once the flow has gone on with it.
	return st.d.exec("PRAGMA synchronous=FULL")
}

func (st *stream) close() {
	st.rows.close()
	st.version.close()
}

// here is the place after the last log row read.
func (st *stream) here() place { return place{st.meta.ID, st.seq, st.at} }

// open reads what the log says about itself and prepares the statements. The log exists.
func (st *stream) open() (err error) {
	d := st.d
	if st.meta, err = d.meta(st.c.log); err != nil {
		return err
	}
	if st.meta == nil {
		return fmt.Errorf("sqlite: %s: there is no change log %s: another file, or somebody dropped it; run with --fresh: %w",
			st.path, st.c.log, tidemill.ErrGap)
	}
	if st.shapes, err = d.shapes(st.meta, nil); err != nil {
		return err
	}
	if st.rows == nil {
		var cols strings.Builder
		for i := range st.meta.Width {
			fmt.Fprintf(&cols, ", c%d", i)
		}
		st.rows, err = d.prepare(fmt.Sprintf("SELECT seq, code, at%s FROM main.%s WHERE seq>? ORDER BY seq",
			cols.String(), quoting.Name(st.meta.log)))
		if err != nil {
			return err
		}
	}
	if st.version == nil {
		st.version, err = d.prepare("PRAGMA main.schema_version")
	}
	return err
}

// latest is the newest shape of the table that the flow calls name.
func (st *stream) latest(name string) (sh *shape) {
	for _, s := range st.shapes {
		if strings.EqualFold(s.Name, name) && (sh == nil || s.id > sh.id) {
			sh = s
		}
	}
	return sh
}

// resume stands at the place, or says why the log cannot be read from there.
func (st *stream) resume(at place) error {
	if err := st.open(); err != nil {
		return err
	}
	if err := st.verify(at); err != nil {
		return err
	}
	st.seq, st.at, st.safe = at.seq, at.at, at.seq
	// The schema may have changed while the flow was away: the triggers are looked at once.
	st.schema = -1
	return nil
}

// verify looks whether the log still goes through the place.
func (st *stream) verify(at place) error {
	gap := func(format string, a ...any) error {
		return fmt.Errorf("sqlite: %s: %s; run with --fresh to start over: %w",
			st.path, fmt.Sprintf(format, a...), tidemill.ErrGap)
	}
	m, err := st.d.meta(st.c.log)
	if err != nil {
		return err
	}
	if m == nil {
		return gap("there is no change log %s: another file, or somebody dropped it", st.c.log)
	}
	if m.ID != at.log {
		return gap("the change log %s is another one (%s) than the checkpoint's (%s): the file was replaced or the log "+
			"made anew", st.c.log, m.ID, at.log)
	}
	log := quoting.Name(st.c.log)
	low, err := st.d.one("SELECT seq FROM main." + log + " ORDER BY seq LIMIT 1")
	if err != nil {
		return err
	}
	high, err := st.d.one("SELECT seq FROM main." + log + " ORDER BY seq DESC LIMIT 1")
	if err != nil {
		return err
	}
	if at.seq > high {
		return gap("the change log %s ends at %d, before the checkpoint's %d: the file is an older copy, a power cut took "+
			"commits that were not synced, "+
			"or somebody deleted from the log", st.c.log, high, at.seq)
	}
	if at.seq < low {
		return gap("the change log %s begins at %d, after the checkpoint's %d: its rows were deleted", st.c.log, low, at.seq)
	}
	found, ms := false, int64(0)
	err = st.d.query("SELECT at FROM main."+log+" WHERE seq=?", func(s *stmt) error {
		if found = true; s.kind(0) != sqliteNull {
			ms = unixMilli(s.float(0))
		}
		return nil
	}, at.seq)
	if err != nil {
		return err
	}
	if !found {
		return gap("row %d of the change log %s is gone: somebody deleted it", at.seq, st.c.log)
	}
	if ms != at.at {
		return gap("row %d of the change log %s is another one than the checkpoint's: the file is a copy that went "+
			"another way", at.seq, st.c.log)
	}
	return nil
}

// run yields the stream until ctx ends or the consumer has had enough.
func (st *stream) run(ctx context.Context, yield func(tidemill.Batch, error) bool, behind bool) error {
	// Watching begins before the first look, so that no commit falls between.
	w := newWatcher(st.path, st.file)
	defer w.close()
	target := int64(0)
	if behind {
		if err := st.d.retry(ctx, func() (err error) {
			target, err = st.d.one("SELECT seq FROM main." + quoting.Name(st.meta.log) + " ORDER BY seq DESC LIMIT 1")
			return err
		}); err != nil {
			return err
		}
	} else {
		st.safe = st.seq
	}
	var delay time.Duration
	for {
		var b *builder
		looked := time.Now()
		err := st.d.retry(ctx, func() (err error) {
			b, err = st.read()
			return err
		})
		if err != nil {
			return err
		}
		if err := st.follow(ctx); err != nil {
			return err
		}
		caught := behind && st.seq >= target
		if len(b.changes) > 0 || caught {
			behind = behind && !caught
			if !yield(tidemill.Batch{Changes: b.changes, Upto: st.here().position(), Live: true, CaughtUp: caught}, nil) {
				return nil
			}
		}
		if len(b.changes) > 0 {
			delay = 0
			if w.many = len(b.changes) >= floodChanges; w.many && !b.full() && !behind {
				if err := pause(ctx, looked.Add(floodPause)); err != nil {
					return err
				}
			}
			continue
		}
		if delay > idlePause && st.c.wanted.Load() > st.pruned {
			if err := st.prune(ctx); err != nil {
				return err
			}
		}
		if delay, err = w.wait(ctx, delay); err != nil {
			return err
		}
	}
}

// read reads one batch of the log. The read transaction ends before the batch is yielded: nothing of ours keeps a
// writer or a checkpoint waiting while the flow learns.
func (st *stream) read() (*builder, error) {
	if st.b == nil {
		st.b = newBuilder()
	}
	b := st.b
	b.next()
	seq, at := st.seq, st.at
	defer st.rows.reset()
	st.rows.bindInt(1, st.seq)
	for !b.full() {
		ok, err := st.rows.step()
		if err == nil && ok {
			err = st.decode(st.rows, b)
		}
		if err != nil {
			if isBusy(err) { // read again from where the batch began
				st.seq, st.at = seq, at
			}
			return b, st.lost(err)
		}
		if !ok {
			break
		}
	}
	return b, nil
}

// lost tells a log that somebody dropped from other errors.
func (st *stream) lost(err error) error {
	if codeOf(err) == sqliteError {
		if m, e := st.d.meta(st.meta.log); e == nil && m == nil {
			return fmt.Errorf("sqlite: %s: somebody dropped the change log %s; run with --fresh: %w",
				st.path, st.meta.log, tidemill.ErrGap)
		}
	}
	return err
}

// follow looks whether the schema changed since the triggers were made.
func (st *stream) follow(ctx context.Context) error {
	var v int64
	err := st.d.retry(ctx, func() error {
		defer st.version.reset()
		ok, err := st.version.step()
		if ok {
			v = st.version.int(0)
		}
		return err
	})
	if err != nil {
		return err
	}
	if v == st.schema {
		st.safe = st.seq
		return nil
	}
	return st.adapt(ctx)
}
