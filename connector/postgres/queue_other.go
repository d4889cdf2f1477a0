//go:build !linux

package postgres

import "net"

// queue cannot look here: nothing is known to be waiting.
type queue struct{}

func newQueue(net.Conn) queue { return queue{} }

func (queue) waiting() bool { return false }

// breathe does nothing where the system's finest pause is not known.
func breathe() {}
