//go:build unix

package postgres_test

import (
	"syscall"
	"time"
)

// used is the processor time that this process has taken.
func used() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
