//go:build !linux

package main

// peakRSS is the most memory that the process has held, in bytes; 0 where the system does not tell.
func peakRSS() uint64 { return 0 }
