//go:build !unix

package postgrestest

import (
	"os"
	"syscall"
)

// attr is the system's default: there are no user ids here.
func attr(uid, gid uint32) *syscall.SysProcAttr { return nil }

var (
	sigFast  = os.Interrupt
	sigCrash = os.Kill
)
