package tidemill

import (
	"errors"
	"fmt"
	"time"
)

// Sentinels, found with errors.Is.
var (
	// ErrGap: the source can no longer serve the position that the flow must resume from. Never resumed from now instead.
	ErrGap = errors.New("the source cannot serve the position")
	// ErrFenced: another writer with a higher term has taken the sink or the store.
	ErrFenced = errors.New("another run with a higher term has taken over")
	// ErrUnknownMark: a sink holds a mark that no checkpoint of this flow knows.
	ErrUnknownMark = errors.New("the sink holds rows of a run that this state folder does not know")
	// ErrLocked: another process has the store.
	ErrLocked = errors.New("locked by another process")
	// ErrChanged: the flow was edited in a part whose state it would invalidate.
	ErrChanged = errors.New("the flow was changed")
	// ErrNewer: written by a newer version of the program.
	ErrNewer = errors.New("written by a newer version")
	// ErrNotReady: the model has learned nothing yet.
	ErrNotReady = errors.New("the model has learned nothing yet")
	// ErrUnknownTask: no task has this name.
	ErrUnknownTask = errors.New("no such task")
)

// RowError says why one row cannot be used.
type RowError struct {
	Table, ID, Column, Reason string
}

// Error names table, id and column.
func (e *RowError) Error() string {
	s := "row"
	if e.Table != "" {
		s = e.Table + " row"
	}
	if e.ID != "" {
		s += " " + e.ID
	}
	if e.Column != "" {
		s += ", column " + e.Column
	}
	return s + ": " + e.Reason
}

type fatalError struct{ err error }

func (f fatalError) Error() string { return f.err.Error() }
func (f fatalError) Unwrap() error { return f.err }

// Fatal marks an error that waiting cannot mend: the flow stops instead of trying again.
func Fatal(err error) error { return fatalError{err} }

// Fatalf is Fatal of fmt.Errorf.
func Fatalf(format string, a ...any) error { return fatalError{fmt.Errorf(format, a...)} }

// RetryError is an error that waiting may mend, with what is known about the wait. A sink or a source returns it in
// place of Err; any other error that is not fatal is tried again too, by the engine's own back-off.
type RetryError struct {
	Err error
	// After is how long the other side asks us to wait; 0 where it does not say. Whoever makes the error bounds it.
	After time.Duration
	// Progress says that something was done since the error before: the back-off begins anew.
	Progress bool
	// Quiet says that it is too early to tell anybody: the engine tries again without a word.
	Quiet bool
}

// Error is the text of Err.
func (e *RetryError) Error() string { return e.Err.Error() }

// Unwrap is Err.
func (e *RetryError) Unwrap() error { return e.Err }

// IsFatal reports whether err, or what it wraps, is fatal.
func IsFatal(err error) bool {
	var f fatalError
	return errors.As(err, &f) || errors.Is(err, ErrGap) || errors.Is(err, ErrFenced) || errors.Is(err, ErrUnknownMark) ||
		errors.Is(err, ErrChanged) || errors.Is(err, ErrNewer)
}
