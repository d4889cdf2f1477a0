//go:build !unix

package demo

import "runtime"

// peakRSS is the memory taken from the system, in bytes: the resident peak is not told here.
func peakRSS() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}
