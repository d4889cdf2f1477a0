//go:build !unix

package serve

// descriptors is more than any test needs: there is no such limit.
func descriptors() int { return 1 << 20 }
