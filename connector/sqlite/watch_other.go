//go:build !linux

package sqlite

// watchFile is not notified of writes here: the log is looked at every few milliseconds, every 100 when nothing comes.
func watchFile(string) (<-chan struct{}, func()) { return nil, nil }
