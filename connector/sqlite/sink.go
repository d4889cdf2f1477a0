package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqltable"
)

// quoting is SQLite's.
const quoting = sqltable.Standard

// Predictions is the sink: one row per question in a table of a database file. One goroutine calls it.
type Predictions struct {
	*sqltable.Sink
	table *table
}

// Sink writes predictions to the table of the database file at path. File and table are made if they are not there.
func Sink(path, name string) *Predictions {
	p := &Predictions{table: &table{path: path, name: name, truth: true}}
	p.make()
	return p
}

// WithoutTruth leaves the truth of a prediction out of its row.
func (p *Predictions) WithoutTruth() *Predictions {
	p.table.truth = false
	p.make()
	return p
}

// make makes the sink that the settings say.
func (p *Predictions) make() {
	t := p.table
	d := dialect()
	t.statements = d.Statements("main."+quoting.Name(t.name), "main."+sqltable.MarksTable, t.truth)
	p.Sink = sqltable.New(sqltable.Config{System: t, Reader: t.reader, Dialect: d, Statements: t.statements,
		Where: fmt.Sprintf("sqlite: %s: table %s", t.path, t.name),
		// SQLite folds the case of a table's name.
		Table: strings.ToLower(t.name), Marks: sqltable.MarksTable, Truth: t.truth, Chunk: writeChunk})
}

// dialect is SQLite's. Another process may hold the file, but none can die with what was committed to it.
func dialect() sqltable.Dialect {
	return sqltable.Dialect{Quoting: quoting, TableEnd: " WITHOUT ROWID", MarksColumn: "target",
		Types: sqltable.Types{Key: "TEXT", Text: "TEXT", Number: "REAL", JSON: "TEXT", Time: "TEXT", Count: "INTEGER"}}
}

var (
	_ tidemill.Sink      = (*Predictions)(nil)
	_ tidemill.Checker   = (*Predictions)(nil)
	_ tidemill.Describer = (*Predictions)(nil)
	_ tidemill.Namer     = (*Predictions)(nil)
	_ tidemill.Gatherer  = (*Predictions)(nil)
)

// Describe names the file, the table and whether the truth is told.
func (p *Predictions) Describe() string {
	return fmt.Sprintf("sqlite path=%s table=%s truth=%t", strconv.Quote(p.table.path), p.table.name, p.table.truth)
}

// TableNames are the two tables that it writes.
func (p *Predictions) TableNames() []string {
	return []string{tableURL(p.table.path, p.table.name), tableURL(p.table.path, sqltable.MarksTable)}
}

// writeChunk is how many outputs one transaction takes at most, so that other writers of the file get their turn.
const writeChunk = 4096

// In a flood, writes of floodOutputs and more, transactions begin floodWait apart: neighbouring rows and truths
// share them, pages are written once instead of several times, and other writers of the file find its lock free.
const (
	floodOutputs = 256
	floodWait    = 20 * time.Millisecond
)

// Gather implements tidemill.Gatherer.
func (p *Predictions) Gather() (flood int, wait time.Duration) { return floodOutputs, floodWait }

// Mark implements tidemill.Sink. A file that is not there holds nothing, and is not made.
func (p *Predictions) Mark(ctx context.Context, flow string) (tidemill.Mark, error) {
	if _, err := os.Stat(p.table.path); errors.Is(err, os.ErrNotExist) {
		return tidemill.Mark{}, p.table.settings()
	}
	return p.Sink.Mark(ctx, flow)
}

// Flush makes all that was written durable. In WAL mode commits are not synced one by one; one small commit with a
// sync makes the WAL durable up to there.
func (p *Predictions) Flush(ctx context.Context) (tidemill.Mark, error) {
	// The connection would go on writing to a file that another one was moved over.
	if now, err := os.Stat(p.table.path); p.table.d != nil && (err != nil || !os.SameFile(now, p.table.file)) {
		err = tidemill.Fatalf("sqlite: %s: the file was replaced or removed while the flow wrote to it", p.table.path)
		return tidemill.Mark{}, err
	}
	return p.Sink.Flush(ctx)
}
