// Package sqlite reads the changes of a SQLite database file from a log that triggers write, and writes predictions to
// one.
package sqlite
