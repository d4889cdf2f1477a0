package tidemill

// Transform reshapes a change into none, one or several. It is pure: the same change gives the same changes on every
// replay. Apply is called from one goroutine; Shape may be called beside it.
type Transform interface {
	// Describe is its settings in one canonical line without secrets. A flow whose transforms were edited does not go on.
	Describer
	// Shape is the tables that leave it of a table that comes in, for check and for tasks: t itself where it passes
	// untouched. An error says what is wrong with the settings for this table.
	Shape(t *Table) ([]*Table, error)
	// Apply appends what becomes of c. It may keep c's values; it must not change them in place. The engine numbers what
	// leaves the whole chain (Sub). An error rejects the row and names no value that a later transform would mask.
	Apply(dst []Change, c *Change) ([]Change, error)
}
