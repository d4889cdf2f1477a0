package sqlite

import (
	"fmt"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tidemill/tidemill"
)

// stmt is a prepared statement. Texts that are bound are copied into one buffer of its own, so that a bind allocates
// nothing once the buffer has grown.
type stmt struct {
	d      *db
	handle uintptr
	buf    uintptr // C memory for bound texts
	size   int
	used   int
	old    []uintptr // buffers that were too small, freed on reset: bound values still point into them
	err    error     // the first failed bind
}

func (d *db) prepare(sql string) (*stmt, error) {
	text, err := libc.CString(sql)
	if err != nil {
		return nil, err
	}
	defer libc.Xfree(d.tls, text)
	out := libc.Xcalloc(d.tls, 1, types.Size_t(unsafe.Sizeof(uintptr(0))))
	defer libc.Xfree(d.tls, out)
	rc := sqlite3.Xsqlite3_prepare_v3(d.tls, d.handle, text, -1, sqlite3.SQLITE_PREPARE_PERSISTENT, out, 0)
	if rc != sqlite3.SQLITE_OK {
		return nil, d.fail(rc)
	}
	h := *(*uintptr)(unsafe.Pointer(&memory(out, int(unsafe.Sizeof(uintptr(0))))[0]))
	if h == 0 {
		return nil, fmt.Errorf("no statement in %q", sql)
	}
	return &stmt{d: d, handle: h}, nil
}

// step runs the statement to its next row; false at the end. It reports a failed bind.
func (s *stmt) step() (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	switch rc := sqlite3.Xsqlite3_step(s.d.tls, s.handle); rc {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	default:
		return false, s.d.fail(rc)
	}
}

// run steps a statement that gives no rows and resets it.
func (s *stmt) run() error {
	_, err := s.step()
	s.reset()
	return err
}

// reset ends the statement's run and forgets what was bound as text; it can be stepped again.
func (s *stmt) reset() {
	sqlite3.Xsqlite3_reset(s.d.tls, s.handle)
	s.used, s.err = 0, nil
	for _, p := range s.old {
		libc.Xfree(s.d.tls, p)
	}
	s.old = s.old[:0]
}

func (s *stmt) close() {
	if s == nil || s.handle == 0 {
		return
	}
	sqlite3.Xsqlite3_finalize(s.d.tls, s.handle)
	s.handle = 0
	for _, p := range s.old {
		libc.Xfree(s.d.tls, p)
	}
	if s.buf != 0 {
		libc.Xfree(s.d.tls, s.buf)
	}
}

func (s *stmt) check(rc int32) {
	if rc != sqlite3.SQLITE_OK && s.err == nil {
		s.err = s.d.fail(rc)
	}
}

func (s *stmt) bindInt(i int, v int64) {
	s.check(sqlite3.Xsqlite3_bind_int64(s.d.tls, s.handle, int32(i), v))
}

func (s *stmt) bindFloat(i int, v float64) {
	s.check(sqlite3.Xsqlite3_bind_double(s.d.tls, s.handle, int32(i), v))
}

func (s *stmt) bindNull(i int) {
	s.check(sqlite3.Xsqlite3_bind_null(s.d.tls, s.handle, int32(i)))
}

func (s *stmt) bindText(i int, v string) {
	p := s.keep(unsafe.Slice(unsafe.StringData(v), len(v)))
	s.check(sqlite3.Xsqlite3_bind_text(s.d.tls, s.handle, int32(i), p, int32(len(v)), 0))
}

// bindTextBytes is bindText of bytes.
func (s *stmt) bindTextBytes(i int, v []byte) {
	p := s.keep(v)
	s.check(sqlite3.Xsqlite3_bind_text(s.d.tls, s.handle, int32(i), p, int32(len(v)), 0))
}

func (s *stmt) bindBlob(i int, v []byte) {
	p := s.keep(v)
	s.check(sqlite3.Xsqlite3_bind_blob(s.d.tls, s.handle, int32(i), p, int32(len(v)), 0))
}

// keep copies b to where SQLite can read it until reset.
func (s *stmt) keep(b []byte) uintptr {
	need := len(b) + 1 // never 0: a null pointer would bind NULL
	if s.used+need > s.size {
		if s.buf != 0 {
			s.old = append(s.old, s.buf)
		}
		s.size, s.used = max(2*s.size, need, 512), 0
		s.buf = libc.Xmalloc(s.d.tls, types.Size_t(s.size))
	}
	p := s.buf + uintptr(s.used)
	copy(memory(p, len(b)), b)
	s.used += need
	return p
}

func (s *stmt) kind(i int) int32 { return sqlite3.Xsqlite3_column_type(s.d.tls, s.handle, int32(i)) }

func (s *stmt) int(i int) int64 { return sqlite3.Xsqlite3_column_int64(s.d.tls, s.handle, int32(i)) }

func (s *stmt) float(i int) float64 {
	return sqlite3.Xsqlite3_column_double(s.d.tls, s.handle, int32(i))
}

// raw is the bytes of a text or a blob, valid until the next step.
func (s *stmt) raw(i int) []byte {
	p := sqlite3.Xsqlite3_column_text(s.d.tls, s.handle, int32(i))
	return memory(p, int(sqlite3.Xsqlite3_column_bytes(s.d.tls, s.handle, int32(i))))
}

// blob is the bytes of a blob, valid until the next step.
func (s *stmt) blob(i int) []byte {
	p := sqlite3.Xsqlite3_column_blob(s.d.tls, s.handle, int32(i))
	return memory(p, int(sqlite3.Xsqlite3_column_bytes(s.d.tls, s.handle, int32(i))))
}

func (s *stmt) text(i int) string { return string(s.raw(i)) }

// value reads column i with its storage class; the bytes of texts and blobs go to sl.
func (s *stmt) value(i int, sl *slab) tidemill.Value {
	// One look at the column, then its value: each sqlite3_column_… looks again. No other thread uses the connection.
	v := sqlite3.Xsqlite3_column_value(s.d.tls, s.handle, int32(i))
	switch sqlite3.Xsqlite3_value_type(s.d.tls, v) {
	case sqlite3.SQLITE_INTEGER:
		return tidemill.Int(sqlite3.Xsqlite3_value_int64(s.d.tls, v))
	case sqlite3.SQLITE_FLOAT:
		return tidemill.Float(sqlite3.Xsqlite3_value_double(s.d.tls, v))
	case sqlite3.SQLITE_TEXT:
		p := sqlite3.Xsqlite3_value_text(s.d.tls, v)
		return tidemill.TextBytes(sl.copy(memory(p, int(sqlite3.Xsqlite3_value_bytes(s.d.tls, v)))))
	case sqlite3.SQLITE_BLOB:
		return tidemill.Blob(sl.copy(s.blob(i)))
	}
	return tidemill.Null()
}

// slab is the memory of one batch's texts and blobs.
type slab struct {
	free []byte
	size int // of everything copied
}

const slabChunk = 256 << 10

func (sl *slab) copy(b []byte) []byte {
	n := len(b)
	sl.size += n
	if n > len(sl.free) {
		if n > slabChunk/4 {
			return append([]byte(nil), b...)
		}
		sl.free = make([]byte, slabChunk)
	}
	to := sl.free[:n:n]
	copy(to, b)
	sl.free = sl.free[n:]
	return to
}

const sqliteNull = sqlite3.SQLITE_NULL

const sqliteError = sqlite3.SQLITE_ERROR

func (s *stmt) columns() int { return int(sqlite3.Xsqlite3_column_count(s.d.tls, s.handle)) }
