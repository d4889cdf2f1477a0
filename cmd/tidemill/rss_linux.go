package main

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// peakRSS is the most memory that the process has held, in bytes; 0 where the system does not tell. The kernel's rusage
// would begin with the peak of the process that started this one (proc(5): VmHWM is this process's own).
func peakRSS() uint64 {
	if b, err := os.ReadFile("/proc/self/status"); err == nil {
		if _, rest, ok := bytes.Cut(b, []byte("\nVmHWM:")); ok {
			line, _, _ := bytes.Cut(rest, []byte("\n"))
			if kb, err := strconv.ParseUint(string(bytes.TrimSpace(bytes.TrimSuffix(line, []byte("kB")))), 10, 64); err == nil {
				return kb << 10
			}
		}
	}
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return uint64(u.Maxrss) << 10
}
