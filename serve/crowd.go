package serve

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// crowd bounds how many connections are open. Beyond the bound the one that has been idle longest is closed, so that
// idle connections, however many, keep nobody out.
type crowd struct {
	most  int
	mu    sync.Mutex
	conns map[net.Conn]*list.Element // nil element: busy with a request
	idle  *list.List                 // of net.Conn, longest idle first; new ones that have said nothing are idle
}

func newCrowd(most int) *crowd {
	return &crowd{most: most, conns: map[net.Conn]*list.Element{}, idle: list.New()}
}

// state is the server's ConnState.
func (c *crowd) state(conn net.Conn, st http.ConnState) {
	c.mu.Lock()
	e := c.conns[conn]
	if e != nil {
		c.idle.Remove(e)
		c.conns[conn] = nil
	}
	switch st {
	case http.StateNew, http.StateIdle:
		c.conns[conn] = c.idle.PushBack(conn)
	case http.StateActive:
		c.conns[conn] = nil
	case http.StateClosed, http.StateHijacked:
		delete(c.conns, conn)
	}
	var victim net.Conn
	if len(c.conns) > c.most {
		if f := c.idle.Front(); f != nil {
			victim = f.Value.(net.Conn)
		} else if st == http.StateNew {
			victim = conn
		}
		if victim != nil {
			if e := c.conns[victim]; e != nil {
				c.idle.Remove(e)
			}
			delete(c.conns, victim)
		}
	}
	c.mu.Unlock()
	if victim != nil {
		victim.Close()
	}
}
