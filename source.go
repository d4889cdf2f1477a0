package tidemill

import (
	"context"
	"iter"
)

// Source reads a database's log. One flow owns it. The engine calls Changes from one goroutine and Release from
// another, also while Changes runs and between its runs.
type Source interface {
	// Changes yields the snapshot and then the stream when after is "" or Begun, else the stream after that position.
	// Its lifetime is the loop: it opens what it needs and closes it on return; it ends when ctx is cancelled (yielding
	// ctx's error or nothing). With "" whatever a former run left (a slot of our name) belongs to somebody else: an
	// error; with Begun it is ours and is cleared. While the consumer is slow it goes on answering its server. An empty
	// Batch with Upto is a heartbeat. After an error the engine waits, calls Changes again with the last Upto it has
	// seen, and skips the identities that it has. An error that waiting cannot mend is wrapped by Fatal; a position that
	// the source can no longer serve is ErrGap (fatal too).
	Changes(ctx context.Context, after Position) iter.Seq2[Batch, error]
	// Release says that everything up to upto is durable here: the source may forget it. Monotone.
	Release(ctx context.Context, upto Position) error
}

// Locator is an upgrade of Source: the place of one change as people know it ("0/16B3748").
type Locator interface{ Locate(c *Change) string }

// Dropper is an upgrade of Source: remove all that the source made at the server (slot, publication, triggers).
type Dropper interface {
	Drop(ctx context.Context) (done []string, err error)
	// Left says what stays there after a stop, and what that costs: a sentence without its point.
	Left() string
}

// Checker is an upgrade of Source, Sink and Store: look at the outside world without changing it.
type Checker interface {
	Check(ctx context.Context) []Finding
}

// Describer is part of Transform, and an upgrade of Source, Sink, Store and Format: the settings in one canonical line
// without secrets. The engine fingerprints sources and transforms by it, so it names whatever changes results.
type Describer interface{ Describe() string }

// TableLister is an upgrade of Source: the tables as they are now, read from the database. check and init use it.
type TableLister interface {
	Tables(ctx context.Context) ([]*Table, error)
}

// Finding is one thing that a check found.
type Finding struct {
	Path  string `json:"path"`           // where in the flow: "source.postgres"
	Level string `json:"level"`          // "ok", "warning" or "error"
	Text  string `json:"text"`           // what was found
	Mend  string `json:"mend,omitempty"` // what to do: a statement, a setting
}

// Namer is an upgrade of Source and Sink: the database tables that it reads or writes, as
// "system://host/db/schema.table" in a form that is equal for equal tables. The engine refuses a flow that
// would capture what it writes.
type Namer interface{ TableNames() []string }

// Counter is an upgrade of Source: how much there is to read, for people who wait.
type Counter interface {
	// Count is about how many rows the snapshot will have and, where the stream has an end, how many changes it will
	// have; 0 where that is not known. It runs beside Changes and must not slow it down much.
	Count(ctx context.Context) (snapshot, stream uint64, err error)
}

// Retainer is an upgrade of Source: how much of its log the server keeps because this flow has not released it yet. A
// flow that stops for good goes on holding it; people are told before a disk is full.
type Retainer interface {
	// Retained is that size in bytes. It runs beside Changes, each quarter of a minute, and must not slow it down.
	Retained(ctx context.Context) (bytes uint64, err error)
}

// Finder is an upgrade of Source: it looks rows up as they are now, for reports.
type Finder interface {
	// Find is a column's value by the row's id, which is the text of a primary key of one column. What is not there is
	// left out; where the key is not one column, all of it.
	Find(ctx context.Context, table, column string, ids []string) (map[string]Value, error)
}
