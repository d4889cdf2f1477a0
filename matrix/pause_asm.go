//go:build !purego && (amd64 || arm64)

package matrix

// pause keeps a spinning core quiet for n turns.
//
//go:noescape
func pause(n int)
