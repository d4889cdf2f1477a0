package postgres

import (
	"bufio"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
	"github.com/tidemill/tidemill/tidemilltest"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

func TestMain(m *testing.M) { postgrestest.Main(m) }

// recorded are messages of a PostgreSQL 15 server: an LSN and the message in hexadecimal digits on each line.
const recorded = "testdata/pgoutput.txt"

var record = flag.Bool("record", false, "record testdata/pgoutput.txt anew from a server")

type logged struct {
	at   lsn
	data []byte
}

func readRecorded(t testing.TB) []logged {
	t.Helper()
	f, err := os.Open(filepath.FromSlash(recorded))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []logged
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		at, data, _ := strings.Cut(lines.Text(), " ")
		l, err1 := parseLSN(at)
		b, err2 := hex.DecodeString(data)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		out = append(out, logged{l, b})
	}
	return out
}

// offline resolves descriptions without a catalog.
func offline(m *relationMessage) (*relation, error) {
	r := &relation{}
	var cols []tidemill.Column
	for _, c := range m.columns {
		f, _ := builtin(c.oid)
		r.forms = append(r.forms, f)
		r.ident = append(r.ident, c.key)
		cols = append(cols, tidemill.Column{Name: c.name, OID: c.oid, Mod: c.mod, Kind: formKinds[f]})
	}
	r.table = tidemill.NewTable(m.schema, m.name, cols, nil)
	return r, nil
}

func newDecoder() *decoder { return &decoder{relations: map[uint32]*relation{}, resolve: offline} }

func changeText(c *tidemill.Change) string {
	row := func(vs []tidemill.Value) string {
		if vs == nil {
			return "-"
		}
		var s []string
		for _, v := range vs {
			t := v.String()
			if len(t) > 30 {
				t = fmt.Sprintf("%d bytes", len(t))
			}
			s = append(s, v.Kind().String()+" "+t)
		}
		return "(" + strings.Join(s, ", ") + ")"
	}
	return fmt.Sprintf("%s %d %s %s %s %s", lsn(c.Tx.Order), c.N, c.Op, c.Table, row(c.Before), row(c.After))
}

// TestRecordedMessages decodes what a real server sent and compares with what was done there.
func TestRecordedMessages(t *testing.T) {
	if *record {
		recordMessages(t)
	}
	d := newDecoder()
	var lines []string
	for _, m := range readRecorded(t) {
		if err := d.message(m.data, uint64(m.at)); err != nil {
			t.Fatalf("%q: %v", m.data, err)
		}
	}
	if d.tx != nil {
		t.Error("a transaction is open at the end")
	}
	changes := d.take()
	for i := range changes {
		lines = append(lines, changeText(&changes[i])[strings.Index(changeText(&changes[i]), " ")+1:])
		if i > 0 && changes[i].Tx == changes[i-1].Tx && changes[i].At < changes[i-1].At {
			t.Errorf("change %d lies before the one ahead of it", i)
		}
		if changes[i].Tx.Order < changes[i].At {
			t.Errorf("change %d lies behind its commit", i)
		}
	}
	want := []string{
		"0 insert public.a - (int 1, text one, decimal 1.50, bool true, time 2016-11-04T13:51:30.123456Z, bytes \x00\xff)",
		"1 insert public.a - (int 2, text 6400 bytes, null NULL, null NULL, null NULL, null NULL)",
		"0 update public.a - (int 2, unknown ?, decimal 7, null NULL, null NULL, null NULL)",
		"1 update public.a (int 1, unknown ?, unknown ?, unknown ?, unknown ?, unknown ?) (int 3, text one, decimal 1.50, bool true, time 2016-11-04T13:51:30.123456Z, bytes \x00\xff)",
		"2 delete public.a (int 3, unknown ?, unknown ?, unknown ?, unknown ?, unknown ?) -",
		"0 update public.a (int 2, text 6400 bytes, decimal 7, null NULL, null NULL, null NULL) (int 2, text 6400 bytes, decimal 8, null NULL, null NULL, null NULL)",
		"1 delete public.a (int 2, text 6400 bytes, decimal 8, null NULL, null NULL, null NULL) -",
		"0 truncate public.a - -",
		"1 truncate public.b - -",
		"2 insert public.b - (other happy, other {1,2})",
	}
	if got, want := strings.Join(lines, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func recordMessages(t *testing.T) {
	s := postgrestest.Start(t)
	url := s.CreateDB(t)
	s.Exec(t, url, `CREATE TYPE mood AS ENUM ('sad', 'happy');
		CREATE TABLE a (id int PRIMARY KEY, x text, n numeric, ok bool, at timestamptz, raw bytea); ALTER TABLE a ALTER x SET STORAGE EXTERNAL; CREATE TABLE b (m mood, arr int[]); ALTER TABLE b REPLICA IDENTITY FULL;
		CREATE PUBLICATION p FOR TABLE a, b`)
	s.Exec(t, url, "SELECT pg_create_logical_replication_slot('recorder', 'pgoutput')")
	for _, sql := range []string{
		`INSERT INTO a VALUES (1, 'one', 1.50, true, '2016-11-04 13:51:30.123456+00', '\x00ff'), (2, (SELECT string_agg(md5(g::text), '') FROM generate_series(1, 200) g), NULL, NULL, NULL, NULL)`,
		"UPDATE a SET n = 7 WHERE id = 2; UPDATE a SET id = 3 WHERE id = 1; DELETE FROM a WHERE id = 3",
		"ALTER TABLE a REPLICA IDENTITY FULL", "UPDATE a SET n = 8; DELETE FROM a",
		"TRUNCATE a, b; SELECT pg_logical_emit_message(true, 'prefix', 'content'); INSERT INTO b VALUES ('happy', '{1,2}')",
	} {
		s.Exec(t, url, sql)
	}
	rows := s.Query(t, url, "SELECT lsn, encode(data, 'hex') FROM pg_logical_slot_get_binary_changes('recorder', NULL, NULL, 'proto_version', '1', 'publication_names', 'p', 'messages', 'true')")
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(r[0] + " " + r[1] + "\n")
	}
	if err := os.MkdirAll(filepath.Dir(recorded), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(recorded, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDecodingLeavesNoGarbage: beyond the batch's own memory a change costs nothing.
func TestDecodingLeavesNoGarbage(t *testing.T) {
	var begin, insert, commit, describe []byte
	for _, m := range readRecorded(t) {
		switch m.data[0] {
		case 'R':
			if describe == nil {
				describe = m.data
			}
		case 'B':
			begin = m.data
		case 'I':
			if insert == nil {
				insert = m.data
			}
		case 'C':
			commit = m.data
		}
	}
	d := newDecoder()
	batch := func() {
		for _, m := range [][]byte{begin, describe} {
			if err := d.message(m, 1); err != nil {
				t.Fatal(err)
			}
		}
		for range 1000 {
			d.message(insert, 1)
		}
		if err := d.message(commit, 1); err != nil || len(d.changes) != 1000 {
			t.Fatal(err, len(d.changes))
		}
		d.take()
	}
	batch()
	if n := testing.AllocsPerRun(10, batch); n > 60 {
		t.Errorf("%v allocations for a batch of 1000 changes of 6 columns", n)
	}
}

func FuzzPgoutput(f *testing.F) {
	for _, m := range readRecorded(f) {
		f.Add(m.data)
	}
	f.Add([]byte("T\xff\xff\xff\xff\x00"))
	f.Add([]byte("R\x00\x00\x00\x01a\x00b\x00d\xff\xff"))
	f.Add([]byte("I\x00\x00\x00\x01N\xff\xff"))
	seeds := readRecorded(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, open := range []bool{false, true} {
			d := newDecoder()
			for _, m := range seeds { // it knows tables, and stands inside a transaction or outside
				if m.data[0] == 'R' || open && m.data[0] == 'B' && d.tx == nil {
					if err := d.message(m.data, 0); err != nil {
						t.Fatal(err)
					}
				}
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if err := d.message(data, 7); err == nil {
				for i := range d.changes {
					changeText(&d.changes[i])
				}
			} else if !tidemill.IsFatal(err) && !errors.Is(err, errText) {
				t.Errorf("%v is not fatal", err)
			}
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20+200*uint64(len(data)) {
				t.Errorf("%d bytes allocated for a message of %d", n, len(data))
			}
		}
	})
}

func FuzzCopyRow(f *testing.F) {
	for _, s := range []string{"1\ttext\t1.5\t2016-11-04 13:51:30\t\\\\x00ff\t2016-11-04", "\\N\t\\N\t\\N\t\\N\t\\N\t\\N", "\\", "a\\\tb", "\t\t\t\t\t", "\t\t\t\t\t\t", "9223372036854775808\t\\t\tNaN\t0001-01-01 00:00:00 BC\t\\\\x0\t99999999-99-99"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var s slab
		d := copyDecoder{forms: []form{formInt, formText, formNumeric, formTimestamp, formBytea, formDate}}
		row, err := d.row(&s, line)
		if err != nil {
			return
		}
		for _, v := range row {
			_ = v.String()
		}
		if s.size > 6*valueSize+2*len(line) {
			t.Errorf("%d bytes for a line of %d", s.size, len(line))
		}
	})
}

// TestDecodeTimes: a timestamp's text is what it is by every other way; what is no time of ours comes as it was.
func TestDecodeTimes(t *testing.T) {
	for _, x := range tidemilltest.Times() {
		for _, fm := range []form{formTimestamp, formDate} {
			var s slab
			want, v := tidemill.Other(x.Text), s.decode(fm, []byte(x.Text))
			if at, ok := expr.ParseTime(x.UTC); ok {
				want = tidemill.Timestamp(at)
			}
			if !v.Equal(want) {
				t.Errorf("form %d: %q is %s %q, not %s %q", fm, x.Text, v.Kind(), v, want.Kind(), want)
			}
		}
	}
}

// FuzzDecode: whatever the text, each form gives a value, and text that it cannot hold comes back as it was.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"", "-", "0", "-9223372036854775808", "9223372036854775808", "t", "NaN", "Infinity", "1.50", "2016-11-04", "2016-11-04 13:51:30.123456+00", "0044-03-15 12:00:00+00 BC",
		"99999999-12-31", "24:00:00", `\x00`, `\x0`, "infinity", "00:00:00.1234567"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for fm := formOther; fm <= formTimestamp; fm++ {
			var s slab
			v := s.decode(fm, b)
			switch v.Kind() {
			case tidemill.KindOther, tidemill.KindText, tidemill.KindDecimal:
				if v.Str() != string(b) {
					t.Errorf("form %d: %q became %q", fm, b, v.Str())
				}
			case formKinds[fm]:
			default:
				t.Errorf("form %d: %q became a %s", fm, b, v.Kind())
			}
		}
	})
}

func FuzzPosition(f *testing.F) {
	f.Add("postgres:7412345678901234567/1 slot=tidemill_late lsn=0/16B3748")
	f.Add("postgres:1/1 slot= lsn=0/0")
	f.Add("postgres:1/1 slot=a lsn=0/00")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePosition(tidemill.Position(s))
		if err == nil && string(p.position()) != s {
			t.Errorf("%q became %q", s, p.position())
		}
	})
}

func FuzzTableName(f *testing.F) {
	for _, s := range []string{"a", "a.b", `"a.b"."c""d"`, `"`, "a.b.c", ".", `"a"b`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseTable(s)
		if err != nil {
			return
		}
		back, err := parseTable(n.sql())
		if err != nil || back != n {
			t.Errorf("%q: %+v, then %+v, %v", s, n, back, err)
		}
	})
}
