package file

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockedByte is far beyond what the sidecar holds: a lock on Windows keeps others from reading what it covers.
const lockedByte = 1 << 30

// lockFile takes f for this process; false when another has it.
func lockFile(f *os.File) (bool, error) {
	at := &windows.Overlapped{Offset: lockedByte}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

func unlockFile(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{Offset: lockedByte})
}

// syncFolder does nothing: NTFS writes the names to its own log.
func syncFolder(string) error { return nil }
