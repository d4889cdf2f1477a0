package tidemill

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"
	"time"
)

// Op is what happened. The values are bits, so that On.Op can name several: Insert|Update.
type Op uint16

// The operations.
const (
	Read           Op = 1 << iota // a snapshot row
	Insert                        // a row came
	Update                        // a row changed
	Delete                        // a row went; After is nil
	Truncate                      // all rows of the table went; Before and After are nil
	LogicalMessage                // what an application wrote into the log itself
	Control                       // a decision that does not come from the source
)

var opNames = [...]string{"read", "insert", "update", "delete", "truncate", "message", "control"}

// String joins the names of the operations with "|".
func (o Op) String() string {
	var s []string
	for i, n := range opNames {
		if o&(1<<i) != 0 {
			s = append(s, n)
		}
	}
	return strings.Join(s, "|")
}

// Flags say what a snapshot row is among its kind.
type Flags uint8

// The flags of snapshot rows.
const (
	First       Flags = 1 << iota // the first row of the snapshot
	FirstOf                       // the first row of its table
	LastOf                        // the last row of its table
	Last                          // the last row of the snapshot
	Incremental                   // read while streaming
)

// dayMicros is a day of the flow's clock.
const dayMicros = int64(24 * time.Hour / time.Microsecond)

// Change is one row's change, as the source's log has it. (Part, Tx.Order, N, Sub) is its identity, the same on every
// replay. Its values live in the batch's memory.
type Change struct {
	Op            Op
	Flags         Flags
	Sub           uint16  // set by the engine after a Transform made several of one
	Part          uint32  // the lane (a Kafka partition); 0 where a source has one
	Table         *Table  // a cache key; only another Table.Sum says that the schema changed
	Before, After []Value // by Table.Columns; nil where there is none
	Tx            *Tx     // shared by the changes of one transaction
	N             uint64  // ordinal in the transaction
	At            uint64  // the event's own log position
}

// Tx is the transaction of a change.
type Tx struct {
	Order  uint64    // commit order; snapshot rows take it from their watermark
	ID     string    // as the source prints it
	Commit time.Time // commit time at the source; zero where it tells none, as a file
	Read   time.Time // when it was read, where Commit is zero; the engine sets it
	Origin string    // the replication origin that signed it, if any
	Meta   []Attr    // what a wire format needs beyond this
}

// Attr is a named text.
type Attr struct{ Name, Value string }

// Column is one column of a table.
type Column struct {
	Name     string
	Kind     Kind   // of the column's non-null values
	Native   string // the type as the source names it
	OID, Mod uint32 // Postgres's type id and modifier; 0 elsewhere
	Nullable bool
	Default  *string
}

// Table is the shape of a table's rows. It is immutable once made; a source makes a new one when the schema changes.
type Table struct {
	Schema, Name string
	Columns      []Column
	Key          []int // indexes of the primary key's columns, in key order; empty if there is none
	Sum          [16]byte
	// KeyOnly says that an UPDATE or a DELETE brings of the row as it was the key at most: Postgres without REPLICA
	// IDENTITY FULL. It is no part of Sum.
	KeyOnly bool
}

// NewTable makes a Table and its Sum.
func NewTable(schema, name string, columns []Column, key []int) *Table {
	t := &Table{Schema: schema, Name: name, Columns: columns, Key: key}
	b := []byte(schema + "\x00" + name + "\x00")
	for _, c := range columns {
		b = append(b, c.Name...)
		b = append(b, 0, byte(c.Kind))
		b = append(b, c.Native...)
		b = append(b, 0)
		b = binary.LittleEndian.AppendUint32(b, c.OID)
		b = binary.LittleEndian.AppendUint32(b, c.Mod)
	}
	for _, k := range key {
		b = binary.LittleEndian.AppendUint32(b, uint32(k))
	}
	sum := sha256.Sum256(b)
	copy(t.Sum[:], sum[:])
	return t
}

// Col is the index of the column named name, or -1.
func (t *Table) Col(name string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// String is "schema.name", or the name where there is no schema.
func (t *Table) String() string {
	if t.Schema == "" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// Is reports whether a flow's word for a table means this one: its name, or "schema.name".
func (t *Table) Is(word string) bool {
	return word == t.Name || (t.Schema != "" && len(word) == len(t.Schema)+1+len(t.Name) &&
		word[:len(t.Schema)] == t.Schema && word[len(t.Schema)] == '.' && word[len(t.Schema)+1:] == t.Name)
}

// Row is After, or Before for a delete: the row that the change is about.
func (c *Change) Row() []Value {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// Latest is the latest time, in microseconds since 1970, that a column of the row can truly tell: a day after the row's
// commit or, where the source tells no commit time, a day after it was read. Where neither is
// known every time can be true.
func (c *Change) Latest() int64 {
	switch {
	case c.Tx == nil:
	case !c.Tx.Commit.IsZero():
		return c.Tx.Commit.UnixMicro() + dayMicros
	case !c.Tx.Read.IsZero():
		return c.Tx.Read.UnixMicro() + dayMicros
	}
	return math.MaxInt64
}

// Position names a place in a source's log, readable by people; it also names the log (system id and timeline, server
// uuid …), so that another log's position is ErrGap and never a silent jump.
type Position string

// Begun is the Position of a flow that started its snapshot and did not finish it: what such a run left at the source
// (a slot, triggers) is this flow's own, is cleared, and the snapshot starts over.
const Begun Position = "begun"

// Batch is changes in commit order, committed ones only; the receiver owns it and all memory that its values point to.
type Batch struct {
	Changes []Change
	// Upto is where to resume after the last change; "" where the source cannot resume there: inside a snapshot, and
	// inside a transaction that was cut into several batches.
	Upto Position
	// Live is true from the batch that ends the snapshot on: every snapshot row is in this batch or before it.
	// A source that starts after a Position sets it on every batch.
	Live bool
	// CaughtUp is true on a batch (it may be empty) after which everything has been yielded that was in the source when
	// Changes was called. `run --once` ends there.
	CaughtUp bool
}
