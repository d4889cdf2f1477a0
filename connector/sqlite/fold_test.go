package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

// fold is a table as its changes tell it: rows by key.
type fold struct {
	rows map[string][]tidemill.Value
	t    testing.TB
	at   int64 // the last log row
}

func keyText(table *tidemill.Table, row []tidemill.Value) string {
	s := ""
	for _, k := range table.Key {
		s += row[k].Kind().String() + ":" + row[k].String() + "|"
	}
	return s
}

// apply folds one change in; the row as it was must be the one that the fold has.
func (f *fold) apply(c *tidemill.Change) {
	f.t.Helper()
	if c.Before != nil {
		k := keyText(c.Table, c.Before)
		old, ok := f.rows[k]
		if !ok {
			f.t.Errorf("%s: there is no such row", showOne(c))
		} else {
			for i, v := range c.Before {
				if v.Known() && i < len(old) && !v.Equal(old[i]) {
					f.t.Errorf("%s: value %d was %s", showOne(c), i, old[i])
				}
			}
		}
		delete(f.rows, k)
	}
	if c.After != nil {
		f.rows[keyText(c.Table, c.After)] = c.After
	}
}

func (f *fold) String() string {
	var all []string
	for _, r := range f.rows {
		all = append(all, rowText(r))
	}
	return sorted(all)
}

func rowText(r []tidemill.Value) string {
	s := ""
	for _, v := range r {
		s += v.Kind().String() + ":" + fmt.Sprintf("%q", v.String()) + " "
	}
	return s
}

func sorted(all []string) string {
	for i := range all { // few rows
		for j := i; j > 0 && all[j] < all[j-1]; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	return strings.Join(all, "\n")
}

// tableText is the table as it is.
func tableText(t testing.TB, d *db, query string) string {
	t.Helper()
	var all []string
	var sl slab
	err := d.query(query, func(s *stmt) error {
		var r []tidemill.Value
		for i := range s.columns() {
			r = append(r, s.value(i, &sl))
		}
		all = append(all, rowText(r))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sorted(all)
}

// every storage class, and values at their ends.
var pool = []string{"NULL", "0", "1", "1.0", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993", "0.1", "1e308", "9e999", "-9e999",
	"-0.0", "4.9e-324", "''", "'a'", "'A'", "'b'", "x''", "x'00'", "x'61'", "'a' || char(0) || 'b'", "'ünï→'", "zeroblob(3000)", "'" + strings.Repeat("long ", 300) + "'", "CAST(x'ff61' AS TEXT)"}

func TestFoldOfRandomStatements(t *testing.T) {
	schemas := []struct{ create, read string }{
		{"CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, a INTEGER, b REAL, c TEXT, d BLOB, e NUMERIC)", "SELECT * FROM t"},
		{"CREATE TABLE t(id, u UNIQUE COLLATE NOCASE, a INTEGER, b REAL, c TEXT COLLATE NOCASE, d BLOB, e, PRIMARY KEY(id, a)) WITHOUT ROWID", "SELECT * FROM t"},
		{"CREATE TABLE t(id, u, a INTEGER, b REAL, c TEXT, d BLOB, e, UNIQUE(u, id))", "SELECT *, rowid FROM t"},
		{"CREATE TABLE t(id TEXT PRIMARY KEY NOT NULL ON CONFLICT REPLACE, u UNIQUE ON CONFLICT REPLACE, a INT, b FLOAT, c VARCHAR(3), d, e DATETIME)", "SELECT * FROM t"},
	}
	for i, s := range schemas {
		for seed := range uint64(4) {
			t.Run(fmt.Sprintf("%d/%d", i, seed), func(t *testing.T) {
				t.Parallel()
				foldRandom(t, s.create, s.read, rand.New(rand.NewPCG(seed, uint64(i))))
			})
		}
	}
}

func foldRandom(t *testing.T, create, read string, r *rand.Rand) {
	path := filepath.Join(t.TempDir(), "a.db")
	d, err := open(path, readWriteCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	mode := []string{"wal", "delete"}[r.IntN(2)]
	if err := d.exec("PRAGMA journal_mode=" + mode + "; PRAGMA synchronous=OFF; PRAGMA recursive_triggers=" + fmt.Sprint(r.IntN(2)) + "; " + create); err != nil {
		t.Fatal(err)
	}
	value := func() string { return pool[r.IntN(len(pool))] }
	id := func() string { return fmt.Sprint(r.IntN(12)) }
	row := func() string {
		return fmt.Sprintf("(%s, %s, %s, %s, %s, %s, %s)", id(), fmt.Sprintf("'%c'", "abcdABCDefgh"[r.IntN(12)]), id(), value(), value(), value(), value())
	}
	col := func() string { return string("abcde"[r.IntN(5)]) }
	or := func() string {
		return []string{"", "", "OR REPLACE ", "OR IGNORE ", "OR FAIL ", "OR ABORT "}[r.IntN(6)]
	}
	open := 0
	statement := func() string {
		switch r.IntN(14) {
		case 0, 1, 2:
			return "INSERT " + or() + "INTO t(id,u,a,b,c,d,e) VALUES " + row()
		case 3:
			return "INSERT " + or() + "INTO t(id,u,a,b,c,d,e) VALUES " + row() + "," + row() + "," + row()
		case 4:
			return "INSERT INTO t(id,u,a,b,c,d,e) VALUES " + row() + " ON CONFLICT DO UPDATE SET " + col() + "=" + value()
		case 5, 6:
			return "UPDATE " + or() + "t SET " + col() + "=" + value() + ", c=" + value() + " WHERE id=" + id()
		case 7:
			return "UPDATE " + or() + "t SET id=" + id() + " WHERE id=" + id()
		case 8:
			return "UPDATE " + or() + "t SET u='" + string("abcdABCD"[r.IntN(8)]) + "' WHERE id=" + id()
		case 9:
			return "DELETE FROM t WHERE id=" + id()
		case 10:
			if r.IntN(8) == 0 {
				return "DELETE FROM t"
			}
			return "UPDATE t SET " + col() + "=" + col()
		case 11:
			open++
			return fmt.Sprintf("SAVEPOINT s%d", open)
		case 12:
			if open == 0 {
				return "SELECT 1"
			}
			return fmt.Sprintf("ROLLBACK TO s%d", 1+r.IntN(open))
		default:
			if open == 0 {
				return "SELECT 1"
			}
			open = 0
			if r.IntN(2) == 0 {
				return "ROLLBACK"
			}
			return "COMMIT"
		}
	}
	run := func(n int) {
		for range n {
			s := statement()
			err := d.exec(s) // conflicts are part of it
			if open > 0 && !d.inTransaction() {
				open = 0
			}
			if c := codeOf(err); c != 0 && c != 19 /* constraint */ && c != 20 /* mismatch */ && !strings.Contains(err.Error(), "no such savepoint") && !strings.Contains(err.Error(), "transaction") {
				t.Fatalf("%s: %v", s, err)
			}
		}
		if open > 0 {
			open = 0
			d.exec("COMMIT")
		}
	}
	run(30)
	src := Source(path, "t")
	f := &fold{rows: map[string][]tidemill.Value{}, t: t}
	pos := tidemill.Position("")
	for range 8 {
		from := pos
		var again []string
		for b, err := range src.Changes(context.Background(), pos) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Changes {
				f.apply(&b.Changes[i])
				again = append(again, fmt.Sprint(b.Changes[i].Tx.Order, b.Changes[i].N, showOne(&b.Changes[i])))
			}
			if b.Upto != "" {
				pos = b.Upto
			}
			if b.CaughtUp {
				break
			}
		}
		if got, want := f.String(), tableText(t, d, read); got != want {
			t.Fatalf("the fold is\n%s\nthe table is\n%s", got, want)
		}
		if from != "" {
			n := 0
			for b, err := range src.Changes(context.Background(), from) {
				if err != nil {
					t.Fatal(err)
				}
				for i := range b.Changes {
					if s := fmt.Sprint(b.Changes[i].Tx.Order, b.Changes[i].N, showOne(&b.Changes[i])); n >= len(again) || s != again[n] {
						t.Fatalf("the replay's change %d is another one: %s", n, s)
					}
					n++
				}
				if b.CaughtUp {
					break
				}
			}
			if n != len(again) {
				t.Fatalf("the replay has %d changes, it had %d", n, len(again))
			}
			if r.IntN(2) == 0 {
				if err := src.Release(context.Background(), pos); err != nil {
					t.Fatal(err)
				}
				if n, _ := d.one("SELECT count(*) FROM tidemill_log"); n != 1 {
					t.Fatalf("after Release the log holds %d rows", n)
				}
				if len(again) > 0 {
					for _, err := range src.Changes(context.Background(), from) {
						if !errors.Is(err, tidemill.ErrGap) {
							t.Fatalf("a position before the released one is served: %v", err)
						}
						break
					}
				}
			}
		}
		run(25)
	}
}

func TestStorageClasses(t *testing.T) {
	_, exec, c, _ := start(t, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)")
	var values []string
	for _, p := range pool {
		values = append(values, "("+p+")")
	}
	exec("INSERT INTO t(v) VALUES " + strings.Join(values, ","))
	cs, _ := c.take(t, len(pool))
	for i, want := range map[int]tidemill.Value{0: tidemill.Null(), 2: tidemill.Int(1), 3: tidemill.Float(1), 5: tidemill.Int(math.MaxInt64), 6: tidemill.Int(math.MinInt64),
		7: tidemill.Int(9007199254740993), 10: tidemill.Float(math.Inf(1)), 11: tidemill.Float(math.Inf(-1)), 14: tidemill.Text(""), 18: tidemill.Blob([]byte{}),
		21: tidemill.Text("a\x00b"), 13: tidemill.Float(5e-324), 25: tidemill.Text("\xffa")} {
		if got := cs[i].After[1]; !got.Equal(want) {
			t.Errorf("%s is read as %s %q, want %s %q", pool[i], got.Kind(), got, want.Kind(), want)
		}
	}
}
