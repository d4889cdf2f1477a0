package serve

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// script is a connection whose client has sent everything in pieces, one a read, and has then closed its half. What is
// written to it is kept.
type script struct {
	mu     sync.Mutex
	pieces [][]byte
	said   bytes.Buffer
	over   chan struct{} // nothing more will be said
	end    sync.Once
}

func (c *script) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.pieces[0])
	if c.pieces[0] = c.pieces[0][n:]; len(c.pieces[0]) == 0 {
		c.pieces = c.pieces[1:]
	}
	return n, nil
}

func (c *script) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.Write(b)
}

func (c *script) CloseWrite() error                { c.end.Do(func() { close(c.over) }); return nil }
func (c *script) Close() error                     { return c.CloseWrite() }
func (c *script) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }
func (c *script) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4242} }
func (c *script) SetDeadline(time.Time) error      { return nil }
func (c *script) SetReadDeadline(time.Time) error  { return nil }
func (c *script) SetWriteDeadline(time.Time) error { return nil }

// scripts is a listener of scripts.
type scripts struct {
	next  chan net.Conn
	ended chan struct{}
	end   sync.Once
}

func newScripts() *scripts {
	return &scripts{next: make(chan net.Conn), ended: make(chan struct{})}
}

func (l *scripts) Accept() (net.Conn, error) {
	select {
	case c := <-l.next:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *scripts) Close() error   { l.end.Do(func() { close(l.ended) }); return nil }
func (l *scripts) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// talk plays a script to a server and returns all that it says.
func (l *scripts) talk(t testing.TB, pieces [][]byte) []byte {
	c := &script{pieces: slices.DeleteFunc(slices.Clone(pieces), func(b []byte) bool { return len(b) == 0 }), over: make(chan struct{})}
	l.next <- c
	select {
	case <-c.over:
	case <-time.After(20 * time.Second):
		t.Fatalf("%q: no end of it", pieces)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.Bytes()
}

// heard is what a client understands of the bytes that a server said. How an answer is framed is the server's choice.
func heard(b []byte) (out []string) {
	in := bufio.NewReader(bytes.NewReader(b))
	for {
		r, err := http.ReadResponse(in, nil)
		if err != nil {
			if err != io.ErrUnexpectedEOF {
				out = append(out, "fault "+err.Error())
			}
			return out
		}
		body, err := io.ReadAll(r.Body)
		for _, name := range []string{"Date", "Content-Length"} {
			if r.Header.Get(name) != "" {
				r.Header.Set(name, "said")
			}
		}
		delete(r.Header, "Content-Length")
		out = append(out, fmt.Sprint(r.Proto, " ", r.Status, " close ", r.Close, " ", r.Header, " ", string(body), err))
	}
}

// FuzzLane plays the same bytes, cut into the same pieces, to a server with a lane and to net/http alone: the answers are
// the same, to the last one.
func FuzzLane(f *testing.F) {
	const token = "Authorization: Bearer s3cret"
	row := prediction(aRow, token)
	for _, s := range []string{row, row + row, prediction(aRow), prediction(aRow, token, "Connection: close") + row, prediction(aRow, token, "Expect: 100-continue") + row,
		"POST /predict/late HTTP/1.1\r\nHost: x\r\n" + token + "\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n" + aRow + "\r\n0\r\n\r\n" + row,
		prediction("0\r\n\r\n", token, "Transfer-Encoding: chunked") + row, prediction(aRow, token, "Content-Length: 17", "Content-Length: 5") + row,
		row + "\r\n" + row, strings.Replace(row, "1.1", "1.0", 1) + row, prediction(`{"distance":`+strings.Repeat(" ", 1100)+`1}`, token) + row,
		row + "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + row, strings.Replace(row, "Content-Length", "content-length", 1) + strings.Replace(row, "late", "later", 1),
		strings.Replace(row, "POST /predict/late", "POST http://x/predict/late", 1), prediction(aRow, token, "X: "+strings.Repeat("x", 20<<10)) + row,
		prediction("[{},{}]", token, "Content-Type: application/json") + prediction("[{},{},{},{}]", token) + row, row[:len(row)-3],
		prediction(aRow, token, "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA"), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"} {
		for _, cut := range []uint16{0, 3, 40, uint16(len(row) - 5), uint16(len(row)), uint16(len(row) + 60)} {
			f.Add([]byte(s), cut, uint16(len(row)+7))
		}
	}
	log.SetOutput(io.Discard) // net/http says what it thinks of a request
	cfg := Config{Token: "s3cret", MaxBody: 1000, MaxRows: 3}
	one, two := newScripts(), newScripts()
	a, b := newServer(fakeFlights(), cfg), newServer(fakeFlights(), cfg)
	q := newLane(a, one, newCrowd(1000), limits{header: time.Minute, read: time.Minute, write: time.Minute, idle: time.Minute})
	go q.run()
	laned, plain := &http.Server{Handler: a, MaxHeaderBytes: headerSize}, &http.Server{Handler: b, MaxHeaderBytes: headerSize}
	go laned.Serve(q)
	go plain.Serve(two)
	f.Cleanup(func() {
		laned.Close()
		plain.Close()
		q.wait(context.Background())
	})
	f.Fuzz(func(t *testing.T, b []byte, cut, next uint16) {
		if len(b) == 0 || len(b) > 64<<10 {
			return
		}
		i := min(int(cut), len(b))
		j := min(i+int(next), len(b))
		pieces := [][]byte{b[:i], b[i:j], b[j:]}
		x, y := heard(one.talk(t, pieces)), heard(two.talk(t, pieces))
		if n := len(y); n > 0 && len(x) == n+1 && strings.HasSuffix(x[n], "400 Bad Request<nil>") && cutShort(b) {
			x = x[:n] // net/http says nothing to fewer than four bytes and an end, unless they are the first
		}
		if !slices.Equal(x, y) {
			t.Fatalf("%q\nwith the lane %q\nby net/http    %q", pieces, x, y)
		}
	})
}

// cutShort is true if fewer than four bytes follow whole requests.
func cutShort(b []byte) bool {
	in := bufio.NewReader(bytes.NewReader(b))
	for {
		if _, err := in.Peek(4); err != nil {
			return true
		}
		r, err := http.ReadRequest(in)
		if err != nil {
			return false
		}
		io.Copy(io.Discard, r.Body)
	}
}
