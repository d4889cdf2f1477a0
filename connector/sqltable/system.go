package sqltable

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemill/tidemill"
)

// System is a connection to one SQL database, as Sink uses it: from one goroutine, one call at a time. Its errors
// are ready for people, and fatal where waiting does not mend them.
type System interface {
	// Open connects; a connection that is open stays.
	Open(ctx context.Context) error
	// IsOpen reports whether a connection is there that is not known to be broken.
	IsOpen() bool
	// CreateTables makes the table and the marks where they are missing, and refuses tables of another shape.
	CreateTables(ctx context.Context) error
	// Prepare readies the statements of Write on a connection that was opened.
	Prepare(ctx context.Context) error
	// HasMarks reports whether the table of the marks is there.
	HasMarks(ctx context.Context) (bool, error)
	// Transact runs f in a transaction that is durable when it returns, if a later one of Write is. An error of f
	// undoes it, and f may run again.
	Transact(ctx context.Context, f func() error) error
	// Query runs one statement, calls row for each of its rows with the columns as text, and says how many rows it
	// changed. Parameters are string or uint64.
	Query(ctx context.Context, statement string, row func(columns []string) error, params ...any) (changed int, err error)
	// Write commits the batch's rows and its mark in one transaction, and says whether that is durable. The error is
	// ErrMarkTaken where Statements.SetMark finds no mark, a Refusal where the table does not take a row; else it is
	// tried again.
	Write(ctx context.Context, b *Batch) (durable bool, err error)
	// Close drops the connection, if there is one.
	Close() error
}

// ErrMarkTaken is what Write gives when a higher term has the mark, or nobody has one.
var ErrMarkTaken = errors.New("the mark belongs to another run")

// Refusal is the error of a row that the table, or a trigger of it, does not take, however often it is tried.
type Refusal struct {
	Output *tidemill.Output // nil: one of the batch
	Err    error
}

// Error is the system's own.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap gives the system's own error.
func (r *Refusal) Unwrap() error { return r.Err }

// refused names the row that is refused, or lets another error pass.
func refused(where string, o *tidemill.Output, err error) error {
	what := "the mark"
	if o != nil {
		switch o.Kind {
		case tidemill.Predicted, tidemill.Truth:
			what = fmt.Sprintf("the row of task %s, id %s", o.Task, o.ID)
		case tidemill.Retracted:
			what = fmt.Sprintf("the row of task %s, id %s, as id %s", o.Task, o.ID, o.NewID)
		}
	}
	return tidemill.Fatalf("%s: the table does not take %s: %w; "+
		"change the column, constraint or trigger that refuses it, then start again", where, what, err)
}
