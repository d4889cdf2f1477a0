package tidemill

// Transform reshapes a change into none, one or several. It is pure and called from one goroutine. It may keep c's
// values; it must not change them in place.
type Transform interface {
	Apply(dst []Change, c *Change) ([]Change, error)
}
