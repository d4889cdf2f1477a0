package main

import "golang.org/x/sys/unix"

// peakRSS is the most memory that the process has held, in bytes; 0 where the system does not tell.
func peakRSS() uint64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return uint64(u.Maxrss) << 10
}
