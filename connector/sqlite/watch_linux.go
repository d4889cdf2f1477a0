package sqlite

import (
	"encoding/binary"
	"os"

	"golang.org/x/sys/unix"
)

// watchFile reports writes to the database file and to its WAL by inotify. A nil channel means that the system
// cannot.
func watchFile(path string) (<-chan struct{}, func()) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, nil
	}
	f := os.NewFile(uintptr(fd), "inotify")
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_MODIFY); err != nil {
		f.Close()
		return nil, nil
	}
	wake, quit := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(wake)
		buf := make([]byte, 4096)
		have := false
		for {
			if !have {
				// The WAL comes and goes with the journal mode; whoever begins one writes to the database file too.
				_, err := unix.InotifyAddWatch(fd, path+"-wal", unix.IN_MODIFY)
				have = err == nil
			}
			n, err := f.Read(buf)
			if err != nil {
				return
			}
			for e := buf[:n]; len(e) >= unix.SizeofInotifyEvent; {
				if binary.NativeEndian.Uint32(e[4:])&unix.IN_IGNORED != 0 {
					have = false
				}
				e = e[min(len(e), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(e[12:]))):]
			}
			// Nothing is read before somebody waits: the system merges what it reports meanwhile, and wakes nobody for it.
			select {
			case wake <- struct{}{}:
			case <-quit:
				return
			}
		}
	}()
	return wake, func() {
		close(quit)
		f.Close()
		for range wake { // until the goroutine has let go of the descriptor
		}
	}
}
