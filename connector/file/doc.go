// Package file reads rows from CSV and JSON-lines files and writes outputs as lines.
//
// # Reading
//
//	source:
//	  file: {path: flights.csv.gz, key: [id], columns: [zip text, landed_at time]}
//
// The format follows from the name (.csv, .tsv, .jsonl, .ndjson, .json, each also with .gz) or from `format:`; "-" is
// standard input. Each row is an Insert of a stream, in the order of the file, and the stream is live from the first
// batch on; with `snapshot: true` the rows that are there at the start are a snapshot, and only what `follow: true`
// finds later is the stream. Without follow the source ends at the end of the file.
//
// A row's id is its key. Without `key:` it is the number of its first line, in a column of its own named _line. There
// is no commit time in a file: give the task an `at:` column where time matters. A row whose time lies more than a day
// beyond the moment when it was read is rejected.
//
// # Columns
//
// In CSV the header names the columns; with `header: false`, `columns:` does. In JSON lines the objects' keys do. A
// column's kind is what `columns:` says, or what the values in the first 1,000 rows (or 4 MiB) allow, the first of
// these that fits all of them: int, float, bool, time, text. 0012 is a text, and so is a column that is always empty.
// In JSON a number is a number and a string a string; an object or an array is kept as it is written. How many rows
// decided is part of every position, so a resumed run decides by the same ones, also when the file has grown.
//
// In CSV an empty field is NULL and a quoted empty one, "", is an empty text; `nulls:` names other words for NULL. In
// JSON an absent key is NULL.
//
// A row that does not fit stops the flow with file, line and column; `bad_lines: skip` drops it and counts it
// (Skipped).
//
// # Positions
//
// "file:5d41402abc4b2a76 offset=8123 line=201 sample=150": a hash of the first and the last 4 KiB before the offset,
// the offset in (decompressed) bytes, the number of the line that begins there, and how many rows decided the kinds.
// On resume the hash must be that of the file, else the position is of another file: ErrGap. The same holds for a file
// that is shorter than the offset, and for one that is replaced or cut while it is followed. A compressed file and
// standard input are read again from the beginning, up to the offset, without being parsed.
//
// # Writing
//
//	sinks:
//	  - file: out.jsonl
//	  - stdout: {}
//
// One line per message of the format, which is one JSON object per output unless `format:` says otherwise. The file is
// exact: its mark is its length, a resumed flow cuts off what lies beyond the mark of its checkpoint and writes it
// again. Beside it lies out.jsonl.tidemill, which holds the flow's name and the term; a run with an older term is
// fenced. Another format is another sink to a checkpoint: the file has to be moved away, or adopted. Standard output
// is told at least once.
package file
