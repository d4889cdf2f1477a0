package serve

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"
)

// connLimit bounds how many connections are open. Beyond the bound the one that has been idle longest is closed;
// where none is idle, the one that has been busy longest, if that is longer than an answer takes: its client sends
// slowly, or does not read. So neither keeps others out, however many there are.
type connLimit struct {
	most  int
	slow  time.Duration // how long a connection may be busy before it is closed for another
	mu    sync.Mutex
	conns map[net.Conn]*openConn
	idle  *list.List // of *openConn, longest idle first; new ones that have sent no whole header are idle
	busy  *list.List // of *openConn, longest busy first
	ended bool       // the server ends: new connections are closed
}

// openConn is an open connection.
type openConn struct {
	conn  net.Conn
	in    *list.List    // idle, busy, or nil: it is pinned
	at    *list.Element // in that list
	since time.Time     // when it became busy
}

func newConnLimit(most int) *connLimit {
	return &connLimit{most: most, slow: time.Second, conns: map[net.Conn]*openConn{}, idle: list.New(),
		busy: list.New()}
}

// move puts a connection at the end of a list, or in none; the lock is held.
func (o *openConn) move(to *list.List) {
	if o.in != nil && o.in == to {
		to.MoveToBack(o.at)
		return
	}
	if o.in != nil {
		o.in.Remove(o.at)
	}
	if o.in, o.at = to, nil; to != nil {
		o.at = to.PushBack(o)
	}
}

// pin keeps a connection open, whoever connects: a dashboard's is busy for as long as it is there.
func (c *connLimit) pin(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.conns[conn]; o != nil {
		o.move(nil)
	}
}

// end closes the connections that ask nothing, and those that come from now on.
func (c *connLimit) end() {
	var idle []net.Conn
	c.mu.Lock()
	c.ended = true
	for e := c.idle.Front(); e != nil; e = e.Next() {
		idle = append(idle, e.Value.(*openConn).conn)
	}
	c.mu.Unlock()
	for _, conn := range idle {
		conn.Close()
	}
}

// state is the server's ConnState.
func (c *connLimit) state(conn net.Conn, st http.ConnState) {
	var evicted *openConn
	c.mu.Lock()
	o := c.conns[conn]
	switch {
	case st == http.StateNew:
		o = &openConn{conn: conn}
		c.conns[conn] = o
		evicted = c.evict(o)
		o.move(c.idle)
	case o == nil: // closed for another
	case st == http.StateIdle:
		o.move(c.idle)
	case st == http.StateActive:
		o.since = time.Now()
		o.move(c.busy)
	default:
		o.move(nil)
		delete(c.conns, conn)
	}
	if evicted != nil {
		evicted.move(nil)
		delete(c.conns, evicted.conn)
	}
	c.mu.Unlock()
	if evicted != nil {
		evicted.conn.Close()
	}
}

// evict is the connection to close for a new one: none while there is room, the new one itself where all are at work,
// or the server ends. The lock is held.
func (c *connLimit) evict(newest *openConn) *openConn {
	if c.ended {
		return newest
	}
	if len(c.conns) <= c.most {
		return nil
	}
	if f := c.idle.Front(); f != nil {
		return f.Value.(*openConn)
	}
	if f := c.busy.Front(); f != nil && time.Since(f.Value.(*openConn).since) > c.slow {
		return f.Value.(*openConn)
	}
	return newest
}
