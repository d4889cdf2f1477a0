//go:build unix && !linux

package postgrestest

import "syscall"

// attr runs the program as another user.
func attr(uid, gid uint32) *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{}
	if uid != 0 {
		a.Credential = &syscall.Credential{Uid: uid, Gid: gid}
	}
	return a
}

const (
	sigFast  = syscall.SIGINT
	sigCrash = syscall.SIGKILL
)
