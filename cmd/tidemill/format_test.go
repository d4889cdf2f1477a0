package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/tidemilltest"
)

// TestFormatOfSinks: a sink that carries bytes is described, shown and written by the format that its flow names; the
// default by its name is the default.
func TestFormatOfSinks(t *testing.T) {
	for _, c := range []struct{ sink, describes, shows string }{
		{`{file: {path: out.jsonl}}`, `file path="out.jsonl"`, "- file: {path: out.jsonl, format: json}"},
		{`{file: out.jsonl}`, `file path="out.jsonl"`, "- file: {path: out.jsonl, format: json}"},
		{`{file: {path: out.jsonl, format: json}}`, `file path="out.jsonl"`, "- file: {path: out.jsonl, format: json}"},
		{`{file: {path: out.jsonl, format: {json: {layout: plain}}}}`, `file path="out.jsonl"`, "- file: {path: out.jsonl, format: json}"},
		{`{file: {path: out.jsonl, format: {json: keyed}}}`, `file path="out.jsonl" format="json layout=keyed"`, "- file: {path: out.jsonl, format: {json: keyed}}"},
		{`stdout`, `stdout`, "- stdout: {format: json}"},
		{`{stdout: {format: {json: keyed}}}`, `stdout format="json layout=keyed"`, "- stdout: {format: {json: keyed}}"},
		{`{webhook: "http://localhost/x"}`, `kinds=[]`, "format: json"},
		{`{webhook: {url: "http://localhost/x", format: json}}`, `kinds=[]`, "format: json"},
		{`{webhook: {url: "http://localhost/x", format: {json: {}}}}`, `kinds=[]`, "format: json"},
		{`{webhook: {url: "http://localhost/x", format: {json: plain}}}`, `kinds=[] format="json"`, "format: {json: plain}"},
	} {
		f, err := parseSink(c.sink)
		if err != nil {
			t.Errorf("%s: %v", c.sink, err)
			continue
		}
		if d := f.Flow.Sinks[0].(tidemill.Describer).Describe(); !strings.HasSuffix(d, c.describes) {
			t.Errorf("%s is described as %s", c.sink, d)
		}
		if !strings.Contains(f.YAML(), c.shows) {
			t.Errorf("%s is shown as\n%s", c.sink, f.YAML())
		}
	}
	for sink, want := range map[string]string{
		`{file: {path: a, format: jsn}}`:                       `8:34: there is no format "jsn"; the nearest is "json"`,
		`{file: {path: a, format: {json: {layout: wide}}}}`:    `layout: there is no "wide"; it is one of plain, keyed`,
		`{file: {path: a, format: {json: {layot: keyed}}}}`:    `format json has no key "layot"; the nearest is "layout"`,
		`{file: {path: a, fomat: json}}`:                       `sink file has no key "fomat"; the nearest is "format"`,
		`{webhook: {url: "http://h/x", format: [json]}}`:       "a format is missing; there are json",
		`{file: {format: json}}`:                               "sink file needs path",
		`{postgres: {url: "postgres://h/d", format: json}}`:    `sink postgres has no key "format"`,
		`{webhook: {url: "http://h/x", format: {json: wide}}}`: `there is no "wide"`,
	} {
		if _, err := parseSink(sink); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", sink, err, want)
		}
	}
}

func parseSink(sink string) (*config.File, error) {
	flow := "name: a\nsource: {sqlite: {path: a.db, tables: [t]}}\ntasks:\n  - name: b\n    learn: {table: t, label: y}\n" +
		"    features: [numeric: [x]]\nsinks: [%s]\n"
	flow = strings.Replace(fmt.Sprintf(flow, sink), "    features", "    model: linear\n    features", 1)
	return config.Parse("flow.yaml", []byte(flow), kinds(), func(string) (string, bool) { return "", false })
}

// TestFormatIsWritten: what the flow file names is what stands in the file.
func TestFormatIsWritten(t *testing.T) {
	for format, want := range map[string]string{
		"json":          `{"kind":"truth","task":"b","id":"","truth":"1","answered_at":null,"position":"9"}` + "\n",
		"{json: keyed}": `{"kind":"truth","key":"b//9/truth","task":"b","truth":"1","position":"9"}` + "\n",
	} {
		path := filepath.Join(t.TempDir(), "out.jsonl")
		f, err := parseSink(fmt.Sprintf("{file: {path: %q, format: %s}}", path, format))
		if err != nil {
			t.Fatal(err)
		}
		s := f.Flow.Sinks[0]
		if err := s.Resume(t.Context(), tidemill.Resumption{Flow: "a", Term: 1}); err != nil {
			t.Fatal(err)
		}
		if err := s.Write(t.Context(), []tidemill.Output{{Kind: tidemill.Truth, Seq: 1, Task: "b", Truth: "1", Position: "9"}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s: %s, %v", format, b, err)
		}
	}
}

// TestFormatLaws holds every format of the list to the laws of its door.
func TestFormatLaws(t *testing.T) {
	for name, made := range kinds().Formats {
		t.Run(name, func(t *testing.T) {
			tidemilltest.Format(t, func() tidemill.Format {
				f, err := made().Build("a")
				if err != nil {
					t.Fatal(err)
				}
				return f
			})
		})
	}
}
