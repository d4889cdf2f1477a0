//go:build !linux

package main

import "runtime"

// peakRSS is the memory that the program has taken from the system, in bytes: what of it was resident is not told here.
func peakRSS() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}
