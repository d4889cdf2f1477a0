//go:build unix

package serve

import "syscall"

// descriptors raises the limit of open files for this process as far as it may go, and tells it.
func descriptors() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return 1024
	}
	more := syscall.Rlimit{Cur: max(r.Max, 20000), Max: max(r.Max, 20000)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil {
		r = more
	}
	return int(min(r.Cur, 1<<20))
}
