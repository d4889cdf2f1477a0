//go:build !unix

package sqlite

import (
	"io/fs"
	"os"
)

// mayWrite looks at the mode bits, which is all that can be seen without opening the file.
func mayWrite(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Mode().Perm()&0o200 == 0 {
		err = &os.PathError{Op: "write", Path: path, Err: fs.ErrPermission}
	}
	return err
}
