package file

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tidemill/tidemill"
)

const (
	slabSize   = 256 << 10 // bytes of a batch
	slabSpare  = 32 << 10  // bytes below which a slab is full
	recordMax  = 16 << 20  // bytes of one row
	batchRows  = 4096
	sampleRows = 1000    // rows that decide the kinds of columns
	sampleSize = 4 << 20 // bytes that they may have
	pollEvery  = 100 * time.Millisecond
)

// run is one pass of Changes over the file.
type run struct {
	r     *Reader
	plan  *plan
	ctx   context.Context
	yield func(tidemill.Batch, error) bool
	left  bool // the consumer has left the loop

	file      *os.File // nil for standard input
	in        io.Reader
	startSize int64 // when it was opened

	buf    []byte // what is read and not yet parsed is buf[at:]; the bytes before belong to batches
	at     int
	eof    bool
	offset int64  // of buf[at]
	line   uint64 // number of the line at buf[at]
	seen   trail
	shape  *shape
	sample int
	jumped bool // past the header

	live, caughtUp bool
	pending        *tidemill.Batch // of a snapshot: the last one is only known when there is no more
	rows           uint64          // of the snapshot
}

func (u *run) close() {
	if u.file != nil {
		_ = u.file.Close()
	}
}

func (u *run) decompress() error {
	if !u.plan.gzip {
		return nil
	}
	z, err := gzip.NewReader(u.in)
	if err != nil {
		return tidemill.Fatalf("file: %s: %w", u.plan.name, err)
	}
	u.in = z
	return nil
}

// all reads everything after a position.
func (u *run) all(after tidemill.Position) error {
	u.line = 1
	if err := u.open(); err != nil {
		return err
	}
	if after != "" && after != tidemill.Begun {
		p, err := parsePlace(after)
		if err != nil {
			return err
		}
		if err := u.resume(p); err != nil {
			return err
		}
		u.live = true
	} else if u.live {
		// There is no snapshot: it is over before the first row.
		if u.left = !u.yield(tidemill.Batch{Live: true, Upto: u.here()}, nil); u.left {
			return nil
		}
	}
	for {
		known, err := u.learnShape(sampleRows)
		if err != nil {
			return err
		}
		for known && u.whole() {
			b, err := u.parse()
			if err != nil {
				return err
			}
			if ok, err := u.give(b); !ok || err != nil {
				return err
			}
		}
		if !u.eof {
			if err := u.fill(); err != nil {
				return err
			}
			continue
		}
		if !u.caughtUp {
			if ok, err := u.give(tidemill.Batch{CaughtUp: true}); !ok || err != nil {
				return err
			}
		}
		if !u.plan.follow {
			return nil
		}
		if err := u.wait(); err != nil {
			return err
		}
	}
}

// give yields a batch with its position. A snapshot's batch waits for the next one, since the last row says so.
func (u *run) give(b tidemill.Batch) (bool, error) {
	ends := b.CaughtUp || !u.caughtUp && u.file != nil && !u.plan.gzip && u.plan.follow && u.offset >= u.startSize
	if u.live {
		if len(b.Changes) == 0 && !ends {
			return true, nil
		}
		b.Live, b.CaughtUp, b.Upto = true, ends, u.here()
		u.caughtUp = u.caughtUp || ends
		u.left = !u.yield(b, nil)
		return !u.left, u.ctx.Err()
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		c.Op = tidemill.Read
		if u.rows++; u.rows == 1 {
			c.Flags = tidemill.First | tidemill.FirstOf
		}
	}
	if len(b.Changes) > 0 {
		if u.pending != nil {
			if u.left = !u.yield(*u.pending, nil); u.left {
				return false, nil
			}
		}
		u.pending = &b
	}
	if !ends {
		return true, u.ctx.Err()
	}
	last := tidemill.Batch{}
	if u.pending != nil {
		last = *u.pending
		last.Changes[len(last.Changes)-1].Flags |= tidemill.Last | tidemill.LastOf
	}
	u.pending, u.live, u.caughtUp = nil, true, true
	last.Live, last.CaughtUp, last.Upto = true, true, u.here()
	u.left = !u.yield(last, nil)
	return !u.left, u.ctx.Err()
}

// here is where the run is.
func (u *run) here() tidemill.Position {
	return place{u.seen.hash(), u.offset, u.line, u.sample}.position()
}

// advance passes n bytes and lines.
func (u *run) advance(n int, lines uint64) {
	u.seen.pass(u.buf[u.at : u.at+n])
	u.at += n
	u.offset += int64(n)
	u.line += lines
}

// fill reads more, behind what is left: bytes that a batch has are never written again.
func (u *run) fill() error {
	if err := u.ctx.Err(); err != nil {
		return err
	}
	left := u.buf[u.at:]
	limit := recordMax
	if u.shape == nil || u.shape.table == nil {
		limit += sampleSize
	}
	if len(left) > limit {
		return u.stop(badLine{reason: fmt.Sprintf("a row of more than %d MiB; is a quote missing?", recordMax>>20)})
	}
	if cap(u.buf)-len(u.buf) < slabSpare {
		size := slabSize
		for size < 2*len(left) {
			size *= 2
		}
		u.buf, u.at = append(make([]byte, 0, size), left...), 0
	}
	n, err := u.in.Read(u.buf[len(u.buf):cap(u.buf)])
	u.buf = u.buf[:len(u.buf)+n]
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		u.eof = true
	case u.plan.gzip:
		return tidemill.Fatalf("file: %s, after byte %d: %w; the file is damaged or was cut off",
			u.plan.name, u.offset+int64(len(u.buf)-u.at), err)
	default:
		return fmt.Errorf("file: read %s: %w", u.plan.name, err)
	}
	return nil
}

// wait returns when the followed file has grown.
func (u *run) wait() error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	size := u.offset + int64(len(u.buf)-u.at)
	for {
		select {
		case <-u.ctx.Done():
			return u.ctx.Err()
		case <-tick.C:
		}
		info, err := u.file.Stat()
		if err != nil {
			return fmt.Errorf("file: %w", err)
		}
		if info.Size() < size {
			return tidemill.Fatalf("file: %s had %d bytes and now has %d: it was cut while it was followed; "+
				"run --fresh to read it anew: %w",
				u.plan.name, size, info.Size(), tidemill.ErrGap)
		}
		if info.Size() > size {
			u.eof = false
			return u.grown(size)
		}
		named, err := os.Stat(u.plan.path)
		if err != nil || !os.SameFile(info, named) {
			return tidemill.Fatalf("file: %s was moved or replaced at byte %d, all of which is read; "+
				"a file that is rotated cannot be followed across the change: run --fresh to read the new one: %w",
				u.plan.name, size, tidemill.ErrGap)
		}
	}
}

// grown checks that the file still holds what was read last: cut and written anew, it can have become longer since.
func (u *run) grown(size int64) error {
	last := append(bytes.Clone(u.seen.tail), u.buf[u.at:]...)
	last = last[max(0, len(last)-windowSize):]
	now := make([]byte, len(last))
	if _, err := u.file.ReadAt(now, size-int64(len(now))); err != nil {
		return fmt.Errorf("file: read %s: %w", u.plan.name, err)
	}
	if !bytes.Equal(now, last) {
		return tidemill.Fatalf("file: %s was written anew while it was followed; run --fresh to read it again: %w",
			u.plan.name, tidemill.ErrGap)
	}
	return nil
}

// resume goes to a place, after it has learned the shape from the rows that decided it at first.
func (u *run) resume(p place) error {
	gap := func(format string, a ...any) error {
		return tidemill.Fatalf("file: %s, position %q: %s: %w; run --fresh to read the file anew",
			u.plan.name, p.position(), fmt.Sprintf(format, a...), tidemill.ErrGap)
	}
	if p.offset == 0 {
		return nil // nothing was read
	}
	known, err := u.learnShape(p.sample)
	if err != nil {
		return err
	}
	if !known && p.sample > 0 {
		return gap("it has fewer than the %d rows that decided the kinds of its columns", p.sample)
	}
	if u.file != nil && !u.plan.gzip {
		if u.startSize < p.offset {
			return gap("the file has %d bytes: it was cut or replaced", u.startSize)
		}
		head := make([]byte, min(windowSize, p.offset))
		tail := make([]byte, len(head))
		if _, err := u.file.ReadAt(head, 0); err != nil {
			return fmt.Errorf("file: read %s: %w", u.plan.name, err)
		}
		if _, err := u.file.ReadAt(tail, p.offset-int64(len(tail))); err != nil {
			return fmt.Errorf("file: read %s: %w", u.plan.name, err)
		}
		u.seen = trail{head, tail}
		if _, err := u.file.Seek(p.offset, io.SeekStart); err != nil {
			return fmt.Errorf("file: %w", err)
		}
		u.buf, u.at, u.eof, u.offset = nil, 0, false, p.offset
	}
	for u.offset < p.offset {
		if u.at == len(u.buf) {
			if u.eof {
				return gap("it ends after %d bytes", u.offset)
			}
			u.buf, u.at = u.buf[:0], 0 // no batch has this slab
			if err := u.fill(); err != nil {
				return err
			}
		}
		u.advance(int(min(int64(len(u.buf)-u.at), p.offset-u.offset)), 0)
	}
	if u.seen.hash() != p.hash {
		return gap("the file begins otherwise, or has other bytes before this offset: " +
			"it is another file, or was written anew")
	}
	u.line, u.jumped = p.line, true
	// The last line may have ended without a line's end when it was read; then only a line's end may follow.
	for p.offset > 0 && u.seen.tail[len(u.seen.tail)-1] != '\n' {
		if u.at < len(u.buf) {
			n := bytes.IndexByte(u.buf[u.at:], '\n')
			if rest := u.buf[u.at:]; n == 0 || n == 1 && rest[0] == '\r' {
				u.advance(n+1, 0)
				break
			} else if n > 0 || len(rest) > 1 || rest[0] != '\r' {
				return gap("the line that ended the file then goes on now")
			}
		}
		if u.eof {
			break
		}
		if err := u.fill(); err != nil {
			return err
		}
	}
	return nil
}

// parse makes a batch of the whole rows in buf, at least one; the caller has seen that there is one.
func (u *run) parse() (tidemill.Batch, error) {
	s := u.shape
	width := len(s.table.Columns)
	rows := u.expect()
	changes := make([]tidemill.Change, 0, rows)
	values := make([]tidemill.Value, 0, rows*width)
	txs := make([]tidemill.Tx, 0, rows)
	var f fields
	at, line := u.at, u.line
	for len(changes) < batchRows && len(txs) < cap(txs) {
		n, lines := u.next(at)
		if n == 0 {
			break
		}
		rec := trimEnd(u.buf[at : at+n])
		if len(rec) > 0 {
			from := len(values)
			var bad *badLine
			if u.plan.json {
				values, bad = u.rowJSON(values, rec, &f)
			} else {
				values, bad = u.rowCSV(values, rec, &f)
			}
			if bad != nil && !u.plan.skip {
				u.advance(at-u.at, line-u.line)
				return tidemill.Batch{}, u.stop(*bad)
			}
			if bad != nil {
				values = values[:from]
				u.r.skipped.Add(1)
			} else {
				if s.line {
					values = append(values, tidemill.Int(int64(line)))
				}
				txs = append(txs, tidemill.Tx{Order: line})
				changes = append(changes, tidemill.Change{Op: tidemill.Insert, Table: s.table,
					After: values[from:len(values):len(values)], Tx: &txs[len(txs)-1],
					At: uint64(u.offset) + uint64(at-u.at)})
			}
		}
		at += n
		line += lines
	}
	u.advance(at-u.at, line-u.line)
	return tidemill.Batch{Changes: changes}, nil
}

// expect is how many rows to make room for: by the lines that are there.
func (u *run) expect() int {
	return max(1, min(batchRows, bytes.Count(u.buf[u.at:], []byte("\n"))+1))
}
