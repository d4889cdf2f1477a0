// Package store keeps checkpoints and segments: Dir in a folder of the local disk, Memory in the process.
//
// # The folder
//
//	state/
//	  lock                     held by the process that runs the flow; says which one
//	  term                     the highest term that was ever given out, one decimal number
//	  current/
//	    checkpoint-000003-000000000041
//	    checkpoint-000003-000000000042
//	    segments/
//	      journal-3-1
//	  set-aside-1/             what was current before the first fresh start
//
// A checkpoint is one file; docs/formats/checkpoint.md describes every byte of it. It is written under a temporary
// name, made durable, renamed, and the folder is made durable: after a crash at any moment there is the old one or the
// new one, whole. The two newest stay, so that damage to the newest still leaves one to resume from. Files are readable
// by their owner only, since they hold what the flow has seen; connection strings and passwords are never among it.
//
// # Errors
//
// A file on which a write, an fsync or a close has failed is dead: it is removed and the next Save starts a new one
// from memory. fsync is never tried again on it, since after a failed one the operating system may have dropped the
// pages and answer the second one with success.
//
// A damaged checkpoint is never read as "there is none": List says of each broken file what is wrong, and a caller that
// finds broken ones and no whole one has to stop. A checkpoint of a newer version of the program is ErrNewer, and
// nothing in the folder is removed or written beside it until it has been set aside.
//
// # Crossing processes
//
// The lock is flock (LockFileEx on Windows): the operating system gives it back when its holder dies. Where it does not
// hold, on some network file systems, the term does: Save reads the term file first and stops with ErrFenced when
// another process has taken a higher one.
package store
