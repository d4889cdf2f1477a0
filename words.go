package tidemill

import "context"

// System is an upgrade of the config of a source's kind: what programs say of its system to people, and what a first
// flow is written from. Any goroutine may call it.
type System interface {
	Words() Words
	// Open looks at a place of the system. table names one table; "" opens all that a flow could read. Nothing is changed
	// there. What only another name mends is a *UsageError.
	Open(ctx context.Context, place, table string) (Place, error)
	// Outside reports whether an error, or what it wraps, is the system's own: it is down, refuses, or is not set up.
	Outside(err error) bool
}

// Words are what people read of a system. A place is a URL where Schemes is not empty, else a file that is told by how
// it begins (Begin) or by the end of its name (Ends).
type Words struct {
	Schemes []string // "postgres", "postgresql"
	Begin   string   // the first bytes of its files
	Ends    []string // of its files' names: ".db"

	Usage   string // in a usage line: "file.db"
	Example string // in an example: "shop.db"
	One     string // "a SQLite file"; of URLs how one is written
	Many    string // "SQLite files"; of URLs how one is written
	Full    string // of URLs, with all that one can hold
}

// Place is a database or a file that is open to be looked at. One goroutine uses it.
type Place interface {
	String() string // for people, without secrets
	Tables() []*Table
	// Sample looks at some of a table's rows, at most so many.
	Sample(ctx context.Context, t *Table, rows int) (*Sample, error)
	// Setup is what a flow of the table says of the system; id is the column that tells rows apart, where there is no key.
	Setup(t *Table, id string) Setup
	Close() error
}

// Sample is what some rows of a table show.
type Sample struct {
	Rows    int            // looked at
	Keyless bool           // nothing tells them apart: the flow needs a column that does
	Columns []ColumnSample // as the table's
}

// ColumnSample is what the values of a column show.
type ColumnSample struct {
	Kind            Kind // the table's, or what the values show
	Nulls, Distinct int
	Bytes           int    // of a byte string, where all have the same length
	Unix            string // how a number counts from 1970, where it is a time: s or ms
	Odd             string // why it is no feature
	Refers          bool   // to rows of another table
	Width, Height   int    // of a picture, where the bytes are PNG or JPEG files
}

// Setup is what a flow file says of a system: the mappings under source and sinks, and comments.
type Setup struct {
	Flow       string // a name for the flow
	Table      string // as the flow names it
	Source     []Setting
	SourceNote string // beside it
	Sink       []Setting
	SinkNote   string   // above it
	KeyNotes   []string // where nothing, or a column only, tells rows apart
	Hint       string   // what to do before the first run
}

// Setting is one key of a mapping with one of: a text, a word that YAML takes as it is, a list, a variable's name.
type Setting struct {
	Key, Text, Word string
	List            []string
	Env             string
}

// Mender is an upgrade of Source: how a table is given what a flow needs of it, by a statement of the system or by a
// setting of the source.
type Mender interface {
	MendKey(t *Table) (statement string)
	MendBefore(t *Table) (statement, setting string) // so that an UPDATE brings the row as it was
}

// UsageError is an error that another name or another word on the command line mends.
type UsageError struct{ Err error }

// Error is the text.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap is the error itself.
func (e *UsageError) Unwrap() error { return e.Err }
