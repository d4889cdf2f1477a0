package serve

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"
)

// crowd bounds how many connections are open. Beyond the bound the one that has been idle longest is closed; where none is
// idle, the one that has been busy longest, if that is longer than an answer takes: its client sends slowly, or does not
// read. So neither keeps others out, however many there are.
type crowd struct {
	most  int
	slow  time.Duration // how long a connection may be busy before it gives way
	mu    sync.Mutex
	conns map[net.Conn]*guest
	idle  *list.List // of *guest, longest idle first; new ones that have said nothing are idle
	busy  *list.List // of *guest, longest busy first
}

// guest is an open connection.
type guest struct {
	conn  net.Conn
	in    *list.List    // idle, busy, or nil: it stays, whoever comes
	at    *list.Element // in that list
	since time.Time     // when it became busy
}

func newCrowd(most int) *crowd {
	return &crowd{most: most, slow: time.Second, conns: map[net.Conn]*guest{}, idle: list.New(), busy: list.New()}
}

// move puts a guest at the end of a list, or in none; the lock is held.
func (g *guest) move(to *list.List) {
	if g.in != nil {
		g.in.Remove(g.at)
	}
	if g.in, g.at = to, nil; to != nil {
		g.at = to.PushBack(g)
	}
}

// stays takes a connection out of those that give way: a watcher's is busy for as long as it is there.
func (c *crowd) stays(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.conns[conn]; g != nil {
		g.move(nil)
	}
}

// state is the server's ConnState.
func (c *crowd) state(conn net.Conn, st http.ConnState) {
	var victim *guest
	c.mu.Lock()
	g := c.conns[conn]
	switch {
	case st == http.StateNew:
		g = &guest{conn: conn}
		c.conns[conn] = g
		victim = c.victim(g)
		g.move(c.idle)
	case g == nil: // closed to make room
	case st == http.StateIdle:
		g.move(c.idle)
	case st == http.StateActive:
		g.since = time.Now()
		g.move(c.busy)
	default:
		g.move(nil)
		delete(c.conns, conn)
	}
	if victim != nil {
		victim.move(nil)
		delete(c.conns, victim.conn)
	}
	c.mu.Unlock()
	if victim != nil {
		victim.conn.Close()
	}
}

// victim is who gives way to a newcomer: nobody while there is room, itself where all are at work. The lock is held.
func (c *crowd) victim(newcomer *guest) *guest {
	if len(c.conns) <= c.most {
		return nil
	}
	if f := c.idle.Front(); f != nil {
		return f.Value.(*guest)
	}
	if f := c.busy.Front(); f != nil && time.Since(f.Value.(*guest).since) > c.slow {
		return f.Value.(*guest)
	}
	return newcomer
}
