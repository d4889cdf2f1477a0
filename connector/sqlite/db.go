package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"
)

// db is one connection through SQLite's own interface. database/sql costs an interface and an allocation per value,
// which is most of the time of a snapshot. One goroutine uses it at a time; interrupt may be called from any.
type db struct {
	tls    *libc.TLS
	handle uintptr
	path   string
	stop   func() bool // undoes watch
	alive  sync.Mutex  // held by interrupt and close: no interrupt of a closed handle
}

// sqlError is a result code with SQLite's message.
type sqlError struct {
	code int32 // extended
	msg  string
}

func (e *sqlError) Error() string { return e.msg }

// codeOf is the primary result code of an error of this package, 0 if it has none.
func codeOf(err error) int32 {
	var e *sqlError
	if errors.As(err, &e) {
		return e.code & 0xff
	}
	return 0
}

func isBusy(err error) bool {
	c := codeOf(err)
	// PROTOCOL is a race between connections that begin to use the WAL at one moment.
	return c == sqlite3.SQLITE_BUSY || c == sqlite3.SQLITE_LOCKED || c == sqlite3.SQLITE_PROTOCOL
}

// memory is n bytes at p, which SQLite owns.
func memory(p uintptr, n int) []byte {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&p))), n)
}

// openMode says what open may do to the file.
type openMode int32

const (
	readWrite       openMode = sqlite3.SQLITE_OPEN_READWRITE
	readWriteCreate openMode = sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE
	readOnly        openMode = sqlite3.SQLITE_OPEN_READONLY
)

// busyStep is how long SQLite itself waits for a lock before the call comes back to retry, which looks at the context.
const busyStep = 20 * time.Millisecond

// open opens the database file at path. The caller closes it.
func open(path string, mode openMode) (*db, error) {
	d := &db{tls: libc.NewTLS(), path: path}
	name, err := libc.CString(path)
	if err != nil {
		d.tls.Close()
		return nil, err
	}
	defer libc.Xfree(d.tls, name)
	out := libc.Xcalloc(d.tls, 1, types.Size_t(unsafe.Sizeof(uintptr(0))))
	defer libc.Xfree(d.tls, out)
	// NOMUTEX: a connection of ours is used by one goroutine at a time, and a lock per value read is a third of the read.
	rc := sqlite3.Xsqlite3_open_v2(d.tls, name, out, int32(mode)|sqlite3.SQLITE_OPEN_NOMUTEX, 0)
	d.handle = *(*uintptr)(unsafe.Pointer(&memory(out, int(unsafe.Sizeof(uintptr(0))))[0]))
	if rc != sqlite3.SQLITE_OK {
		err := d.fail(rc)
		d.close()
		return nil, err
	}
	sqlite3.Xsqlite3_extended_result_codes(d.tls, d.handle, 1)
	sqlite3.Xsqlite3_busy_timeout(d.tls, d.handle, int32(busyStep/time.Millisecond))
	return d, nil
}

// watch interrupts whatever runs on the connection when ctx ends, until it is closed.
func (d *db) watch(ctx context.Context) { d.stop = context.AfterFunc(ctx, d.interrupt) }

// guard interrupts whatever runs on the connection when ctx ends, until release is called. After release no interrupt
// comes any more: it would end what the next call does.
func (d *db) guard(ctx context.Context) (release func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		d.interrupt()
		close(done)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

// interrupt ends the statement that runs on the connection; it may be called from any goroutine.
func (d *db) interrupt() {
	d.alive.Lock()
	defer d.alive.Unlock()
	if d.handle != 0 {
		tls := libc.NewTLS() // a TLS belongs to one goroutine
		sqlite3.Xsqlite3_interrupt(tls, d.handle)
		tls.Close()
	}
}

func (d *db) close() error {
	if d == nil || d.tls == nil {
		return nil
	}
	if d.stop != nil {
		d.stop()
	}
	d.alive.Lock()
	defer d.alive.Unlock()
	var err error
	if d.handle != 0 {
		if rc := sqlite3.Xsqlite3_close_v2(d.tls, d.handle); rc != sqlite3.SQLITE_OK {
			err = d.fail(rc)
		}
	}
	d.tls.Close()
	d.tls, d.handle = nil, 0
	return err
}

// fail is the error of a result code.
func (d *db) fail(rc int32) error {
	str := libc.GoString(sqlite3.Xsqlite3_errstr(d.tls, rc))
	msg := str
	if d.handle != 0 && sqlite3.Xsqlite3_extended_errcode(d.tls, d.handle)&0xff == rc&0xff {
		msg = libc.GoString(sqlite3.Xsqlite3_errmsg(d.tls, d.handle))
	}
	return &sqlError{code: rc, msg: msg}
}

// exec runs SQL text that may hold several statements and gives no rows.
func (d *db) exec(sql string) error {
	text, err := libc.CString(sql)
	if err != nil {
		return err
	}
	defer libc.Xfree(d.tls, text)
	if rc := sqlite3.Xsqlite3_exec(d.tls, d.handle, text, 0, 0, 0); rc != sqlite3.SQLITE_OK {
		return d.fail(rc)
	}
	return nil
}

// changes is how many rows the last statement changed.
func (d *db) changes() int64 { return sqlite3.Xsqlite3_changes64(d.tls, d.handle) }

// inTransaction reports whether a transaction is open on the connection.
func (d *db) inTransaction() bool { return sqlite3.Xsqlite3_get_autocommit(d.tls, d.handle) == 0 }

// query runs one statement and calls row for each of its rows.
func (d *db) query(sql string, row func(s *stmt) error, args ...any) error {
	s, err := d.prepare(sql)
	if err != nil {
		return err
	}
	defer s.close()
	for i, a := range args {
		switch a := a.(type) {
		case int64:
			s.bindInt(i+1, a)
		case int:
			s.bindInt(i+1, int64(a))
		case string:
			s.bindText(i+1, a)
		default:
			return fmt.Errorf("cannot bind a %T", a)
		}
	}
	for {
		ok, err := s.step()
		if err != nil || !ok {
			return err
		}
		if row != nil {
			if err := row(s); err != nil {
				return err
			}
		}
	}
}

// one runs a statement that gives one integer; 0 if it gives none.
func (d *db) one(sql string, args ...any) (n int64, err error) {
	err = d.query(sql, func(s *stmt) error { n = s.int(0); return nil }, args...)
	return n, err
}

// text runs a statement that gives one text; "" if it gives none.
func (d *db) text(sql string, args ...any) (t string, err error) {
	err = d.query(sql, func(s *stmt) error { t = s.text(0); return nil }, args...)
	return t, err
}
