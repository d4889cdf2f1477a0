package postgres

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// queue looks at what the system holds for a socket, without reading it.
type queue struct {
	raw  syscall.RawConn
	look func(fd uintptr)
	n    *int
}

func newQueue(conn net.Conn) queue {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return queue{}
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return queue{}
	}
	n := new(int)
	return queue{raw: raw, n: n, look: func(fd uintptr) { *n, _ = unix.IoctlGetInt(int(fd), unix.SIOCINQ) }}
}

func (q queue) waiting() bool {
	if q.raw == nil {
		return false
	}
	*q.n = 0
	return q.raw.Control(q.look) == nil && *q.n > 0
}

// breathe waits for some 70 microseconds, which the runtime's timers are too coarse for: an idle program's end at whole
// milliseconds, and by then the server waits for room in the socket.
func breathe() {
	t := unix.NsecToTimespec(20_000)
	_ = unix.Nanosleep(&t, nil)
}
