package store

import (
	"path/filepath"
	"syscall"
)

// volatile says why a checkpoint in dir, or in the nearest parent that exists, may not outlive a power cut; "" if it
// may. The numbers are those of statfs(2).
func volatile(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	var s syscall.Statfs_t
	for syscall.Statfs(dir, &s) != nil {
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
	switch uint32(s.Type) {
	case 0x01021994, 0x858458f6:
		return "is in memory (tmpfs): checkpoints are lost with the machine"
	case 0x6969, 0xff534d42, 0xfe534d42, 0x517b:
		return "is on a network file system: its lock may not keep a second machine out"
	}
	return ""
}
