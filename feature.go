package tidemill

// Feature turns a change into numbers and remembers what it must. Learning happens in one goroutine; Append runs beside
// other Appends (REST), never beside Update or Bind.
type Feature interface {
	// Columns is fixed for life: how many dense columns Append adds, and what they are.
	Columns() []FeatureColumn
	// Bind resolves columns by name for a table whose changes Append or Update will see; before the first such change
	// and again when the schema changed. An error (a column is gone or has no usable type) stops the flow. Tables that
	// the feature does not read are no error.
	Bind(t *Table, role Role) error
	// Update folds one change in. Features without memory do nothing.
	Update(c *Change)
	// Append adds len(Columns()) dense numbers for c's row, and terms: a pure read, as of just before c. NaN is unknown.
	// An error rejects the row (an image of the wrong size, bytes that are no number).
	Append(dst *Vector, c *Change) error
	State
}

// Role says why a table is bound to a feature.
type Role uint8

// The roles: Asks tables are those whose rows Append sees; Folds tables are those whose changes Update sees.
const (
	Asks Role = iota
	Folds
)

// Needer is an upgrade of Feature: the columns of a table that it reads, and whether Update must have Before: a change that
// comes without it then stops the flow. Needs(nil) is what Append reads of the row that asks.
type Needer interface {
	Needs(t *Table) (columns []string, before bool)
}

// Timed is an upgrade of Feature for those that live on the flow's clock (windows): the engine calls
// UpdateAt and AppendAt instead of Update and Append, with the change's own time in microseconds.
type Timed interface {
	UpdateAt(c *Change, at int64)
	AppendAt(dst *Vector, c *Change, at int64) error
}

// Pictured is an upgrade of Feature: the column that holds a grey image, and its size.
type Pictured interface {
	Picture() (column string, width, height int)
	// Pixels is the picture of a row as width*height bytes, 0 black to 255 white.
	Pixels(dst []byte, c *Change) ([]byte, error)
}

// Memoryless is an upgrade of Feature for those without state: Append reads nothing but the row, and is safe beside Bind.
// Predictions of a task whose features are all Memoryless or a Viewer need not wait while the flow learns.
type Memoryless interface{ Memoryless() }

// Viewer is an upgrade of Feature for those with a memory. View is the feature as it is now, for Append alone: the same
// numbers, to the bit, whatever Update and Bind do to the feature afterwards, and safe beside them. It copies size bytes at
// most, and is nil where that would be more than most. old is nil, or an earlier view that nobody reads any more, whose
// memory may be used again. The engine's goroutine calls it, between changes.
type Viewer interface {
	View(old Feature, most int) (view Feature, size int)
}

// Filed is an upgrade of Pictured for columns that do not hold the grey bytes themselves: Files says whether they hold
// picture files (PNG or JPEG) or the paths of such files, and whether the feature swaps black and white.
type Filed interface {
	Files() (paths, inverted bool)
}

// Encoder prepares vectors on the model's side and learns beside the model: at an answer an unsupervised encoder Learns
// then Applies, a Supervised one Applies then Learns; Predict only Applies. Apply is a pure read beside other reads.
type Encoder interface {
	// Bind is called once with the columns that come in; it returns the columns that go out.
	Bind(in []FeatureColumn) (out []FeatureColumn, err error)
	// Learn sees the incoming vector and the answer (class index or value; empty where the task has none).
	Learn(x *Vector, y []float64)
	// Apply overwrites dst with the encoded x; dst and x are different.
	Apply(dst, x *Vector)
	// New is an unlearned, unbound encoder of the same settings.
	New() Encoder
	State
}

// Refuser is an upgrade of Encoder: how many values it has left out because its bound was reached.
type Refuser interface{ Refused() uint64 }

// Misser is an upgrade of Feature: how many values came too late for any window.
type Misser interface{ Missed() uint64 }

// Termer is an upgrade of Feature and Encoder: whether vectors carry Terms behind it, given whether they do before it. One
// that does not say so passes on what comes. An encoder is asked after Bind.
type Termer interface{ Terms(before bool) bool }

// Skipper is an upgrade of Feature: how many rows it has left out of its memory because it cannot use their value or time.
type Skipper interface{ Skipped() uint64 }

// Supervised is an upgrade of Encoder: true for those that look at the answer (target encoding).
type Supervised interface{ Supervised() bool }
