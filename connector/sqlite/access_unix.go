//go:build unix

package sqlite

import (
	"os"

	"golang.org/x/sys/unix"
)

// mayWrite asks the system whether this user may write to path.
func mayWrite(path string) error {
	if err := unix.Access(path, unix.W_OK); err != nil {
		return &os.PathError{Op: "write", Path: path, Err: err}
	}
	return nil
}
