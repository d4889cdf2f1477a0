// Package postgres reads PostgreSQL's own log by logical replication, and writes predictions into a PostgreSQL table.
//
// # Source
//
// Source(url, tables...) needs PostgreSQL 13 or newer with wal_level = logical, a role with REPLICATION and SELECT on
// the tables, and for making the publication the ownership of the tables. It makes a publication for exactly the tables
// and a replication slot (plugin pgoutput), both named tidemill_<flow> unless said otherwise.
//
// The snapshot is read with COPY in the slot's exported snapshot: it and the stream meet without a gap and without an
// overlap. It takes no locks beyond those of a SELECT. The stream then brings committed transactions only, in commit
// order; a large one comes in several batches. A server of version 15 or newer sends a large transaction while it is
// still open, instead of writing it to its disk and reading it again: it waits here until it commits, up to 8 MB in
// memory and the rest in the system's temporary folder, and if there is no room the server keeps such transactions as
// older ones do (Tx.Origin is not known of a transaction that was sent open). Such servers send binary values where a
// table has bytea columns and all types allow it. The slot keeps WAL until Release has said that the flow is durable
// beyond it, also while the flow is stopped: `tidemill source drop` removes slot and publication.
//
// Values: booleans, integers (oid too), real and double precision are Bool, Int and Float; numeric is Decimal; text,
// varchar, char (with its blanks), name, uuid, json, jsonb, xml, enumerations and what else belongs to the string types
// is Text; bytea is Bytes; date, timestamp and timestamptz are Time, a timestamp without time zone being read as UTC;
// time is a Time on 1970-01-01, so that its number is the seconds since midnight. All others (arrays, intervals,
// timetz, ranges, network addresses, …) are Other with the exact text that the type prints, and so are infinite dates
// and timestamps, those beyond the year 294246, and numeric NaN and infinities. Domains are read as their base type.
// Generated columns are not in the log and are left out. Snapshot and stream give the same Value for the same stored
// value.
//
// An update's Before holds the replica identity's columns if they changed, the whole row with REPLICA IDENTITY FULL,
// else nothing. A large value that an update did not touch (TOAST) is Unknown, unless the identity is FULL. Inheritance
// children are tables of their own; a partitioned table is read as a whole under its own name. A table that is renamed,
// or dropped and made anew, stops the flow.
//
// # Position
//
// A position reads postgres:7412345678901234567/1 slot=tidemill_late lsn=0/16B3748: the server's system identifier and
// timeline, the slot, and the end of the last transaction. A position of another server or slot, one that the slot has
// been moved beyond, one whose slot is gone or was invalidated by max_slot_wal_keep_size, is tidemill.ErrGap. On a
// standby that was promoted the stream goes on where the standby has the slot (failover: true) and had all that was
// read; else that is ErrGap too.
//
// # Sink
//
// Sink(url, table) writes predictions, one row for each task and id, and the mark of how far it is (table
// tidemill_marks) in the same transaction. A small write is visible at once and durable with the next Flush: what a
// crash of the server takes, the sink writes again.
package postgres
