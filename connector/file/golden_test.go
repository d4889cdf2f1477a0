package file

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/format/json"
	"github.com/tidemill/tidemill/tidemilltest"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// TestGolden holds the bytes that the file and standard output are given to those of testdata, whatever else changes.
func TestGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	w := resumed(t, path, 1, tidemill.Mark{})
	must(t, w.Write(t.Context(), tidemilltest.Outputs()))
	got, err := os.ReadFile(path)
	must(t, err)
	if *rewrite {
		must(t, os.MkdirAll("testdata", 0o755))
		must(t, os.WriteFile("testdata/golden.jsonl", got, 0o644))
	}
	want, err := os.ReadFile("testdata/golden.jsonl")
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("the file is\n%s\nnot\n%s", got, want)
	}
	var printed bytes.Buffer
	p := Stdout(json.Plain())
	p.to = &printed
	must(t, p.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}))
	must(t, p.Write(t.Context(), tidemilltest.Outputs()))
	if !bytes.Equal(printed.Bytes(), want) {
		t.Errorf("printed is\n%s\nnot\n%s", printed.Bytes(), want)
	}
}
