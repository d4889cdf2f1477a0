package postgres

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
)

// lsn is a place in the write-ahead log.
type lsn uint64

// String is PostgreSQL's own form: 0/16B3748.
func (l lsn) String() string { return string(l.append(nil)) }

func (l lsn) append(dst []byte) []byte {
	dst = appendHex(dst, uint32(l>>32))
	dst = append(dst, '/')
	return appendHex(dst, uint32(l))
}

func appendHex(dst []byte, v uint32) []byte {
	const digits = "0123456789ABCDEF"
	shift := 28
	for shift > 0 && v>>shift == 0 {
		shift -= 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, digits[v>>shift&15])
	}
	return dst
}

func parseLSN(s string) (lsn, error) {
	hi, lo, ok := strings.Cut(s, "/")
	if ok {
		a, err1 := strconv.ParseUint(hi, 16, 32)
		b, err2 := strconv.ParseUint(lo, 16, 32)
		if err1 == nil && err2 == nil {
			return lsn(a<<32 | b), nil
		}
	}
	return 0, fmt.Errorf("%q is no place in a PostgreSQL log (like 0/16B3748)", s)
}

// place is a Position taken apart: postgres:7412345678901234567/1 slot=tidemill_late lsn=0/16B3748.
type place struct {
	system   string // the server's system identifier
	timeline uint32
	slot     string
	lsn      lsn
}

// prefix is the Position up to the LSN.
func (p place) prefix() string {
	return "postgres:" + p.system + "/" + strconv.FormatUint(uint64(p.timeline), 10) + " slot=" + p.slot + " lsn="
}

func (p place) position() tidemill.Position { return tidemill.Position(p.prefix() + p.lsn.String()) }

func parsePosition(text tidemill.Position) (place, error) {
	bad := func() (place, error) {
		return place{}, fmt.Errorf("postgres: %q is no position of this source (like postgres:7412345678901234567/1 "+
			"slot=tidemill_late lsn=0/16B3748)", string(text))
	}
	words := strings.Split(string(text), " ")
	if len(words) != 3 {
		return bad()
	}
	system, ok1 := strings.CutPrefix(words[0], "postgres:")
	slot, ok2 := strings.CutPrefix(words[1], "slot=")
	at, ok3 := strings.CutPrefix(words[2], "lsn=")
	system, timeline, ok4 := strings.Cut(system, "/")
	if !ok1 || !ok2 || !ok3 || !ok4 || slot == "" {
		return bad()
	}
	if _, err := strconv.ParseUint(system, 10, 64); err != nil {
		return bad()
	}
	tl, err := strconv.ParseUint(timeline, 10, 32)
	if err != nil {
		return bad()
	}
	l, err := parseLSN(at)
	if err != nil {
		return bad()
	}
	p := place{system: system, timeline: uint32(tl), slot: slot, lsn: l}
	if p.position() != text {
		return bad()
	}
	return p, nil
}
