package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/tidemill/tidemill"
)

func FuzzPosition(f *testing.F) {
	f.Add("sqlite:0123456789abcdef seq=12 at=1791200000123")
	f.Add("sqlite: seq=1 at=1")
	f.Add("0/16B3748")
	f.Add("sqlite:x seq=-1 at=+1")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePlace(tidemill.Position(s))
		if err == nil && string(p.position()) != s {
			t.Errorf("%q is read and printed as %q", s, p.position())
		}
		if err != nil && !tidemill.IsFatal(err) {
			t.Errorf("%q: the error is not fatal: %v", s, err)
		}
	})
}

// FuzzLog reads a log that somebody else wrote to.
func FuzzLog(f *testing.F) {
	f.Add(`{"table":"t","columns":[{"name":"id"},{"name":"a","type":"TEXT"}],"key":[0],"before":"full"}`, int64(1<<opBits+opUpdate), 2461000.5, "x", uint8(3))
	f.Add(`{"table":"t","columns":[{"name":"id"}],"key":[7],"before":"full"}`, int64(1<<opBits+opInsert), 0.0, "", uint8(1))
	f.Add(`{"table":"t","columns":[],"key":[],"before":"key"}`, int64(-1), 1e300, "", uint8(0))
	f.Add(`[]`, int64(1<<opBits+7), -1.0, "", uint8(2))
	f.Fuzz(func(t *testing.T, body string, code int64, at float64, value string, rows uint8) {
		path := filepath.Join(t.TempDir(), "a.db")
		d, err := open(path, readWriteCreate)
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		if err := d.exec("PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT)"); err != nil {
			t.Fatal(err)
		}
		read := func(after tidemill.Position) (upto tidemill.Position, n int, err error) {
			for b, err := range Source(path, "t").Changes(context.Background(), after) {
				if err != nil {
					return "", n, err
				}
				for i := range b.Changes {
					if c := &b.Changes[i]; len(c.Row()) != len(c.Table.Columns) {
						t.Errorf("%d values for %d columns", len(c.Row()), len(c.Table.Columns))
					}
				}
				n += len(b.Changes)
				if b.CaughtUp {
					return b.Upto, n, nil
				}
			}
			return "", n, nil
		}
		upto, _, err := read("")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.query("UPDATE tidemill_log_shapes SET body=? WHERE shape=1", nil, body); err != nil {
			t.Fatal(err)
		}
		s, err := d.prepare("INSERT INTO tidemill_log(code, at, c0, c1, c2) VALUES(?, ?, ?, 1, ?)")
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		for i := range int64(rows % 8) {
			s.bindInt(1, code-i*(code%3))
			s.bindFloat(2, at)
			s.bindText(3, value)
			s.bindText(4, value)
			if err := s.run(); err != nil {
				t.Fatal(err)
			}
		}
		if _, _, err := read(upto); err != nil && !tidemill.IsFatal(err) {
			t.Errorf("a damaged log gives an error that waiting is to mend: %v", err)
		}
	})
}
