package file

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/tidemill/tidemill"
)

// windowSize is how many bytes at the beginning, and before the offset, identify a file.
const windowSize = 4096

// place is a Position, taken apart.
type place struct {
	hash   string
	offset int64
	line   uint64
	sample int
}

func (p place) position() tidemill.Position {
	return tidemill.Position(fmt.Sprintf("file:%s offset=%d line=%d sample=%d", p.hash, p.offset, p.line, p.sample))
}

func parsePlace(s tidemill.Position) (p place, err error) {
	_, err = fmt.Sscanf(string(s), "file:%16s offset=%d line=%d sample=%d", &p.hash, &p.offset, &p.line, &p.sample)
	if err != nil || p.position() != s || p.offset < 0 || p.line < 1 || p.sample < 0 || p.sample > sampleRows {
		return p, tidemill.Fatalf("file: %q is not a position of a file", s)
	}
	return p, nil
}

// trail is the first and the last bytes that were read.
type trail struct {
	head, tail []byte
}

// pass takes the next bytes in.
func (w *trail) pass(b []byte) {
	if n := windowSize - len(w.head); n > 0 {
		w.head = append(w.head, b[:min(n, len(b))]...)
	}
	if len(b) >= windowSize {
		w.tail = append(w.tail[:0], b[len(b)-windowSize:]...)
		return
	}
	if over := len(w.tail) + len(b) - windowSize; over > 0 {
		w.tail = w.tail[:copy(w.tail, w.tail[over:])]
	}
	w.tail = append(w.tail, b...)
}

// hash names what was read.
func (w *trail) hash() string {
	h := sha256.New()
	h.Write(w.head)
	h.Write(w.tail)
	return hex.EncodeToString(h.Sum(nil)[:8])
}
