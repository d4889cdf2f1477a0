package postgres

import "syscall"

// breathe waits for some 70 microseconds, which the runtime's timers are too coarse for: an idle program's end at whole
// milliseconds, and by then the server waits for room in the socket.
func breathe() {
	t := syscall.NsecToTimespec(20_000)
	_ = syscall.Nanosleep(&t, nil)
}
