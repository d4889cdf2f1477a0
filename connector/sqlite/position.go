package sqlite

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
)

// place is a Position taken apart: "sqlite:4f0c… seq=123 at=1791200000123". at is the time of the log row seq, in
// milliseconds since 1970: a file that was restored from a copy and went another way has another time there.
type place struct {
	log string // the log's random id
	seq int64
	at  int64
}

func (p place) position() tidemill.Position {
	b := append([]byte("sqlite:"), p.log...)
	b = strconv.AppendInt(append(b, " seq="...), p.seq, 10)
	b = strconv.AppendInt(append(b, " at="...), p.at, 10)
	return tidemill.Position(b)
}

func parsePlace(p tidemill.Position) (place, error) {
	var at place
	f := strings.Split(string(p), " ")
	bad := func() (place, error) {
		return place{}, fmt.Errorf("sqlite: the position %q is not of this source: it reads \"sqlite:… seq=… at=…\": %w",
			p, tidemill.ErrGap)
	}
	if len(f) != 3 {
		return bad()
	}
	log, ok0 := strings.CutPrefix(f[0], "sqlite:")
	seq, ok1 := strings.CutPrefix(f[1], "seq=")
	ms, ok2 := strings.CutPrefix(f[2], "at=")
	var err1, err2 error
	at.log = log
	at.seq, err1 = strconv.ParseInt(seq, 10, 64)
	at.at, err2 = strconv.ParseInt(ms, 10, 64)
	if !ok0 || !ok1 || !ok2 || log == "" || err1 != nil || err2 != nil || at.seq < 1 || at.position() != p {
		return bad()
	}
	return at, nil
}

// The triggers store julianday('now'), which every SQLite since 3.0 knows and which keeps whole milliseconds exactly.
const (
	msPerDay   = 86_400_000
	msOf1970   = 210_866_760_000_000 // of julian day 2440587.5
	maxLogTime = 1 << 53
)

// unixMilli is the time of a log row.
func unixMilli(julian float64) int64 {
	ms := math.Round(julian * msPerDay)
	if !(math.Abs(ms) < maxLogTime) {
		return 0
	}
	return int64(ms) - msOf1970
}
