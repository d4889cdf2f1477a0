// Package sqlite reads the changes of a SQLite database file from a log that triggers write, and writes predictions to
// one. It is SQLite itself in Go (modernc.org/sqlite): no C compiler, no server.
//
// # The source
//
// [Source] captures tables of one file, whoever writes to them: this process or others, any SQLite since 3.6.19, in any
// language. In one short write transaction it makes three tables, named after the log, and three triggers per table:
//
//	tidemill_log         one row per change: seq, what happened, when, and the values as they are
//	tidemill_log_shapes  the log's random id, and the columns of each table as the rows of the log hold them
//	tidemill_log_gone    empty but for the moment of a write; see REPLACE below
//
// A trigger writes its log row in the writer's own transaction: what is rolled back was never there, what is committed
// is logged. SQLite has one writer at a time, so seq is the order of commits over all captured tables. The numbers have
// no holes, and a missing one is noticed. Every value keeps its storage class: NULL, INTEGER, REAL with its infinities,
// TEXT, BLOB. An update logs the row as it is and as it was (before: full); of long columns, TEXT and BLOB, the old
// value only if it changed, so that a picture is not written twice because its label came.
//
// A change's identity is its seq: SQLite tells a trigger nothing of transactions, so each change is a Tx of its own,
// whose commit time is the time of its statement, in milliseconds. A Position reads "sqlite:<log id> seq=<n> at=<ms>".
//
// The snapshot is read in one read transaction, which also says after which log row the stream begins. In WAL mode it
// keeps no writer waiting; the WAL grows meanwhile. With a rollback journal a reader would keep every writer from
// committing, so the file is copied to the temporary folder first, and read there. The journal mode is never changed:
// check recommends PRAGMA journal_mode=WAL, with which reading and writing never wait for each other.
//
// The stream sleeps until the system tells that the file or its WAL was written to (inotify on Linux; elsewhere it
// looks every 5 to 100 ms), and holds no transaction while the flow works on a batch. Release deletes log rows in
// portions of some milliseconds; the newest always stays. The file does not shrink, SQLite uses its free pages again.
//
// A Position that the log does not go through is ErrGap: a log made anew, an older copy of the file, a copy that went
// another way, rows that somebody deleted. A writer with synchronous below FULL may lose its last commits in a power
// cut; if the flow's checkpoint has them already, that is ErrGap too.
//
// # Schema changes
//
// ADD COLUMN and RENAME COLUMN are followed: the triggers are made again, and changes go on with another Table. Rows
// that were written between an ADD COLUMN and the new triggers come once more as an update, in which the old values of
// the new columns are unknown. A column that a trigger logs cannot be dropped: ALTER TABLE DROP COLUMN fails and names
// the trigger; run "tidemill source drop", alter, and run with --fresh. A table that was renamed or dropped stops the
// flow; one that was dropped and made anew, without its triggers, is ErrGap. Recipes that make a table anew and then
// make its triggers again, in one transaction, are fine.
//
// # What to know
//
//   - A table without a primary key has its rowid as key, an additional last column; VACUUM may change rowids.
//   - REPLACE (INSERT OR REPLACE, ON CONFLICT REPLACE) deletes the rows in its way without firing triggers. Over the
//     same key the insert stands for both: it is an upsert. Rows in the way of another unique index come as deletes
//     whose Before is the key alone. Not seen: rows in the way of a unique index over an expression, and a REPLACE that
//     names the rowid of a table whose primary key is something else.
//   - SQLite fires the newest trigger first. Ours must come before those that change the row again, and are made again
//     when a newer one is found; what happened in between may come in the wrong order.
//   - A connection that has switched triggers off, restores a backup or edits the file as bytes is not captured; a
//     restore while the flow runs is noticed.
//   - A boolean is an INTEGER, a date mostly TEXT: the column's Kind is what its declared type promises, each Value
//     says what it is. A column of no type has the Kind unknown.
//   - DELETE without WHERE comes as a delete of every row; cascades of foreign keys come as changes of their own.
//   - Do not open and close the file as a plain file inside the same process: by the rules of POSIX that drops the
//     locks that SQLite holds on it. Never move a file over one that is in use.
//
// # The sink
//
// [Sink] keeps one row per question in a table, made if it is not there:
//
//	predictions(task, id, prediction, score, probabilities, model_version, asked_at, position, truth, answered_at,
//	            PRIMARY KEY (task, id))
//
// A new question of an id replaces the old one, its truth included. probabilities is JSON, an object by class. Times
// are text of one length in UTC, 2026-03-04T05:06:07.089000Z, which sorts and which SQLite's date functions read. Rows
// and the mark (table tidemill_marks) commit in one transaction, of 4,096 outputs at most, and are visible at once. In
// a flood, 256 outputs or more in one write, the next write begins 20 ms after that. Where a truth comes in the same
// transaction as its prediction, the row is written once, with both; a table with triggers is written step by step, so
// that they see a prediction first and its truth later. In WAL mode a commit is not synced; Flush syncs the WAL, so the
// checkpoint that follows is never ahead of the rows. With a rollback journal every commit is synced. A file that the
// sink makes is in WAL mode; another keeps the mode that it has.
//
// Source and sink may share one file with each other and with writers of their own. Locks are waited for up to 30
// seconds; then the engine tries again.
package sqlite
