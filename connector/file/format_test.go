package file

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemill/tidemill"
)

// words is a format of a line per word of the label, none for what has no label.
type words struct{}

func (words) Encode(dst []tidemill.Message, o *tidemill.Output) ([]tidemill.Message, error) {
	if o.Label == "broken" {
		return dst, errors.New("no such label")
	}
	for _, w := range strings.Fields(o.Label) {
		var m *tidemill.Message
		dst, m = tidemill.NextMessage(dst)
		m.Value = append(m.Value, w...)
	}
	dst, m := tidemill.NextMessage(dst)
	m.Value = nil // a tombstone, which a file has no line for
	return dst, nil
}

// TestOtherFormat: whatever the format gives is a line, and the marks are those of what was written.
func TestOtherFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.txt")
	out := []tidemill.Output{{Seq: 1, Label: "one two"}, {Seq: 2}, {Seq: 3, Label: "three"}}
	w := Sink(path, words{})
	must(t, w.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}))
	must(t, w.Write(t.Context(), out))
	must(t, w.Write(t.Context(), out)) // again changes nothing
	mark, err := w.Flush(t.Context())
	must(t, err)
	if mark.Seq != 3 {
		t.Errorf("the mark is %+v", mark)
	}
	if err := w.Write(t.Context(), []tidemill.Output{{Seq: 4, Label: "broken"}}); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "no such label") {
		t.Errorf("a format's error: %v", err)
	}
	must(t, w.Close())
	if b, err := os.ReadFile(path); err != nil || string(b) != "one\ntwo\nthree\n" {
		t.Errorf("the file is %q, %v", b, err)
	}
	var printed bytes.Buffer
	p := Stdout(words{})
	p.to = &printed
	must(t, p.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}))
	must(t, p.Write(t.Context(), out))
	if printed.String() != "one\ntwo\nthree\n" {
		t.Errorf("printed is %q", printed.String())
	}
	if d := w.Describe() + p.Describe(); strings.Count(d, `format="file.words"`) != 2 {
		t.Errorf("described as %s", d)
	}
	for _, s := range []tidemill.Sink{Sink(path, nil), Stdout(nil)} {
		if err := s.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 2}); !tidemill.IsFatal(err) || !strings.Contains(err.Error(), "no format") {
			t.Errorf("no format: %v", err)
		}
	}
}
