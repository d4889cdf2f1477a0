package draft

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemill/tidemill"
)

// told is a system of words only.
type told struct{ words tidemill.Words }

func (s told) Words() tidemill.Words { return s.words }
func (s told) Outside(error) bool    { return false }
func (s told) Open(context.Context, string, string) (tidemill.Place, error) {
	return nil, errors.New("opened " + s.words.Usage)
}

// TestPlaces: a place is told by its scheme, by how its file begins, or by its name's end; what is none is refused with
// what would be one.
func TestPlaces(t *testing.T) {
	systems := Systems{
		"lines": told{tidemill.Words{Ends: []string{".lines"}, Usage: "lines", One: "a .lines file", Many: ".lines files"}},
		"store": told{tidemill.Words{Begin: "STORE", Ends: []string{".st"}, Usage: "store", One: "a store", Many: "stores"}},
		"net":   told{tidemill.Words{Schemes: []string{"net"}, Usage: "net", One: "net://host", Many: "net://host", Full: "net://u:p@host"}},
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"a.lines": "x", "b.lines": "STORE of something", "c.st": "no"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	for place, want := range map[string]string{
		"net://x":     "opened net",
		at("a.lines"): "opened lines",
		at("b.lines"): "opened store",
		at("c.st"):    at("c.st") + " is neither a store nor a .lines file",
		"foo://x":     "there is no source for foo:// URLs; it looks at net://host, at stores, and at .lines files",
		"host=x":      "that is neither a file nor a URL; write net://u:p@host",
		"nowhere":     "nowhere is neither a file nor a URL like net://host",
	} {
		_, _, err := Write(t.Context(), Options{Systems: systems, Place: place})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", place, err, want)
		}
		if wrong := (*tidemill.UsageError)(nil); errors.As(err, &wrong) == (want[:6] == "opened") {
			t.Errorf("%s: a usage error: %v", place, err)
		}
	}
}
