//go:build !linux

package store

// volatile is known on Linux only.
func volatile(string) string { return "" }
