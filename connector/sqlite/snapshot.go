package sqlite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tidemill/tidemill"
)

// begin installs the log and opens the read transaction of the snapshot, again where the schema changed in between.
func (st *stream) begin(ctx context.Context, after tidemill.Position) error {
	for {
		version, err := st.c.begin(ctx, st.d, after)
		if err != nil {
			return err
		}
		st.rows.close() // of a log that was made anew, maybe of another width
		st.rows = nil
		if err := st.d.retry(ctx, st.open); err != nil {
			return err
		}
		if err := st.d.retry(ctx, st.beginRead); err != nil {
			return err
		}
		if version == st.schema {
			return nil
		}
		if err := st.d.exec("ROLLBACK"); err != nil {
			return err
		}
		after = tidemill.Begun
	}
}

// beginRead opens a read transaction, and stands at the newest log row that it sees.
func (st *stream) beginRead() error {
	d := st.d
	if err := d.exec("BEGIN"); err != nil {
		return err
	}
	v, err := d.one("PRAGMA main.schema_version")
	if err == nil {
		st.schema = v
		err = d.query(fmt.Sprintf("SELECT seq, at FROM main.%s ORDER BY seq DESC LIMIT 1",
			quoting.Name(st.meta.log)), func(s *stmt) error {
			st.seq, st.at = s.int(0), unixMilli(s.float(1))
			return nil
		})
	}
	if err != nil && d.inTransaction() {
		d.exec("ROLLBACK")
	}
	return err
}

// snapshot reads every captured table inside the read transaction that begin opened, which also says which log row is
// the last that the rows include. ok is false when the consumer has had enough.
func (st *stream) snapshot(ctx context.Context, yield func(tidemill.Batch, error) bool) (ok bool, err error) {
	from := st.d
	mode, err := st.d.text("PRAGMA main.journal_mode")
	if err != nil {
		return false, err
	}
	if mode != "wal" {
		// With a rollback journal no writer can commit while somebody reads, and the flow reads as fast as it learns.
		dir, err := os.MkdirTemp("", "tidemill-snapshot-")
		if err != nil {
			return false, fmt.Errorf("sqlite: %s: a copy to read the snapshot from (or set PRAGMA journal_mode=WAL): %w",
				st.path, err)
		}
		defer os.RemoveAll(dir)
		if from, err = st.d.copyTo(ctx, filepath.Join(dir, "copy.db")); err != nil {
			return false, fmt.Errorf("sqlite: %s: copying to %s to read the snapshot from (or set PRAGMA journal_mode=WAL): %w",
				st.path, dir, err)
		}
		defer from.close()
		from.watch(ctx)
		if err := st.d.exec("COMMIT"); err != nil {
			return false, err
		}
	} else {
		defer func() {
			if from.inTransaction() {
				from.exec("ROLLBACK")
			}
		}()
	}
	r := reader{tx: &tidemill.Tx{Order: uint64(st.seq), Commit: time.UnixMilli(st.at).UTC()},
		b: newBuilder(), yield: yield}
	for _, name := range st.c.tables {
		sh := st.latest(name)
		if sh == nil {
			return false, fmt.Errorf("sqlite: %s: table %q has no shape in the log", st.path, name)
		}
		if ok, err := r.table(ctx, from, sh); err != nil || !ok {
			return false, err
		}
	}
	if n := len(r.b.changes); n > 0 {
		r.b.changes[n-1].Flags |= tidemill.Last
	}
	if from.inTransaction() {
		if err := from.exec("COMMIT"); err != nil {
			return false, err
		}
	}
	return yield(tidemill.Batch{Changes: r.b.changes, Upto: st.here().position(), Live: true, CaughtUp: true}, nil), nil
}

// reader makes batches of the snapshot's rows.
type reader struct {
	tx    *tidemill.Tx
	n     uint64 // rows so far
	b     *builder
	yield func(tidemill.Batch, error) bool
}

// table reads one table. A full batch is yielded only when there is another row: the last row of all carries a flag.
func (r *reader) table(ctx context.Context, from *db, sh *shape) (ok bool, err error) {
	s, err := from.prepare(sh.selectRows())
	if err != nil {
		return false, err
	}
	defer s.close()
	flags := tidemill.FirstOf
	if r.n == 0 {
		flags |= tidemill.First
	}
	for {
		more, err := s.step()
		if err != nil {
			return false, err
		}
		if !more {
			break
		}
		if r.b.full() {
			if !r.yield(tidemill.Batch{Changes: r.b.changes}, nil) {
				return false, nil
			}
			if err := ctx.Err(); err != nil {
				return false, err
			}
			r.b.next()
		}
		r.n++
		c := tidemill.Change{Op: tidemill.Read, Flags: flags, Table: sh.table, Tx: r.tx, N: r.n, At: r.tx.Order,
			After: r.b.values.take(len(sh.Columns))}
		for i := range c.After {
			c.After[i] = s.value(i, &r.b.slab)
		}
		flags = 0
		r.b.add(c)
	}
	if flags == 0 {
		r.b.changes[len(r.b.changes)-1].Flags |= tidemill.LastOf
	}
	return true, nil
}

// copyPages is how many pages are copied between two looks at the context.
const copyPages = 2000

// copyTo copies the database as the open read transaction sees it to a new file, by SQLite's backup interface.
func (d *db) copyTo(ctx context.Context, path string) (*db, error) {
	to, err := open(path, readWriteCreate)
	if err != nil {
		return nil, err
	}
	// A copy that a power cut takes is copied again.
	if err = to.exec("PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF"); err == nil {
		err = d.backup(ctx, to)
	}
	if err != nil {
		to.close()
		return nil, err
	}
	return to, nil
}

func (d *db) backup(ctx context.Context, to *db) error {
	name, err := libc.CString("main")
	if err != nil {
		return err
	}
	defer libc.Xfree(d.tls, name)
	b := sqlite3.Xsqlite3_backup_init(to.tls, to.handle, name, d.handle, name)
	if b == 0 {
		return to.fail(sqlite3.Xsqlite3_errcode(to.tls, to.handle))
	}
	for {
		rc := sqlite3.Xsqlite3_backup_step(to.tls, b, copyPages)
		if rc == sqlite3.SQLITE_OK && ctx.Err() == nil {
			continue
		}
		done := sqlite3.Xsqlite3_backup_finish(to.tls, b)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case rc != sqlite3.SQLITE_DONE:
			return to.fail(rc)
		case done != sqlite3.SQLITE_OK:
			return to.fail(done)
		}
		return nil
	}
}
