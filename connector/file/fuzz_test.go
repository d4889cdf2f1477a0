package file

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
)

// rowsOf reads text as a source does, and gives each row's values.
func rowsOf(t *testing.T, format string, columns []string, in io.Reader) (rows [][]string, err error) {
	c := NewSourceConfig()
	c.Path, c.Format, c.Columns, c.Header = "-", format, columns, format == "jsonl"
	s, err := c.Build("")
	if err != nil {
		t.Fatal(err)
	}
	s.(*Reader).stdin = in
	for b, err := range s.Changes(t.Context(), "") {
		if err != nil {
			return rows, err
		}
		for i := range b.Changes {
			ch := &b.Changes[i]
			var row []string
			for k, v := range ch.After {
				if ch.Table.Columns[k].Name != lineColumn && !v.IsNull() {
					row = append(row, ch.Table.Columns[k].Name+"="+v.String())
				}
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// FuzzCSV holds the splitter against encoding/csv, and reading in one piece against reading byte by byte.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n", "\"a\",\"b\"\"c\"\n1,2", "\"a\nb\",c\r\n\r\n,\n", "a,\"b", "a,\"b\"c\n", "x,y\nz\n", "\"\",\"\n\"\n", ",\r", "a\"b,c\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		columns := []string{"a text", "b text"}
		got, err := rowsOf(t, "csv", columns, bytes.NewReader(b))
		again, err2 := rowsOf(t, "csv", columns, iotest.OneByteReader(bytes.NewReader(b)))
		if (err == nil) != (err2 == nil) || err == nil && !equal(got, again) {
			t.Fatalf("at once %q, %v; byte by byte %q, %v", got, err, again, err2)
		}
		if err != nil {
			if !tidemill.IsFatal(err) {
				t.Fatalf("not fatal: %v", err)
			}
			return
		}
		if bytes.ContainsAny(b, "\r") || !utf8.Valid(b) {
			return // encoding/csv rewrites line ends inside quotes
		}
		r := csv.NewReader(bytes.NewReader(b))
		r.LazyQuotes = true
		r.FieldsPerRecord = 2
		want, err := r.ReadAll()
		if err != nil {
			t.Fatalf("read as %q; encoding/csv: %v", got, err)
		}
		if len(want) != len(got) {
			t.Fatalf("read as %q, by encoding/csv as %q", got, want)
		}
		for i := range want {
			var row []string
			for k, v := range want[i] {
				if v != "" {
					row = append(row, "ab"[k:k+1]+"="+v)
				}
			}
			var mine []string
			for _, v := range got[i] {
				if v != "a=" && v != "b=" {
					mine = append(mine, v)
				}
			}
			if strings.Join(row, "|") != strings.Join(mine, "|") {
				t.Fatalf("row %d is %q, by encoding/csv %q", i, mine, row)
			}
		}
	})
}

func equal(a, b [][]string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if strings.Join(a[i], "\x00") != strings.Join(b[i], "\x00") {
			return false
		}
	}
	return true
}

// FuzzJSONL holds the scanner against encoding/json, line by line.
func FuzzJSONL(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":"x"}`, `{"a":"\u00e4\ud83d\ude00\ud800","b":[{"}":"\"]"}]}`, `{}`, `{"a":tru}`, `{"a":-0.5E+9,"b":null}`, "{\"a\":\"\xff\"}", `{"a":1}{`, ` { "a" : { } } `, `{"":1,"a":"\/\b"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s fields
		bad := s.scan(b)
		var want map[string]json.RawMessage
		err := json.Unmarshal(b, &want)
		if err == nil && want == nil {
			err = io.EOF // null
		}
		if !utf8.Valid(b) {
			return
		}
		if (bad == nil) != (err == nil) {
			t.Fatalf("%q: %+v; encoding/json: %v", b, bad, err)
		}
		if bad != nil {
			if bad.at > len(b) {
				t.Fatalf("%q: at %d", b, bad.at)
			}
			return
		}
		got := map[string]member{}
		for _, m := range s.members {
			got[string(m.key)] = m
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %d keys, encoding/json has %d", b, len(got), len(want))
		}
		for k, raw := range want {
			m, ok := got[k]
			if !ok {
				t.Fatalf("%q: no key %q", b, k)
			}
			text := string(raw)
			if m.kind == '"' {
				if err := json.Unmarshal(raw, &text); err != nil {
					t.Fatal(err)
				}
			}
			if text != string(m.bytes) {
				t.Fatalf("%q: %q is %q, by encoding/json %q", b, k, m.bytes, text)
			}
		}
		if bytes.ContainsAny(b, "\n") {
			return
		}
		if _, err := rowsOf(t, "jsonl", nil, bytes.NewReader(b)); err != nil && !strings.Contains(err.Error(), lineColumn) && !strings.Contains(err.Error(), "is no") {
			t.Fatalf("%q: %v", b, err)
		}
	})
}
