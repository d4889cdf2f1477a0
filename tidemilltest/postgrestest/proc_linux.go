package postgrestest

import "syscall"

// attr runs the program as another user, and ends it (an immediate shutdown) when the test binary dies.
func attr(uid, gid uint32) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if uid != 0 {
		a.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return a
}

const (
	sigFast  = syscall.SIGINT
	sigCrash = syscall.SIGKILL
)
