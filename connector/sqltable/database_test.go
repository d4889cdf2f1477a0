package sqltable_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqltable"
	"github.com/tidemill/tidemill/tidemilltest"
)

// replacing is a dialect as a new system would bring one: SQLite through database/sql, its upsert spelled as
// MySQL's REPLACE, its parameters numbered.
func replacing() sqltable.Dialect {
	return sqltable.Dialect{
		Types: sqltable.Types{Key: "TEXT", Text: "TEXT", Number: "REAL", JSON: "TEXT", Time: "TEXT", Count: "INTEGER"},
		Param: func(i int) string { return fmt.Sprintf("?%d", i) },
		Upsert: func(table string, columns, values, _, set []string) string {
			verb := "REPLACE"
			if len(set) == 0 {
				verb = "INSERT OR IGNORE"
			}
			return fmt.Sprintf("%s INTO %s (%s) VALUES (%s)", verb, table, strings.Join(columns, ", "),
				strings.Join(values, ", "))
		},
		ParseTime: func(text string) time.Time {
			at, err := time.Parse(timeLayout, text)
			if err != nil {
				return time.Time{}
			}
			return at
		},
		Server: true,
		Refuses: func(err error) bool {
			e := (*sqlite.Error)(nil)
			return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT
		},
	}
}

const timeLayout = "2006-01-02 15:04:05.999999999-07:00"

func address(path string) string {
	return "file:" + path + "?_pragma=journal_mode(WAL)&_pragma=busy_timeout(20000)&_txlock=immediate&_time_format=sqlite"
}

func open(path, table string) *sqltable.Sink {
	return sqltable.NewDatabase(sqltable.DatabaseConfig{Driver: "sqlite", URL: address(path), Dialect: replacing(),
		Where: "test: sink " + table,
		Table: sqltable.Standard.Name(table), Marks: sqltable.MarksTable, Truth: true,
		MarksExist: "SELECT 1 FROM sqlite_schema WHERE name = " + sqltable.Standard.Text(sqltable.MarksTable)})
}

func query(t *testing.T, path, text string) (rows [][]any) {
	t.Helper()
	db, err := sql.Open("sqlite", address(path))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	names, err := r.Columns()
	for err == nil && r.Next() {
		values, to := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range to {
			to[i] = &values[i]
		}
		err = r.Scan(to...)
		row := make([]any, len(names))
		for i, v := range values {
			if v.Valid {
				row[i] = v.String
			}
		}
		rows = append(rows, row)
	}
	if err = errors.Join(err, r.Err()); err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestDialect: a dialect is all that a system needs to be held to the laws.
func TestDialect(t *testing.T) {
	d := replacing()
	tidemilltest.SQLSink(t, tidemilltest.SQLHarness{Type: d.Type, New: func(t *testing.T) tidemilltest.SQLDatabase {
		path := filepath.Join(t.TempDir(), "p.db")
		return tidemilltest.SQLDatabase{
			Open:  func(t *testing.T, table string) tidemill.Sink { return open(path, table) },
			Exec:  func(t *testing.T, text string) { query(t, path, text) },
			Query: func(t *testing.T, text string) [][]any { return query(t, path, text) },
			Tables: func(t *testing.T) (names []string) {
				for _, r := range query(t, path, "SELECT name FROM sqlite_schema WHERE type = 'table'") {
					names = append(names, fmt.Sprint(r...))
				}
				return names
			},
			Time: func(text string) (time.Time, error) { return time.Parse(timeLayout, text) },
		}
	}})
}

func predicted(seq uint64, id string) tidemill.Output {
	return tidemill.Output{Kind: tidemill.Predicted, Seq: seq, Task: "late", ID: id, Label: "no", Score: 0.5,
		Asked: time.Unix(1e9, 0)}
}

// TestRefusedRow: a row that the table does not take stops the flow with its name.
func TestRefusedRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.db")
	query(t, path,
		"CREATE TABLE predictions ("+strings.Join(sqltable.ColumnNames(true), ", ")+", "+
			"PRIMARY KEY (task, id), CHECK (id <> 'bad'))")
	s := open(path, "predictions")
	defer s.Close()
	if err := s.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	err := s.Write(t.Context(), []tidemill.Output{predicted(1, "a"), predicted(2, "bad")})
	const says = "test: sink predictions: the table does not take the row of task late, id bad: "
	if !tidemill.IsFatal(err) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v", err)
	}
}

// TestDeletedMark: a mark that somebody deleted is not made anew while the flow writes.
func TestDeletedMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.db")
	s := open(path, "predictions")
	defer s.Close()
	if err := s.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	query(t, path, "DELETE FROM tidemill_marks")
	if err := s.Write(t.Context(), []tidemill.Output{predicted(1, "a")}); !errors.Is(err, tidemill.ErrUnknownMark) {
		t.Errorf("got %v", err)
	}
	if n := len(query(t, path, "SELECT id FROM predictions")); n != 0 {
		t.Errorf("%d rows were written", n)
	}
}

// TestUnknownOutcome: when a Write ends without an answer, the next one looks at the mark: what was committed is
// not done twice, and an older copy of the table is not written to.
func TestUnknownOutcome(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.db")
	s := open(path, "predictions")
	defer s.Close()
	if err := s.Resume(t.Context(), tidemill.Resumption{Flow: "f", Term: 1}); err != nil {
		t.Fatal(err)
	}
	write := func(ctx context.Context, out ...tidemill.Output) error { return s.Write(ctx, out) }
	if err := write(t.Context(), predicted(1, "a"), predicted(2, "b")); err != nil {
		t.Fatal(err)
	}
	swap := []tidemill.Output{{Kind: tidemill.Retracted, Seq: 3, Task: "late", ID: "a", NewID: "c"},
		{Kind: tidemill.Retracted, Seq: 4, Task: "late", ID: "b", NewID: "a"}}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := write(gone, swap...); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled Write gives %v", err)
	}
	query(t, path, "UPDATE tidemill_marks SET seq = 4") // as if it had been committed
	query(t, path, "UPDATE predictions SET position = id")
	if err := write(t.Context(), swap...); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(query(t, path, "SELECT id, position FROM predictions ORDER BY id")); got != "[[a a] [b b]]" {
		t.Errorf("moved again: %s", got)
	}
	if err := write(gone, predicted(5, "e")); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	query(t, path, "UPDATE tidemill_marks SET seq = 1")
	if err := write(t.Context(), predicted(5, "e")); !errors.Is(err, tidemill.ErrUnknownMark) ||
		!strings.Contains(err.Error(), "older copy") {
		t.Errorf("an older copy: %v", err)
	}
}
