package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockedByte is far beyond what a lock file holds: a lock on Windows keeps others from reading what it covers.
const lockedByte = 1 << 30

// Lock takes f for this process; false when another process, or another open file of this one, has it. It does not
// wait, and ends with the process. See LockFileEx.
func Lock(f *os.File) (bool, error) {
	at := &windows.Overlapped{Offset: lockedByte}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|
		windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// Unlock gives up what Lock took.
func Unlock(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{Offset: lockedByte})
}

// SyncFolder does nothing: NTFS writes the names to its own log, and Windows knows no fsync of a folder.
func SyncFolder(string) error { return nil }
