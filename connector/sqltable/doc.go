// Package sqltable is the sink that writes predictions to a table of a SQL database, for every such system: the
// table and its columns, the marks beside it, the fence, what a replay passes over, and what is written again when
// a server has lost it.
//
// A system adds three things. A Dialect spells the statements. A System is a connection that runs them; Database is
// one over database/sql, a system with a faster way (COPY, prepared statements of its own) brings its own. And a
// test holds the sink to tidemilltest.SQLSink. The columns are
//
//	task, id, prediction, score, probabilities, model_version, asked_at, position, truth, answered_at
//
// with the primary key (task, id); the marks are in the table tidemill_marks: flow, sink, term, seq. Every
// statement names the columns that it writes, so a table that was made by hand may have them in any order, and more
// of them.
//
// Sampler looks at any table for a first flow. Quoting is how names and texts are written into SQL,
// for whoever makes statements.
package sqltable
