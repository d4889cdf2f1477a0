package postgres

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

const (
	wireStart = 16 << 10
	wireFull  = 256 << 10
	// wireMax is the longest message body: a row of COPY or of the stream can be near PostgreSQL's own 1 GB.
	wireMax = 1<<30 + 1<<16
)

// wire cuts what a server sends into messages (PostgreSQL documentation, chapter "Frontend/Backend Protocol"). pgconn
// reads through it too, and never gets more than the rest of one message: so the connection can be taken over at any
// message boundary, and the rows of COPY and of the stream are decoded in place, without a copy.
type wire struct {
	r          io.Reader
	buf        []byte
	start, end int
	left       int // bytes of the current message that Read has not given yet
}

// Read serves pgproto3.
func (w *wire) Read(p []byte) (int, error) {
	if w.left == 0 {
		if err := w.fill(5); err != nil {
			return 0, err
		}
		n, err := w.length()
		if err != nil {
			return 0, err
		}
		w.left = 5 + n
	}
	if w.start == w.end {
		if err := w.fill(1); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.buf[w.start:min(w.end, w.start+w.left)])
	w.start += n
	w.left -= n
	return n, nil
}

// length is the body's length of the message at start, whose header is there.
func (w *wire) length() (int, error) {
	n := int64(binary.BigEndian.Uint32(w.buf[w.start+1:])) - 4
	if n < 0 || n > wireMax {
		return 0, fmt.Errorf("postgres: a message of %d bytes: the peer does not speak PostgreSQL's protocol", n)
	}
	return int(n), nil
}

// ready reports whether a whole message is there, so that next does not wait.
func (w *wire) ready() bool {
	if w.end-w.start < 5 {
		return false
	}
	n := int64(binary.BigEndian.Uint32(w.buf[w.start+1:])) - 4
	return n >= 0 && int64(w.end-w.start) >= 5+n
}

// next reads one message. The body is valid until the next call.
func (w *wire) next() (kind byte, body []byte, err error) {
	if err := w.fill(5); err != nil {
		return 0, nil, err
	}
	n, err := w.length()
	if err != nil {
		return 0, nil, err
	}
	if w.end-w.start < 5+n {
		if err := w.fill(5 + n); err != nil {
			return 0, nil, err
		}
	}
	kind, body = w.buf[w.start], w.buf[w.start+5:w.start+5+n:w.start+5+n]
	w.start += 5 + n
	return kind, body, nil
}

// fill reads until n bytes are there. The buffer grows with what has come, not with what a header says.
func (w *wire) fill(n int) error {
	for w.end-w.start < n {
		if w.start == w.end {
			w.start, w.end = 0, 0
			if len(w.buf) > 4*wireFull {
				w.buf = nil
			}
		}
		switch {
		case w.buf == nil:
			w.buf = make([]byte, wireStart)
		case w.end == len(w.buf) && w.start > 0:
			w.end = copy(w.buf, w.buf[w.start:w.end])
			w.start = 0
		case w.end == len(w.buf):
			grown := make([]byte, 2*len(w.buf))
			w.end = copy(grown, w.buf[w.start:w.end])
			w.buf, w.start = grown, 0
		}
		got, err := w.r.Read(w.buf[w.end:])
		w.end += got
		if got > 0 && w.end == len(w.buf) && len(w.buf) < wireFull {
			// The server is ahead: read in larger pieces.
			grown := make([]byte, 2*len(w.buf))
			w.end = copy(grown, w.buf[w.start:w.end])
			w.buf, w.start = grown, 0
		}
		if err != nil && w.end-w.start < n {
			return err
		}
	}
	return nil
}

// socket reads ahead below TLS, which by itself asks the system for each of its records, and shows whether anything is
// waiting. Reads that are large enough go past it.
type socket struct {
	net.Conn
	queue      queue
	buf        []byte
	start, end int
}

// Read serves what was read ahead first.
func (s *socket) Read(p []byte) (int, error) {
	if s.start == s.end {
		if len(p) >= wireStart {
			return s.Conn.Read(p)
		}
		if s.buf == nil {
			s.buf = make([]byte, 4*wireStart)
		}
		n, err := s.Conn.Read(s.buf)
		if s.start, s.end = 0, n; n == 0 {
			return 0, err
		}
	}
	n := copy(p, s.buf[s.start:s.end])
	s.start += n
	return n, nil
}

// waiting reports whether a read would have something at once.
func (s *socket) waiting() bool { return s.start < s.end || s.queue.waiting() }
