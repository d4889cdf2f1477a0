//go:build !linux

package postgres

// breathe does nothing where the system's finest pause is not known.
func breathe() {}
