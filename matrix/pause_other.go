//go:build purego || !(amd64 || arm64)

package matrix

import "runtime"

func pause(int) { runtime.Gosched() }
