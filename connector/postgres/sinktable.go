package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqltable"
)

// divisionByZero is how the mark's statement fails for a writer that was fenced: it must end the transaction that it
// opens, in the same round trip.
const divisionByZero = "22012"

// table is the connection to a table of predictions: the System of its sink.
type table struct {
	url        string
	name       tableName
	truth      bool
	problem    error // of the arguments
	statements sqltable.Statements

	conn   *pgconn.PgConn
	safe   string // the synchronous_commit of a commit that waits
	pause  int    // so many writes do without COPY
	pauses int    // what pause was last
	copied []byte // scratch of tryCopy
}

var _ sqltable.System = (*table)(nil)

// marks is the table of the marks, beside the predictions: one row for each flow and table.
func (t *table) marks() tableName { return tableName{t.name.schema, sqltable.MarksTable} }

// where begins messages.
func (t *table) where() string { return "postgres: sink " + t.name.String() }

// reader is another connection to the same table.
func (t *table) reader() sqltable.System {
	return &table{url: t.url, name: t.name, truth: t.truth, problem: t.problem, statements: t.statements}
}

// IsOpen implements sqltable.System.
func (t *table) IsOpen() bool { return t.conn != nil && !t.conn.IsClosed() }

// Open implements sqltable.System.
func (t *table) Open(ctx context.Context) error {
	if t.problem != nil {
		return tidemill.Fatal(t.problem)
	}
	if t.IsOpen() {
		return nil
	}
	cfg, err := parseURL(t.url)
	if err != nil {
		return tidemill.Fatal(err)
	}
	delete(cfg.RuntimeParams, "replication")
	if t.conn, err = pgconn.ConnectConfig(ctx, cfg); err != nil {
		return connectError(ctx, err)
	}
	// What is called durable must be so, whatever the role's default is.
	rows, err := ask(ctx, t.conn,
		"SELECT CASE setting WHEN 'off' THEN 'on' ELSE setting END FROM pg_settings WHERE name = 'synchronous_commit'")
	if err != nil {
		return t.explain(ctx, err)
	}
	t.safe, t.pause, t.pauses = string(rows[0][0]), 0, 0
	return nil
}

// HasMarks implements sqltable.System.
func (t *table) HasMarks(ctx context.Context) (bool, error) {
	rows, err := ask(ctx, t.conn, "SELECT to_regclass("+quoting.Text(t.marks().sql())+")")
	if err != nil {
		return false, t.explain(ctx, err)
	}
	return rows[0][0] != nil, nil
}

// Query implements sqltable.System.
func (t *table) Query(ctx context.Context, statement string, row func([]string) error,
	params ...any) (changed int, err error) {
	values := make([][]byte, len(params))
	for i, p := range params {
		switch p := p.(type) {
		case string:
			values[i] = text(p)
		case uint64:
			values[i] = strconv.AppendUint(nil, p, 10)
		}
	}
	r := t.conn.ExecParams(ctx, statement, values, nil, nil, nil).Read()
	if r.Err != nil {
		return 0, t.explain(ctx, r.Err)
	}
	for _, columns := range r.Rows {
		texts := make([]string, len(columns))
		for i, c := range columns {
			texts[i] = string(c)
		}
		if err := row(texts); err != nil {
			return 0, err
		}
	}
	return int(r.CommandTag.RowsAffected()), nil
}

// Transact implements sqltable.System. The commit is durable: a term must outlive the server, as a writer that it
// fences must never come back.
func (t *table) Transact(ctx context.Context, f func() error) error {
	if _, err := t.conn.Exec(ctx, "BEGIN; SET LOCAL synchronous_commit = "+t.safe).ReadAll(); err != nil {
		return t.explain(ctx, err)
	}
	if err := f(); err != nil {
		if t.IsOpen() {
			_, _ = t.conn.Exec(ctx, "ROLLBACK").ReadAll() // the error is told
		}
		return err
	}
	if _, err := t.conn.Exec(ctx, "COMMIT").ReadAll(); err != nil {
		return t.explain(ctx, err)
	}
	return nil
}

// CreateTables implements sqltable.System. Two runs that make the same table at once collide in the catalog: the
// second try finds it.
func (t *table) CreateTables(ctx context.Context) error {
	sql := t.statements.CreateTable + "; " + t.statements.CreateMarks
	rows, err := ask(ctx, t.conn,
		`SELECT to_regclass(`+quoting.Text(t.name.sql())+`), to_regclass(`+quoting.Text(t.marks().sql())+`)`)
	if err != nil {
		return t.explain(ctx, err)
	}
	if rows[0][0] != nil && rows[0][1] != nil {
		return nil
	}
	for try := 0; ; try++ {
		_, err := ask(ctx, t.conn, sql)
		switch code(err) {
		case "":
			if err != nil {
				return t.explain(ctx, err)
			}
			return nil
		case "23505", "42P07", "42710":
			if try < 3 {
				continue
			}
		case "3F000":
			return tidemill.Fatalf("%s: %w; run CREATE SCHEMA %s", t.where(), err, quoting.Name(t.name.schema))
		case "42501":
			return tidemill.Fatalf("%s: %w; run GRANT CREATE ON SCHEMA %s TO …, or create the tables: %s", t.where(), err,
				quoting.Name(t.name.schema), sql)
		}
		return t.explain(ctx, err)
	}
}

// explain says what is wrong, and closes a connection that cannot be used any more.
func (t *table) explain(ctx context.Context, err error) error {
	c := code(err)
	switch {
	case c == "": // the connection itself
		t.drop()
		return fmt.Errorf("%s: %w", t.where(), lost(ctx, err))
	case c == "26000" || c[:2] == "57": // the statements are gone; the server ends
		t.drop()
	case c == "42501":
		return tidemill.Fatalf("%s: %w; run GRANT SELECT, INSERT, UPDATE, DELETE ON %s, %s TO …", t.where(), err,
			t.name.sql(), t.marks().sql())
	case c[:2] == "42":
		return tidemill.Fatalf("%s: %w; the table has another shape than predictions are written in: "+
			"rename it, or name another", t.where(), err)
	}
	return fmt.Errorf("%s: %w", t.where(), err)
}

// drop closes the connection without a farewell.
func (t *table) drop() {
	if t.conn != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = t.conn.Close(ctx)
		t.conn = nil
	}
}

// Close implements sqltable.System.
func (t *table) Close() error {
	if t.conn == nil {
		return nil
	}
	s := session{PgConn: t.conn}
	t.conn = nil
	s.shut()
	return nil
}

// refuses reports that by this SQLSTATE the table, or a trigger of it, does not take what was written, however
// often it is tried: a data exception, a violated constraint, a limit of the program (an id too long for an index),
// RAISE EXCEPTION.
func refuses(code string) bool {
	if len(code) != 5 || code == divisionByZero { // divisionByZero is the mark's
		return false
	}
	switch code[:2] {
	case "21", "22", "23", "44", "54", "P0":
		return true
	}
	return false
}
