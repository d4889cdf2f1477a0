package serve

import (
	"context"
	"errors"
	"log"
	"maps"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// lane is a way around net/http for what is asked most: a connection whose requests are plain predictions (see plain), each
// come whole in one read, is served here with the same ServeHTTP, for two thirds of the processor time. At the first request
// that is anything else, or comes in pieces, the connection and what was read of it go to net/http for the rest of its life:
// lane itself knows neither chunks nor pipelines nor trailers, and a byte that it does not understand is never its own.
type lane struct {
	s      *server
	l      net.Listener
	crowd  *crowd
	lim    limits
	passed chan net.Conn // to net/http
	ended  chan struct{} // closed by Close
	end    sync.Once
	over   atomic.Bool // answers are the last of their connections
	busy   sync.WaitGroup
	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	pool   sync.Pool // of *exchange
	date   atomic.Pointer[dated]
}

// dated is a second and its Date header.
type dated struct {
	second int64
	text   []byte
}

// laneBuffer is the bytes of the longest request that stays in the lane.
const laneBuffer = 4096

func newLane(s *server, l net.Listener, c *crowd, lim limits) *lane {
	q := &lane{s: s, l: l, crowd: c, lim: lim, passed: make(chan net.Conn), ended: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	q.busy.Add(1) // run
	q.pool.New = func() any {
		x := &exchange{header: http.Header{}}
		x.request = http.Request{Method: "POST", URL: &url.URL{}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: &x.body}
		return x
	}
	return q
}

// Accept implements net.Listener for the http.Server: connections that left the lane.
func (q *lane) Accept() (net.Conn, error) {
	select {
	case c := <-q.passed:
		return c, nil
	case <-q.ended:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener.
func (q *lane) Addr() net.Addr { return q.l.Addr() }

// Close implements net.Listener: nothing is accepted any more, and idle connections of the lane end.
func (q *lane) Close() (err error) {
	q.end.Do(func() {
		q.over.Store(true)
		close(q.ended)
		err = q.l.Close()
		q.mu.Lock()
		defer q.mu.Unlock()
		for c := range q.conns {
			c.SetReadDeadline(time.Unix(1, 0))
		}
	})
	return err
}

// wait returns when the lane's last answers are written, or closes their connections when ctx ends.
func (q *lane) wait(ctx context.Context) {
	done := make(chan struct{})
	go func() { q.busy.Wait(); close(done) }()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	q.mu.Lock()
	for c := range q.conns {
		c.Close()
	}
	q.mu.Unlock()
	<-done
}

// run accepts until Close, or until the listener fails; it closes the lane then.
func (q *lane) run() {
	defer q.busy.Done()
	defer q.Close()
	patience := time.Duration(0)
	for {
		c, err := q.l.Accept()
		if err != nil {
			if q.over.Load() || errors.Is(err, net.ErrClosed) {
				return
			}
			patience = min(max(2*patience, 5*time.Millisecond), time.Second) // out of descriptors, as a rule: some will be closed
			log.Printf("serve: accept: %v; trying again in %v", err, patience)
			select {
			case <-time.After(patience):
				continue
			case <-q.ended:
				return
			}
		}
		patience = 0
		q.busy.Add(1)
		q.mu.Lock()
		q.conns[c] = struct{}{}
		q.mu.Unlock()
		q.crowd.state(c, http.StateNew)
		go q.serve(c)
	}
}

// serve is a connection's life in the lane.
func (q *lane) serve(c net.Conn) {
	state := http.StateClosed
	defer func() {
		p := recover()
		if state == http.StateClosed {
			q.crowd.state(c, state)
		}
		q.mu.Lock()
		delete(q.conns, c)
		q.mu.Unlock()
		q.busy.Done()
		if state == http.StateClosed {
			c.Close()
		}
		if p != nil && p != http.ErrAbortHandler {
			log.Printf("serve: panic while answering %s: %v\n%s", c.RemoteAddr(), p, debug.Stack())
		}
	}()
	buf := make([]byte, laneBuffer)
	now := time.Now()
	read, write := now.Add(q.lim.header), time.Time{}
	c.SetReadDeadline(read)
	answered := false
	for !q.over.Load() {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		x := q.pool.Get().(*exchange)
		if !x.plain(buf[:n]) {
			q.pool.Put(x)
			state = http.StateHijacked
			q.crowd.state(c, state)
			h := &handed{Conn: c, head: buf[:n]}
			if answered {
				h.blank = 4 // as net/http
			}
			q.pass(h)
			return
		}
		q.crowd.state(c, http.StateActive)
		q.s.ServeHTTP(x, &x.request)
		now = time.Now()
		last := x.closing() || q.over.Load()
		if later := now.Add(q.lim.write); later.Sub(write) > lazy(q.lim.write) { // a timer of its own for each answer costs more than it saves
			write = later
			c.SetWriteDeadline(write.Add(lazy(q.lim.write)))
		}
		_, err = c.Write(x.answer(q.dateAt(now), last))
		answered = true
		x.forget()
		q.pool.Put(x)
		if err != nil || last {
			return
		}
		if later := now.Add(q.lim.idle); later.Sub(read) > lazy(q.lim.idle) || later.Before(read) {
			read = later
			c.SetReadDeadline(read)
		}
		q.crowd.state(c, http.StateIdle)
	}
}

// lazy is by how much a deadline may be late: it is not set anew for every request.
func lazy(limit time.Duration) time.Duration { return min(limit/8, time.Second) }

// pass hands a connection on to net/http.
func (q *lane) pass(c net.Conn) {
	select {
	case q.passed <- c:
	case <-q.ended:
		c.Close()
	}
}

// dateAt is the Date header of a moment.
func (q *lane) dateAt(now time.Time) []byte {
	if d := q.date.Load(); d != nil && d.second == now.Unix() {
		return d.text
	}
	text := now.UTC().AppendFormat([]byte("Date: "), http.TimeFormat)
	q.date.Store(&dated{now.Unix(), append(text, "\r\n"...)})
	return q.date.Load().text
}

// handed is a connection of which some bytes were read already. net/http drops line ends that follow the body of a POST;
// it does not know that there was one.
type handed struct {
	net.Conn
	head  []byte
	blank int // of the next bytes, these may be line ends that are dropped
}

// Read implements net.Conn.
func (h *handed) Read(b []byte) (int, error) {
	for {
		n, err := h.read(b)
		drop := 0
		for drop < min(n, h.blank) && (b[drop] == '\r' || b[drop] == '\n') {
			drop++
		}
		if drop < n {
			h.blank = 0
		} else {
			h.blank -= drop
		}
		if n = copy(b, b[drop:n]); n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
	}
}

func (h *handed) read(b []byte) (int, error) {
	if len(h.head) > 0 {
		n := copy(b, h.head)
		if h.head = h.head[n:]; len(h.head) == 0 {
			h.head = nil
		}
		return n, nil
	}
	return h.Conn.Read(b)
}

// CloseWrite lets net/http say that it has said all before it closes, as on a connection of its own.
func (h *handed) CloseWrite() error {
	if c, ok := h.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

// exchange is one request and its answer; it is the answer's http.ResponseWriter.
type exchange struct {
	request http.Request
	body    wholeBody
	header  http.Header
	code    int
	out     []byte // the answer's body
	whole   []byte // the answer
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.header }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(code int) {
	if x.code == 0 {
		x.code = code
	}
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	x.WriteHeader(http.StatusOK)
	x.out = append(x.out, b...)
	return len(b), nil
}

// closing is whether the answer wants to be the connection's last.
func (x *exchange) closing() bool { return x.header.Get("Connection") == "close" }

// answer is all bytes of the answer, good until forget.
func (x *exchange) answer(date []byte, last bool) []byte {
	x.WriteHeader(http.StatusOK)
	b := append(x.whole[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(x.code), 10)
	b = append(append(append(b, ' '), http.StatusText(x.code)...), "\r\n"...)
	told := 0
	for _, name := range laneAnswers {
		if vs := x.header[name]; vs != nil {
			b = appendHeader(b, name, vs)
			told++
		}
	}
	if told < len(x.header) {
		for _, name := range slices.Sorted(maps.Keys(x.header)) {
			if name != "Connection" && !slices.Contains(laneAnswers[:], name) {
				b = appendHeader(b, name, x.header[name])
			}
		}
	}
	if last {
		b = append(b, "Connection: close\r\n"...)
	}
	b = append(append(b, date...), "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(x.out)), 10)
	x.whole = append(append(b, "\r\n\r\n"...), x.out...)
	return x.whole
}

// laneAnswers are the headers of every answer to a prediction.
var laneAnswers = [...]string{"Cache-Control", "Content-Type", "Cross-Origin-Resource-Policy", "X-Content-Type-Options"}

func appendHeader(b []byte, name string, values []string) []byte {
	for _, v := range values {
		b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
	}
	return b
}

// forget empties the exchange for the next request.
func (x *exchange) forget() {
	clear(x.header)
	clear(x.request.Header)
	x.code, x.out = 0, x.out[:0]
	if cap(x.out) > smallBody {
		x.out = nil
	}
	if cap(x.whole) > smallBody {
		x.whole = nil
	}
}
