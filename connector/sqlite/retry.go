package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tidemill/tidemill"
)

// lockTimeout is how long a lock that somebody else holds is waited for before the wait becomes an error, which the
// engine meets by trying again.
const lockTimeout = 30 * time.Second

// retry calls f until it succeeds, fails with anything but a lock, ctx ends or lockTimeout has passed. SQLite has
// waited busyStep inside each call already.
func (d *db) retry(ctx context.Context, f func() error) error {
	var waited time.Duration
	for pause := time.Millisecond; ; pause = min(2*pause, 16*time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := f()
		if err == nil || !isBusy(err) {
			if ctx.Err() != nil && codeOf(err) == sqlite3.SQLITE_INTERRUPT {
				return ctx.Err()
			}
			return err
		}
		if waited += pause + busyStep; waited > lockTimeout {
			return fmt.Errorf("another connection has held the lock for %s: end its transaction: %w", lockTimeout, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// write runs f inside a write transaction. On an error nothing of it stays.
func (d *db) write(ctx context.Context, f func() error) error {
	err := d.retry(ctx, func() error {
		if d.inTransaction() { // an interrupt met the last rollback
			if err := d.exec("ROLLBACK"); err != nil {
				return err
			}
		}
		return d.exec("BEGIN IMMEDIATE")
	})
	if err != nil {
		return err
	}
	err = f()
	if err == nil {
		// With a rollback journal COMMIT waits for readers; the transaction stays open meanwhile.
		err = d.retry(ctx, func() error { return d.exec("COMMIT") })
	}
	if err != nil && d.inTransaction() {
		if e := d.exec("ROLLBACK"); e != nil {
			return errors.Join(err, e)
		}
	}
	if ctx.Err() != nil && codeOf(err) == sqlite3.SQLITE_INTERRUPT {
		return ctx.Err()
	}
	return err
}

// openFile opens a database file with errors that say what is wrong with it.
func openFile(path string, mode openMode) (*db, error) {
	switch info, err := os.Stat(path); {
	case path == "" || path == ":memory:":
		return nil, tidemill.Fatalf("sqlite: path %q is no file: name the database file", path)
	case errors.Is(err, os.ErrNotExist) && mode&readWriteCreate != readWriteCreate:
		return nil, tidemill.Fatalf("sqlite: %s: no such file: correct path", path)
	case err == nil && info.IsDir():
		return nil, tidemill.Fatalf("sqlite: %s is a folder: name the database file", path)
	}
	d, err := open(path, mode)
	if err != nil {
		return nil, explain(path, err)
	}
	return d, nil
}

// look opens a database file to read it. Where this user may write it, the connection may too: one that may not would
// leave an empty WAL behind.
func look(path string) (*db, error) {
	if mayWrite(path) == nil {
		return openFile(path, readWrite)
	}
	return openFile(path, readOnly)
}

// explain names the file in front of an error, adds the mend where there is one, and marks as fatal what waiting cannot
// mend. Errors that are not SQLite's pass through.
func explain(path string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded) || tidemill.IsFatal(err) {
		return err
	}
	switch codeOf(err) {
	case 0:
		return err
	case sqlite3.SQLITE_NOTADB:
		return tidemill.Fatalf("sqlite: %s is not a database, or it is encrypted: %w", path, err)
	case sqlite3.SQLITE_CORRUPT:
		return tidemill.Fatalf("sqlite: %s is damaged; see what \"PRAGMA integrity_check\" says: %w", path, err)
	case sqlite3.SQLITE_READONLY:
		return tidemill.Fatalf("sqlite: %s cannot be written; give this user write access to the file and its folder: %w",
			path, err)
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return tidemill.Fatalf("sqlite: %s cannot be opened; look at the rights of the file and its folder: %w", path, err)
	case sqlite3.SQLITE_FULL:
		return fmt.Errorf("sqlite: %s: the disk is full: %w", path, err)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("sqlite: %s is locked: %w", path, err)
	}
	return fmt.Errorf("sqlite: %s: %w", path, err)
}
