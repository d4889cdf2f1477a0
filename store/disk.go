package store

import "io"

// disk is the file system as this room uses it: the seam at which a test fails the n-th fsync or cuts the power, and
// under which Memory keeps everything in the process. Missing files are fs.ErrNotExist, files that are in the way
// fs.ErrExist.
type disk interface {
	mkdir(dir string) error           // with its parents; durable
	create(path string) (file, error) // a new file to write; never one that is there
	open(path string) (reader, error)
	list(dir string) ([]string, error) // the names, sorted; none where the folder is missing
	rename(from, to string) error      // replaces to, where to is a file
	remove(path string) error          // one file
	sync(dir string) error             // makes the names in dir durable
	// lock takes path for this process until unlock or its death. While another has it, holder
	// says who, as far as is known.
	lock(path string) (unlock func() error, holder string, err error)
}

type file interface {
	io.Writer
	Sync() error
	Close() error
}

type reader interface {
	io.ReaderAt
	io.Closer
	Size() (int64, error)
}
