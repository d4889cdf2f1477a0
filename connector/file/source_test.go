package file

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/tidemill/tidemill"
)

// put writes a file in a folder of its own and gives its path.
func put(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, text)
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	b := []byte(text)
	if strings.HasSuffix(path, ".gz") {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b = z.Bytes()
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// read is all rows of a source as text, with its last position.
func read(t testing.TB, r *Reader, after tidemill.Position) (rows []string, upto tidemill.Position, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for b, err := range r.Changes(ctx, after) {
		if err != nil {
			return rows, upto, err
		}
		for i := range b.Changes {
			rows = append(rows, show(r, &b.Changes[i]))
		}
		if b.Upto != "" {
			upto = b.Upto
		}
		if b.CaughtUp && r.c.Follow {
			return rows, upto, nil
		}
	}
	return rows, upto, nil
}

func show(r *Reader, c *tidemill.Change) string {
	s := r.Locate(c) + " " + c.Op.String() + " " + c.Table.String() + ":"
	for i, v := range c.After {
		s += fmt.Sprintf(" %s=%s(%s)", c.Table.Columns[i].Name, v.Kind(), v)
	}
	return s
}

func want(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCSVKinds(t *testing.T) {
	path := put(t, "things.csv", strings.Join([]string{
		"\ufeffint,float,bool,time,text,code,none,,quoted,mixed",
		`1,1,true,2024-02-29,a,0012,,x,"",1`,
		`-9223372036854775808,-2.5e3,FALSE,2024-02-29T12:30:15.1234567+02:00,"b, ""c""` + "\n" + `d",0013,,y,"1",a`,
		"", // a blank line is no row
		`9223372036854775807,,,2024-02-29 12:30Z,,,,,,`,
	}, "\r\n"))
	got, _, err := read(t, Source(path), "")
	if err != nil {
		t.Fatal(err)
	}
	want(t, got,
		`things.csv:2 insert things: int=int(1) float=float(1) bool=bool(true) time=time(2024-02-29T00:00:00Z) text=text(a) code=text(0012) none=null(NULL) column8=text(x) quoted=text() mixed=text(1) _line=int(2)`,
		`things.csv:3 insert things: int=int(-9223372036854775808) float=float(-2500) bool=bool(false) time=time(2024-02-29T10:30:15.123456Z) text=text(b, "c"`+"\n"+`d) code=text(0013) none=null(NULL) column8=text(y) quoted=text(1) mixed=text(a) _line=int(3)`,
		`things.csv:6 insert things: int=int(9223372036854775807) float=null(NULL) bool=null(NULL) time=time(2024-02-29T12:30:00Z) text=null(NULL) code=null(NULL) none=null(NULL) column8=null(NULL) quoted=null(NULL) mixed=null(NULL) _line=int(6)`)
}

func TestJSONKinds(t *testing.T) {
	path := put(t, "things.x.jsonl", `{"i": 1, "f": 1, "b": true, "s": "a\"\u00e4\ud83d\ude00\n", "t": "2024-02-29T01:02:03Z", "o": {"k": [1, "}"]}, "m": 1}`+"\n"+
		"\n"+`  {"m": "x", "o": null, "f": -2.5e3 , "late": "7", "ä": ""}  `)
	got, _, err := read(t, Source(path), "")
	if err != nil {
		t.Fatal(err)
	}
	want(t, got,
		`things.x.jsonl:1 insert things: i=int(1) f=float(1) b=bool(true) s=text(a"ä😀`+"\n"+`) t=time(2024-02-29T01:02:03Z) o=other({"k": [1, "}"]}) m=other(1) late=null(NULL) ä=null(NULL) _line=int(1)`,
		`things.x.jsonl:3 insert things: i=null(NULL) f=float(-2500) b=null(NULL) s=null(NULL) t=null(NULL) o=null(NULL) m=other("x") late=text(7) ä=text() _line=int(3)`)
}

func TestSettings(t *testing.T) {
	c := NewSourceConfig()
	c.Path, c.Table, c.Header, c.Separator, c.Nulls = put(t, "x.data", "1;NA;x\n2;\"NA\";?\n"), "things", false, ";", []string{"NA", "?"}
	c.Format, c.Columns, c.Key = "csv", []string{"a int", "b  text", "c"}, []string{"c", "a"}
	s, err := c.Build("flow")
	if err != nil {
		t.Fatal(err)
	}
	r := s.(*Reader)
	got, _, err := read(t, r, "")
	if err != nil {
		t.Fatal(err)
	}
	want(t, got, `x.data:1 insert things: a=int(1) b=null(NULL) c=text(x)`, `x.data:2 insert things: a=int(2) b=text(NA) c=null(NULL)`)
	tables, err := r.Tables(t.Context())
	if err != nil || len(tables) != 1 || !slices.Equal(tables[0].Key, []int{2, 0}) {
		t.Errorf("Tables gives %+v, %v", tables, err)
	}
	for _, c := range []struct{ what, want string }{
		{"", "path is missing"}, {"x.dat", "does not tell the format"}, {".csv", "table: NAME"},
	} {
		if _, err := (&SourceConfig{Path: c.what, Header: true}).Build(""); err == nil || !strings.Contains(err.Error(), c.want) || !tidemill.IsFatal(err) {
			t.Errorf("path %q gives %v", c.what, err)
		}
	}
	for want, c := range map[string]SourceConfig{
		"format":              {Path: "a.csv", Format: "xml"},
		"separator":           {Path: "a.csv", Header: true, Separator: ",,"},
		"bad_lines":           {Path: "a.csv", Header: true, BadLines: "x"},
		"columns: \"a blob\"": {Path: "a.csv", Header: true, Columns: []string{"a blob"}},
		"a is named twice":    {Path: "a.csv", Header: true, Columns: []string{"a int", "a"}},
		"header line":         {Path: "a.csv"},
		"compressed":          {Path: "a.csv.gz", Header: true, Follow: true},
		"standard input":      {Path: "-", Header: true, Follow: true},
	} {
		if _, err := c.Build(""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v gives %v, which does not say %q", c, err, want)
		}
	}
}

func TestBadLines(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range []struct{ name, text, want string }{
		{"f.csv", "a,b\n1,2\n3\n", "f.csv:3:2: 1 field, the file has 2 columns"},
		{"f.csv", "a,b\n1,2\n3,4,5\n", "f.csv:3:6: 3 fields, the file has 2 columns"},
		{"f.csv", "a,b\n1,2\n3,\"x\"y\n", "f.csv:3:6: text after the closing quote"},
		{"f.csv", "a,b\n1,2\n3,\"x\n\n", "f.csv:3:3: a quote is not closed"},
		{"f.csv", "a,b\n\"1\n2\",2\n\"3\n4\",\xff\n", `f.csv:5:4: column b: "\xff" is not UTF-8`},
		{"f.csv", "a,a\n1,2\n", `two columns are called "a"`},
		{"f.csv", "a,\"b\"x\n1,2\n", "f.csv:1:6: text after the closing quote"},
		{"f.csv", "a,_line\n1,2\n", "_line"},
		{"f.jsonl", "{\"a\":1}\n[1]\n", "f.jsonl:2:1: a JSON object is expected"},
		{"f.jsonl", "{\"a\":1}\n{\"a\":1} x\n", "f.jsonl:2:9: text after the object"},
		{"f.jsonl", "{\"a\":1}\n{\"a\":01}\n", "f.jsonl:2:6: what begins here is no number"},
		{"f.jsonl", "{\"a\":1}\n{\"a\":\"\x01\"}\n", "f.jsonl:2:7: a control character"},
		{"f.jsonl", "{\"a\":1}\n{\"a\":\"\\x\"}\n", "f.jsonl:2:7: an escape"},
		{"f.jsonl", "{\"a\":\"x\"}\n{\"a\":[1,}\n", "f.jsonl:2:6: what begins here is no JSON"},
		{"f.jsonl", "{\"a\":1}\n{\"a\":1,}\n", "f.jsonl:2:8: a key in quotes"},
		{"f.jsonl", "{\"a\":1}\n{\"a\" 1}\n", "f.jsonl:2:6: a colon"},
		{"f.jsonl", "{\"a\":1}\n{\"a\":}\n", "f.jsonl:2:6: a value"},
		{"f.jsonl", "{\"a\":1}\n{\"a\":\"x\n", "f.jsonl:2:6: a string is not closed"},
		{"f.csv", "a\n" + strings.Repeat("1\n", 1000) + long + "\n", `f.csv:1002:1: column a: "` + long[:37] + `..." is no int`},
		{"f.jsonl", strings.Repeat("{\"a\":1}\n", 1000) + "{\"a\":1,\"b\":2}\n", `f.jsonl:1001:12: a key "b" that no earlier row has`},
		{"f.jsonl", strings.Repeat("{\"a\":1}\n", 1000) + "{\"a\":{}}\n", `f.jsonl:1001:6: column a: "{}" is no int`},
	} {
		_, _, err := read(t, Source(put(t, c.name, c.text)), "")
		if err == nil || !strings.Contains(err.Error(), c.want) || !tidemill.IsFatal(err) {
			t.Errorf("%.60q gives %v, which does not say %s", c.text, err, c.want)
		}
	}
}

func TestBadLinesAreSkipped(t *testing.T) {
	r := Source(put(t, "f.csv", "a,b\n1,2\n3\n4,\"5\"x\n6,7\n")).Columns("a int", "b int")
	r.c.BadLines = "skip"
	got, _, err := read(t, r, "")
	if err != nil || r.Skipped() != 2 {
		t.Fatalf("%d skipped, %v", r.Skipped(), err)
	}
	want(t, got, "f.csv:2 insert f: a=int(1) b=int(2) _line=int(2)", "f.csv:5 insert f: a=int(6) b=int(7) _line=int(5)")
}

// lines is n rows of CSV with a header; the first column becomes a float only in the rows beyond the sample.
func lines(from, to int) string {
	var b strings.Builder
	if from == 1 {
		b.WriteString("id,name,amount\n")
	}
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "%d,\"name, of\n%d\",%v\n", i, i, float64(i)/4)
	}
	return b.String()
}

// TestResumeEverywhere resumes from every position of files of each make, and expects the rest.
func TestResumeEverywhere(t *testing.T) {
	text := lines(1, 12_000)
	for _, name := range []string{"f.csv", "f.csv.gz", "-"} {
		open := func(text string) *Reader {
			if name == "-" {
				r := Source("-")
				r.stdin = iotest.HalfReader(strings.NewReader(text))
				return r
			}
			return Source(put(t, name, text))
		}
		r := open(text)
		var all []string
		type place struct {
			upto tidemill.Position
			at   int
		}
		var places []place
		for b, err := range r.Changes(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Changes {
				all = append(all, show(r, &b.Changes[i]))
			}
			if len(all) > 0 {
				places = append(places, place{b.Upto, len(all)})
			}
		}
		if len(all) != 12_000 || len(places) < 3 {
			t.Fatalf("%s: %d rows in %d batches", name, len(all), len(places))
		}
		for i, p := range places {
			if i > 0 && i < len(places)-1 && i != len(places)/2 {
				continue
			}
			got, _, err := read(t, open(text), p.upto)
			if err != nil {
				t.Fatalf("%s: after %q: %v", name, p.upto, err)
			}
			want(t, got, all[p.at:]...)
			// The file has grown since.
			got, _, err = read(t, open(text+lines(12_001, 12_003)), p.upto)
			if err != nil || len(got) != 12_003-p.at {
				t.Fatalf("%s: after %q, grown: %d rows, %v", name, p.upto, len(got), err)
			}
			at, err := parsePlace(p.upto)
			if err != nil {
				t.Fatal(err)
			}
			for what, other := range map[string]string{
				"cut":     text[:at.offset-1],
				"header":  strings.Replace(text, "name,", "nome,", 1),
				"replace": strings.ReplaceAll(text, "of", "OF"),
				"empty":   "",
			} {
				if _, _, err := read(t, open(other), p.upto); !errors.Is(err, tidemill.ErrGap) && !(name == "f.csv.gz" && what == "empty" && tidemill.IsFatal(err)) {
					t.Errorf("%s, %s: after %q it gives %v, not ErrGap", name, what, p.upto, err)
				}
			}
		}
	}
}

func TestTheSampleOfAGrownFileIsTheSame(t *testing.T) {
	path := put(t, "f.csv", "a\n1\n2\n")
	r := Source(path)
	_, upto, err := read(t, r, "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "a\n1\n2\n3\n4.5\n")
	rows, _, err := read(t, r, upto)
	if err == nil || !strings.Contains(err.Error(), "f.csv:5:1: column a: \"4.5\" is no int") {
		t.Errorf("%v, %v: by the two rows that decided, a is an int", rows, err)
	}
	if rows, _, err = read(t, r, ""); err != nil || len(rows) != 4 || !strings.Contains(rows[0], "a=float(1)") {
		t.Errorf("read anew: %v, %v", rows, err)
	}
}

func TestALastLineWithoutEnd(t *testing.T) {
	path := put(t, "f.csv", "a\n1\n2")
	r := Source(path)
	rows, upto, err := read(t, r, "")
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	for text, want := range map[string]int{"a\n1\n2\n3\n": 1, "a\n1\n2\r\n3": 1, "a\n1\n2\n": 0, "a\n1\n2": 0, "a\n1\n2\r": 0} {
		write(t, path, text)
		got, _, err := read(t, r, upto)
		if err != nil || len(got) != want {
			t.Errorf("%q gives %v, %v", text, got, err)
		}
		if len(got) > 0 && !strings.HasPrefix(got[0], "f.csv:4 insert f: a=int(3)") {
			t.Errorf("%q gives %v", text, got)
		}
	}
	write(t, path, "a\n1\n25\n")
	if got, _, err := read(t, r, upto); !errors.Is(err, tidemill.ErrGap) {
		t.Errorf("the last line went on: %v, %v", got, err)
	}
}

func TestEmptyFiles(t *testing.T) {
	for _, text := range []string{"", "\n", "a,b\n", "a,b"} {
		var batches []tidemill.Batch
		r := Source(put(t, "f.csv", text))
		for b, err := range r.Changes(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			batches = append(batches, b)
		}
		if len(batches) != 2 || !batches[0].Live || batches[0].CaughtUp || !batches[1].CaughtUp || len(batches[0].Changes)+len(batches[1].Changes) > 0 {
			t.Fatalf("%q gives %+v", text, batches)
		}
		if rows, _, err := read(t, r, batches[1].Upto); err != nil || len(rows) > 0 {
			t.Errorf("%q, resumed, gives %v, %v", text, rows, err)
		}
	}
	path := put(t, "f.csv", "")
	r := Source(path).Follow()
	_, upto, err := read(t, r, "")
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "a\n1\n")
	if rows, _, err := read(t, r, upto); err != nil || len(rows) != 1 {
		t.Errorf("filled since, it gives %v, %v", rows, err)
	}
}

// TestFollowMeetsTrouble cuts, replaces and rewrites the file under a source that follows it.
func TestFollowMeetsTrouble(t *testing.T) {
	for what, harm := range map[string]func(path string){
		"cut while":            func(path string) { write(t, path, "a\n1\n") },
		"written anew":         func(path string) { write(t, path, "a\n7\n8\n9\n10\n") },
		"moved or replaced":    func(path string) { write(t, path+".new", "a\n7\n"); must(t, os.Rename(path+".new", path)) },
		"f.csv was moved or r": func(path string) { must(t, os.Rename(path, path+".1")) },
	} {
		path := put(t, "f.csv", "a\n1\n2\n3\n")
		var last error
		for b, err := range Source(path).Follow().Changes(t.Context(), "") {
			if err != nil {
				last = err
			}
			if b.CaughtUp {
				harm(path)
			}
		}
		if !errors.Is(last, tidemill.ErrGap) || !strings.Contains(last.Error(), what) {
			t.Errorf("%s: it gives %v", what, last)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFollowReadsWhatIsThereBeforeARotation(t *testing.T) {
	path := put(t, "f.csv", "a\n1\n")
	var rows []string
	r := Source(path).Follow()
	done := false
	for b, err := range r.Changes(t.Context(), "") {
		if err != nil {
			break
		}
		for i := range b.Changes {
			rows = append(rows, b.Changes[i].After[0].String())
		}
		if !done {
			done = true
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			must(t, os.Rename(path, path+".1"))
			_, err = f.WriteString("2\n3\n")
			must(t, errors.Join(err, f.Close()))
		}
	}
	want(t, rows, "1", "2", "3")
}

func TestDamagedGzip(t *testing.T) {
	path := put(t, "f.csv.gz", lines(1, 20_000))
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, b[:len(b)/2], 0o600))
	if _, _, err := read(t, Source(path), ""); err == nil || !strings.Contains(err.Error(), "damaged or was cut off") {
		t.Errorf("half of it gives %v", err)
	}
	must(t, os.WriteFile(path, []byte("no gzip"), 0o600))
	if _, _, err := read(t, Source(path), ""); err == nil || !tidemill.IsFatal(err) {
		t.Errorf("something else gives %v", err)
	}
}

func TestStandardInputIsReadOnce(t *testing.T) {
	r := Source("-")
	r.stdin = strings.NewReader("a\n1\n")
	if rows, _, err := read(t, r, ""); err != nil || len(rows) != 1 || !strings.HasPrefix(rows[0], "stdin:2 insert stdin:") {
		t.Fatal(rows, err)
	}
	if _, _, err := read(t, r, ""); err == nil || !tidemill.IsFatal(err) {
		t.Errorf("twice: %v", err)
	}
}

func TestMissingFile(t *testing.T) {
	r := Source(filepath.Join(t.TempDir(), "none.csv"))
	if _, _, err := read(t, r, ""); !tidemill.IsFatal(err) {
		t.Errorf("got %v", err)
	}
	if f := r.Check(t.Context()); len(f) != 1 || f[0].Level != "error" {
		t.Errorf("Check gives %+v", f)
	}
	r = Source(put(t, "f.csv", "a,b\n1,x\n"))
	if f := r.Check(t.Context()); len(f) != 1 || f[0].Level != "ok" || !strings.Contains(f[0].Text, "a int, b text") {
		t.Errorf("Check gives %+v", f)
	}
}

func TestHugeRow(t *testing.T) {
	text := "a,b\n\"" + strings.Repeat("x", 3<<20) + "\",1\n2,3\n"
	rows, _, err := read(t, Source(put(t, "f.csv", text)), "")
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, head := range []string{"", "a,b\n", "a,b\n1,2\n"} {
		text := head + "\"" + strings.Repeat("x\n", 21<<19) + "\n3,4\n"
		if _, _, err := read(t, Source(put(t, "f.csv", text)), ""); err == nil || !strings.Contains(err.Error(), "a row of more than 16 MiB") {
			t.Errorf("after %q, an open quote gives %v", head, err)
		}
	}
	_, _, err = read(t, Source(put(t, "f.csv", "a,b\n1,2\n\""+strings.Repeat("x\n", 20<<19)+"\n3,4\n")).Columns("a text", "b int"), "")
	if err == nil || !strings.Contains(err.Error(), "f.csv:3:1: a row of more than 16 MiB") {
		t.Errorf("an open quote gives %v", err)
	}
}

func TestPositions(t *testing.T) {
	for _, bad := range []string{"file:", "file:0123456789abcdef offset=-1 line=1 sample=0", "file:0123456789abcdef offset=1 line=0 sample=0",
		"file:0123456789abcdef offset=1 line=1 sample=9999999", "file:0123456789abcdef offset=1 line=1 sample=0 ", "file:0123456789abcdef offset=01 line=1 sample=0"} {
		if p, err := parsePlace(tidemill.Position(bad)); err == nil {
			t.Errorf("%q is %+v", bad, p)
		}
	}
}

func ExampleSource() {
	dir, err := os.MkdirTemp("", "tidemill")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "iris.csv")
	if err := os.WriteFile(path, []byte("length,species\n5.1,setosa\n7.0,versicolor\n"), 0o600); err != nil {
		panic(err)
	}
	for batch, err := range Source(path).Changes(context.Background(), "") {
		if err != nil {
			panic(err)
		}
		for _, c := range batch.Changes {
			fmt.Println(c.Op, c.Table, c.After)
		}
	}
	// Output:
	// insert iris [5.1 setosa 2]
	// insert iris [7 versicolor 3]
}

// TestStdinInterrupted: a reader of standard input that waits for a line leaves when it should.
func TestStdinInterrupted(t *testing.T) {
	in, w := io.Pipe()
	defer w.Close()
	r := Source("-")
	r.stdin = in
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		io.WriteString(w, "id,x\n1,2\n")
		cancel()
	}()
	errs := 0
	for _, err := range r.Changes(ctx, "") {
		if err == nil {
			continue
		}
		if errs++; !errors.Is(err, context.Canceled) {
			t.Errorf("it ends with %v", err)
		}
	}
	if errs != 1 {
		t.Errorf("it ends with %d errors, not with one that says why", errs)
	}
}
