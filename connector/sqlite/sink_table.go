package sqlite

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqltable"
)

// table is the connection to a table of predictions: the System of its sink.
type table struct {
	path, name string
	truth      bool
	reads      bool // nothing is made or changed
	statements sqltable.Statements

	d       *db
	wal     bool
	file    os.FileInfo // as it was when it was opened
	upsert  *stmt
	answer  *stmt
	move    *stmt
	schema  *stmt
	mark    *stmt
	watched bool  // the table has triggers,
	looked  int64 // under this schema version
	scratch []byte
}

var _ sqltable.System = (*table)(nil)

func (t *table) settings() error {
	l := strings.ToLower(t.name)
	if t.name == "" || strings.HasPrefix(l, "sqlite_") || l == sqltable.MarksTable {
		return tidemill.Fatalf("sqlite: table %q: name another table for the predictions", t.name)
	}
	return nil
}

// reader is another connection to the same table, which reads.
func (t *table) reader() sqltable.System {
	return &table{path: t.path, name: t.name, truth: t.truth, reads: true, statements: t.statements}
}

// IsOpen implements sqltable.System.
func (t *table) IsOpen() bool { return t.d != nil }

// Open opens the file, or makes it.
func (t *table) Open(ctx context.Context) error {
	if t.d != nil {
		return nil
	}
	if err := t.settings(); err != nil {
		return err
	}
	if t.reads {
		d, err := look(t.path)
		t.d = d
		return err
	}
	_, err := os.Stat(t.path)
	fresh := os.IsNotExist(err)
	if t.d, err = openFile(t.path, readWriteCreate); err != nil {
		return err
	}
	if t.file, err = os.Stat(t.path); err != nil {
		return err
	}
	defer t.d.guard(ctx)()
	var mode string
	err = t.d.retry(ctx, func() (err error) {
		if fresh {
			// A file of our own making. The journal mode of somebody else's is theirs to choose.
			if err := t.d.exec("PRAGMA journal_mode=WAL"); err != nil {
				return err
			}
		}
		mode, err = t.d.text("PRAGMA main.journal_mode")
		return err
	})
	if err == nil {
		t.wal = mode == "wal"
		err = t.d.exec("PRAGMA synchronous=" + t.synchronous())
	}
	return explain(t.path, err)
}

// synchronous: in WAL mode a commit without a sync keeps the file whole, and Flush syncs; with a rollback journal
// every commit syncs, as a power cut could damage the file otherwise.
func (t *table) synchronous() string {
	if t.wal {
		return "NORMAL"
	}
	return "FULL"
}

// HasMarks implements sqltable.System.
func (t *table) HasMarks(ctx context.Context) (bool, error) {
	n := 0
	_, err := t.Query(ctx, "SELECT 1 FROM main.sqlite_schema WHERE type='table' AND name=?",
		func([]string) error { n++; return nil }, sqltable.MarksTable)
	return n > 0, err
}

// Transact implements sqltable.System.
func (t *table) Transact(ctx context.Context, f func() error) error {
	defer t.d.guard(ctx)()
	return explain(t.path, t.d.write(ctx, f))
}

// Query implements sqltable.System.
func (t *table) Query(ctx context.Context, statement string, row func([]string) error,
	params ...any) (changed int, err error) {
	args := make([]any, len(params))
	for i, p := range params {
		if n, ok := p.(uint64); ok {
			p = int64(n)
		}
		args[i] = p
	}
	var rows [][]string
	run := func() error {
		rows = nil
		return t.d.query(statement, func(s *stmt) error {
			columns := make([]string, s.columns())
			for i := range columns {
				columns[i] = s.text(i)
			}
			rows = append(rows, columns)
			return nil
		}, args...)
	}
	if t.d.inTransaction() { // which explains what went wrong
		err = run()
	} else {
		release := t.d.guard(ctx)
		err = explain(t.path, t.d.retry(ctx, run))
		release()
	}
	for i := 0; err == nil && i < len(rows); i++ {
		err = row(rows[i])
	}
	return int(t.d.changes()), err
}

// Close lets go of the file.
func (t *table) Close() error {
	t.finalize()
	d := t.d
	t.d = nil
	return d.close()
}

// CreateTables implements sqltable.System.
func (t *table) CreateTables(ctx context.Context) error {
	return t.Transact(ctx, func() error {
		if err := t.d.exec(t.statements.CreateTable + ";" + t.statements.CreateMarks); err != nil {
			return err
		}
		return t.fitTable()
	})
}

// fitTable adds the columns of the truth to a table that was made without, and refuses a table that is another thing.
func (t *table) fitTable() error {
	missing, _, err := t.missing(t.d)
	if err != nil {
		return err
	}
	d := dialect()
	for _, name := range missing {
		sql := fmt.Sprintf("ALTER TABLE main.%s ADD COLUMN %s %s", quoting.Name(t.name), name, d.Type(name))
		if err := t.d.exec(sql); err != nil {
			return err
		}
	}
	return nil
}

// missing gives the columns of the truth that the table lacks, and whether there is a table. A table that is not
// one of predictions is an error.
func (t *table) missing(d *db) (missing []string, have bool, err error) {
	cols := map[string]bool{}
	var key []string
	err = d.query("SELECT name, pk FROM pragma_table_xinfo(?) ORDER BY pk", func(s *stmt) error {
		n := strings.ToLower(s.text(0))
		cols[n] = true
		if s.int(1) > 0 {
			key = append(key, n)
		}
		return nil
	}, t.name)
	if err != nil || len(cols) == 0 {
		return nil, false, err
	}
	for _, c := range sqltable.Columns() {
		switch {
		case cols[c.Name] || c.Truth && !t.truth:
		case c.Truth:
			missing = append(missing, c.Name)
		default:
			return nil, true, tidemill.Fatalf("sqlite: %s: table %q has no column %s: it is not a table of predictions; "+
				"name another one", t.path, t.name, c.Name)
		}
	}
	if strings.Join(key, ",") != strings.Join(sqltable.Key(), ",") {
		return nil, true, tidemill.Fatalf("sqlite: %s: the primary key of table %q is not (task, id): "+
			"it is not a table of predictions; name another one", t.path, t.name)
	}
	return missing, true, nil
}
