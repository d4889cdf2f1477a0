package sqltable

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tidemill/tidemill"
)

// DatabaseConfig is what a sink over database/sql is made of.
type DatabaseConfig struct {
	Driver, URL string // as database/sql takes them
	Dialect     Dialect
	Where       string // begins messages: "mysql: sink predictions"
	Table       string // as Dialect.Quoting gives it
	Marks       string // likewise
	// MarksExist gives a row where the table of the marks is there.
	MarksExist string
	Truth      bool // truths are told
}

// NewDatabase makes a sink over database/sql: all that a system needs which has no faster way of its own. Rows are
// written one by one by prepared statements, in a transaction for each Write, which is durable when it returns.
func NewDatabase(c DatabaseConfig) *Sink {
	d := &database{c: c, statements: c.Dialect.Statements(c.Table, c.Marks, c.Truth)}
	reader := func() System { return &database{c: d.c, statements: d.statements} }
	return New(Config{System: d, Reader: reader, Dialect: c.Dialect, Statements: d.statements, Where: c.Where,
		Table: c.Table,
		Marks: c.Marks, Truth: c.Truth,
		Chunk: databaseChunk})
}

// databaseChunk is how many outputs one transaction takes at most: other writers get their turn.
const databaseChunk = 4096

// database is a System over database/sql.
type database struct {
	c          DatabaseConfig
	statements Statements

	db       *sql.DB
	conn     *sql.Conn
	tx       *sql.Tx              // the open transaction
	broken   bool                 // the connection broke, or nobody knows how a call ended: another one is opened
	prepared map[string]*sql.Stmt // by their text
	args     []any                // scratch
}

var _ System = (*database)(nil)

// Open implements System.
func (d *database) Open(ctx context.Context) (err error) {
	if d.IsOpen() {
		return nil
	}
	_ = d.Close() // what is broken has nothing to say any more
	if d.db, err = sql.Open(d.c.Driver, d.c.URL); err != nil {
		d.db = nil
		return tidemill.Fatalf("%s: %w", d.c.Where, err)
	}
	if d.conn, err = d.db.Conn(ctx); err != nil {
		return errors.Join(d.explain(ctx, err), d.Close())
	}
	return nil
}

// IsOpen implements System.
func (d *database) IsOpen() bool { return d.conn != nil && !d.broken }

// HasMarks implements System.
func (d *database) HasMarks(ctx context.Context) (there bool, err error) {
	_, err = d.Query(ctx, d.c.MarksExist, func([]string) error { there = true; return nil })
	return there, err
}

// CreateTables implements System.
func (d *database) CreateTables(ctx context.Context) error {
	for _, s := range []string{d.statements.CreateTable, d.statements.CreateMarks} {
		if _, err := d.conn.ExecContext(ctx, s); err != nil {
			return d.explain(ctx, err)
		}
	}
	return nil
}

// Prepare implements System.
func (d *database) Prepare(ctx context.Context) (err error) {
	d.prepared = map[string]*sql.Stmt{}
	s := &d.statements
	texts := []string{s.Upsert, s.Move, s.Delete, s.Exists, s.SetMark}
	if d.c.Truth {
		texts = append(texts, s.Truth)
	}
	for _, text := range texts {
		if d.prepared[text], err = d.conn.PrepareContext(ctx, text); err != nil {
			return d.explain(ctx, err)
		}
	}
	return nil
}

// Transact implements System.
func (d *database) Transact(ctx context.Context, f func() error) (err error) {
	if d.tx, err = d.conn.BeginTx(ctx, nil); err != nil {
		return d.explain(ctx, err)
	}
	tx := d.tx
	err = f()
	d.tx = nil
	if err != nil {
		d.broken = tx.Rollback() != nil || d.broken // err is told
		return err
	}
	if err = tx.Commit(); err != nil {
		d.broken = true
	}
	return d.explain(ctx, err)
}

// Query implements System.
func (d *database) Query(ctx context.Context, statement string, row func([]string) error,
	params ...any) (changed int, err error) {
	for i, p := range params {
		if n, ok := p.(uint64); ok {
			params[i] = int64(n)
		}
	}
	var on interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	} = d.conn
	if d.tx != nil {
		on = d.tx
	}
	if row == nil {
		r, err := on.ExecContext(ctx, statement, params...)
		if err != nil {
			return 0, d.explain(ctx, err)
		}
		n, err := r.RowsAffected()
		return int(n), d.explain(ctx, err)
	}
	rows, err := on.QueryContext(ctx, statement, params...)
	if err != nil {
		return 0, d.explain(ctx, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	for err == nil && rows.Next() {
		texts, to := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range to {
			to[i] = &texts[i]
		}
		if err = rows.Scan(to...); err != nil {
			break
		}
		columns := make([]string, len(names))
		for i := range columns {
			columns[i] = texts[i].String
		}
		if err := row(columns); err != nil {
			return 0, err
		}
	}
	return 0, d.explain(ctx, errors.Join(err, rows.Err()))
}

// Write implements System.
func (d *database) Write(ctx context.Context, b *Batch) (durable bool, err error) {
	err = d.Transact(ctx, func() error {
		term, seq := int64(b.Mark.Term), int64(b.Mark.Seq)
		n, err := d.run(ctx, d.statements.SetMark, term, seq, b.Flow, b.Table, term)
		if err != nil {
			return d.explain(ctx, err)
		}
		if n == 0 {
			return ErrMarkTaken
		}
		for _, s := range b.Merged() {
			if err := d.step(ctx, s); err != nil {
				if d.c.Dialect.Refuses != nil && d.c.Dialect.Refuses(err) {
					return &Refusal{Output: s.Output(), Err: err}
				}
				return d.explain(ctx, err)
			}
		}
		return nil
	})
	return true, err
}

// step writes one row.
func (d *database) step(ctx context.Context, s Step) error {
	switch {
	case s.Prediction != nil:
		_, err := d.run(ctx, d.statements.Upsert, d.row(s.Prediction, s.Truth)...)
		return err
	case s.Truth != nil:
		_, err := d.run(ctx, d.statements.Truth, s.Truth.Truth, at(s.Truth.Answered), s.Truth.Task, s.Truth.ID)
		return err
	case s.Move != nil:
		return d.move(ctx, s.Move)
	}
	return nil
}

// move takes the row at the new key away only if there is one to come: a replay must not lose a row that has moved.
func (d *database) move(ctx context.Context, o *tidemill.Output) error {
	var id string
	err := d.tx.StmtContext(ctx, d.prepared[d.statements.Exists]).QueryRowContext(ctx, o.Task, o.ID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		_, err = d.run(ctx, d.statements.Delete, o.Task, o.NewID)
	}
	if err == nil {
		_, err = d.run(ctx, d.statements.Move, o.NewID, o.Task, o.ID)
	}
	return err
}

// run runs a prepared statement in the transaction, and says how many rows it met.
func (d *database) run(ctx context.Context, text string, params ...any) (int64, error) {
	r, err := d.tx.StmtContext(ctx, d.prepared[text]).ExecContext(ctx, params...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row is the parameters of Upsert.
func (d *database) row(o, truth *tidemill.Output) []any {
	label, score, probabilities := any(o.Label), any(o.Score), any(nil)
	if math.IsNaN(o.Score) {
		score = nil
		if o.Label == "" {
			label = nil
		}
	}
	if b := AppendProbabilities(nil, o); len(b) > 0 {
		probabilities = string(b)
	}
	d.args = append(d.args[:0], o.Task, o.ID, label, score, probabilities, o.Version.String(), at(o.Asked), o.Position)
	if !d.c.Truth {
		return d.args
	}
	if truth == nil {
		return append(d.args, nil, nil)
	}
	return append(d.args, truth.Truth, at(truth.Answered))
}

// at is a time as a parameter, NULL where there is none.
func at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

// explain says where an error was met.
func (d *database) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		d.broken = true // a BEGIN that was cancelled may have begun
		return ctx.Err()
	case errors.Is(err, sql.ErrConnDone), errors.Is(err, driver.ErrBadConn):
		d.broken = true
	}
	return fmt.Errorf("%s: %w", d.c.Where, err)
}

// Close implements System.
func (d *database) Close() error {
	conn, db := d.conn, d.db
	d.conn, d.db, d.tx, d.prepared, d.broken = nil, nil, nil, nil, false
	var err error
	if conn != nil {
		err = conn.Close()
	}
	if db != nil {
		err = errors.Join(err, db.Close())
	}
	return err
}
