package demo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the driver that SQLite's demo database is made with

	"github.com/tidemill/tidemill/examples/mnist"
)

// digits is the demo's database: two tables of images.
type digits interface {
	// load makes mnist_train afresh with the set's rows, and mnist_test without any.
	load(ctx context.Context, train *mnist.Set, rows int, progress func(n int)) error
	// insert adds rows from..to of the set to mnist_test in one transaction.
	insert(ctx context.Context, test *mnist.Set, from, to int) error
	close() error
}

type sqliteDigits struct{ db *sql.DB }

func openSQLite(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"+
		"&_pragma=busy_timeout(20000)")
}

func (d *sqliteDigits) close() error { return d.db.Close() }

func (d *sqliteDigits) load(ctx context.Context, train *mnist.Set, rows int, progress func(int)) error {
	for _, t := range []string{"mnist_train", "mnist_test"} {
		if _, err := d.db.ExecContext(ctx, "CREATE TABLE "+t+
			"(id INTEGER PRIMARY KEY, label INTEGER, pixels BLOB)"); err != nil {
			return err
		}
	}
	return d.fill(ctx, "mnist_train", train, 0, rows, progress)
}

func (d *sqliteDigits) insert(ctx context.Context, test *mnist.Set, from, to int) error {
	return d.fill(ctx, "mnist_test", test, from, to, func(int) {})
}

func (d *sqliteDigits) fill(ctx context.Context, table string, set *mnist.Set, from, to int,
	progress func(int)) (err error) {
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	// Ten rows to a statement: the driver's cost is by the call.
	const many = 10
	stmts := map[int]*sql.Stmt{}
	for _, n := range []int{1, many} {
		q := "INSERT INTO " + table + "(id, label, pixels) VALUES (?,?,?)" + strings.Repeat(",(?,?,?)", n-1)
		if stmts[n], err = tx.PrepareContext(ctx, q); err != nil {
			return err
		}
		defer stmts[n].Close()
	}
	args := make([]any, 0, 3*many)
	for i := from; i < to; {
		n := 1
		if to-i >= many {
			n = many
		}
		args = args[:0]
		for k := i; k < i+n; k++ {
			args = append(args, k+1, int(set.Labels[k]), set.Image(k))
		}
		if _, err = stmts[n].ExecContext(ctx, args...); err != nil {
			return err
		}
		i += n
		progress(i)
	}
	return tx.Commit()
}

type postgresDigits struct{ conn *pgx.Conn }

func (d *postgresDigits) close() error { return d.conn.Close(context.Background()) }

func (d *postgresDigits) load(ctx context.Context, train *mnist.Set, rows int, progress func(int)) error {
	for _, t := range []string{"mnist_train", "mnist_test"} {
		if _, err := d.conn.Exec(ctx, fmt.Sprintf("DROP TABLE IF EXISTS %[1]s; CREATE TABLE %[1]s(id SERIAL PRIMARY KEY, "+
			"label SMALLINT, pixels BYTEA); COMMENT ON TABLE %[1]s IS '%[2]s'", t, made)); err != nil {
			return err
		}
	}
	_, err := d.conn.CopyFrom(ctx, pgx.Identifier{"mnist_train"}, []string{"label", "pixels"},
		pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
			if i%1000 == 0 {
				progress(i)
			}
			return []any{int16(train.Labels[i]), train.Image(i)}, nil
		}))
	return err
}

func (d *postgresDigits) insert(ctx context.Context, test *mnist.Set, from, to int) error {
	_, err := d.conn.CopyFrom(ctx, pgx.Identifier{"mnist_test"}, []string{"label", "pixels"},
		pgx.CopyFromSlice(to-from, func(i int) ([]any, error) {
			return []any{int16(test.Labels[from+i]), test.Image(from + i)}, nil
		}))
	return err
}
