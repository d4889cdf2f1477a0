package tidemill

// Feature turns a change into numbers and remembers what it must. Learning happens in one goroutine; Append runs beside
// other Appends (REST), never beside Update; beside Bind where the feature Folds nothing.
type Feature interface {
	// Describe is the settings in one canonical line without secrets: a checkpoint is refused where it is another. It
	// names whatever changes results.
	Describe() string
	// Columns is fixed for life: the dense columns that Append adds, and whether it adds sparse terms.
	Columns() (dense []FeatureColumn, terms bool)
	// Folds names the tables whose changes Update folds in, as the flow names them: what Append gives then hangs on
	// what came before. Where there is none, Update does nothing and Append reads nothing but the row.
	Folds() []string
	// Needs is the columns of a table that the feature reads in a role, and whether Update must have Before: a change
	// that comes without it then stops the flow.
	Needs(t *Table, role Role) (columns []string, before bool)
	// Bind resolves columns by name for a table whose changes Append or Update will see; before the first such change
	// and again when the schema changed. An error (a column is gone or has no usable type) stops the flow. Tables that
	// the feature does not read are no error.
	Bind(t *Table, role Role) error
	// Update folds one change in, as of its own time on the flow's clock, in microseconds since 1970.
	Update(c *Change, at int64)
	// Append adds the dense numbers of Columns for c's row, and terms: a pure read, as of just before c, whose time is
	// at. NaN is unknown. An error rejects the row (an image of the wrong size, bytes that are no number).
	Append(dst *Vector, c *Change, at int64) error
	State
}

// Role says why a table is bound to a feature.
type Role uint8

// The roles: Asks tables are those whose rows Append sees; Folds tables are those whose changes Update sees.
const (
	Asks Role = iota
	Folds
)

// Pictured is an upgrade of Feature for those that read an image.
type Pictured interface {
	// Picture is the column that holds the image, and its form.
	Picture() Picture
	// Pixels is the picture of a row as Width*Height bytes, 0 black to 255 white.
	Pixels(dst []byte, c *Change) ([]byte, error)
}

// Picture is an image column.
type Picture struct {
	Column        string
	Width, Height int
	Holds         string // pixels (grey bytes), file (PNG or JPEG) or path (of such a file)
	Inverted      bool   // the feature swaps black and white of what is in the file
}

// Viewer is an upgrade of Feature for those with a memory. View is the feature as it is now, for Append alone: the same
// numbers, to the bit, whatever Update and Bind do to the feature afterwards, and safe beside them. It copies size
// bytes at most, and is nil where that would be more than most. old is nil, or an earlier view that nobody reads any
// more, whose memory may be used again. The engine's goroutine calls it, between changes.
type Viewer interface {
	View(old Feature, most int) (view Feature, size int)
}

// Encoder prepares vectors on the model's side and learns beside the model: at an answer an unsupervised encoder Learns
// then Applies, a supervised one Applies then Learns; Predict only Applies. Apply is a pure read beside other reads.
type Encoder interface {
	// Describe is the settings in one canonical line: a checkpoint is refused where it is another.
	Describe() string
	// Bind is called once with what comes in; it returns what goes out, and leaves in's memory alone.
	Bind(in Input) (out Input, err error)
	// Supervised is true for those that look at the answer (target encoding).
	Supervised() bool
	// Learn sees the incoming vector and the answer (class index or value; empty where the task has none).
	Learn(x *Vector, y []float64)
	// Apply overwrites dst with the encoded x; dst and x are different.
	Apply(dst, x *Vector)
	// New is an unlearned, unbound encoder of the same settings.
	New() Encoder
	State
}
