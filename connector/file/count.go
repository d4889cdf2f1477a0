package file

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/tidemill/tidemill"
)

var _ tidemill.Counter = (*Reader)(nil)

// countBytes is how much of a file Count looks at.
const countBytes = 1 << 20

// Count implements tidemill.Counter by the length of the first lines. Pipes and compressed files are not counted.
func (r *Reader) Count(context.Context) (snapshot, stream uint64, err error) {
	p, err := r.plan()
	if err != nil || p.gzip || p.path == stdinPath {
		return 0, 0, err
	}
	f, err := os.Open(p.path)
	if err != nil {
		return 0, 0, fmt.Errorf("file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, 0, err
	}
	b, err := io.ReadAll(io.LimitReader(f, countBytes))
	if err != nil {
		return 0, 0, fmt.Errorf("file: %w", err)
	}
	lines := bytes.Count(b, []byte("\n"))
	if lines == 0 {
		return 0, 0, nil
	}
	n := uint64(float64(lines) * float64(info.Size()) / float64(len(b)))
	if !p.json && p.header {
		n--
	}
	switch {
	case p.snapshot:
		return n, 0, nil
	case p.follow:
		return 0, 0, nil
	}
	return 0, n, nil
}
