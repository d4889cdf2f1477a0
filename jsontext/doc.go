// Package jsontext writes and scans JSON (RFC 8259) without reflection and without an allocation per value. It is the
// one place of this module where a text is escaped, a number printed and a value of a row written; formats, sinks and
// the server call it. Its writers append to a buffer of the caller, its scanners find where a token ends in a text or
// in bytes and share their memory. All of it is pure: any number of goroutines may call it.
package jsontext
