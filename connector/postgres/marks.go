package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/tidemill/tidemill"
)

const (
	marksName = "tidemill_marks"
	// divisionByZero is how the mark's statement fails for a writer that was fenced: it must end the transaction that it
	// opens, in the same round trip.
	divisionByZero = "22012"
)

// marks is the table of the marks, beside the predictions: one row for each flow and table.
func (w *Predictions) marks() tableName { return tableName{w.table.schema, marksName} }

// markSQL writes the mark, and says whether the transaction's commit waits for the server's disk.
func (w *Predictions) markSQL() string {
	return `WITH m AS (UPDATE ` + w.marks().sql() + ` SET term = $3, seq = $4 WHERE flow = $1 AND sink = $2 AND term <= $3 RETURNING 1)
		SELECT 1 / count(*), set_config('synchronous_commit', $5, true) FROM m`
}

func (w *Predictions) markParams(last uint64, wait string) [][]byte {
	return [][]byte{text(w.flow), text(w.table.String()), decimal(w.term), decimal(last), []byte(wait)}
}

// readMark is the mark that the database holds; nil if none.
func (w *Predictions) readMark(ctx context.Context) (*tidemill.Mark, error) {
	r := w.conn.ExecParams(ctx, `SELECT term, seq FROM `+w.marks().sql()+` WHERE flow = $1 AND sink = $2`,
		[][]byte{text(w.flow), text(w.table.String())}, nil, nil, nil).Read()
	if r.Err != nil {
		return nil, w.broken(ctx, r.Err)
	}
	if len(r.Rows) == 0 {
		return nil, nil
	}
	m := &tidemill.Mark{}
	var err1, err2 error
	m.Term, err1 = strconv.ParseUint(string(r.Rows[0][0]), 10, 64)
	m.Seq, err2 = strconv.ParseUint(string(r.Rows[0][1]), 10, 64)
	if err1 != nil || err2 != nil {
		return nil, tidemill.Fatalf("postgres: sink %s: table %s holds a mark (%s, %s) that is none", w.table, w.marks(), r.Rows[0][0], r.Rows[0][1])
	}
	return m, nil
}

func (w *Predictions) fenced(m *tidemill.Mark) error {
	if m == nil {
		return tidemill.Fatalf("postgres: sink %s: the mark of flow %q in %s was deleted; stop, and start again with --adopt: %w", w.table, w.flow, w.marks(), tidemill.ErrUnknownMark)
	}
	return fmt.Errorf("postgres: sink %s: flow %q has term %d, the table has seen term %d: %w", w.table, w.flow, w.term, m.Term, tidemill.ErrFenced)
}

// Resume makes the tables where they are missing, takes the term and checks the mark.
func (w *Predictions) Resume(ctx context.Context, r tidemill.Resumption) error {
	if w.problem != nil {
		return tidemill.Fatal(w.problem)
	}
	w.drop()
	if err := w.open(ctx); err != nil {
		return err
	}
	w.flow, w.term, w.there, w.told, w.rest, w.patience = r.Flow, 0, 0, 0, 0, 0
	if err := w.createTables(ctx); err != nil {
		return err
	}
	if err := w.prepare(ctx); err != nil {
		return err
	}
	if err := w.take(ctx, r); err != nil {
		return err
	}
	w.term, w.seq, w.unsure = r.Term, r.After.Seq, false
	w.kept, w.durable = nil, r.After.Seq
	return nil
}

// take writes the term into the mark, in a transaction that holds the mark's row against other runs.
func (w *Predictions) take(ctx context.Context, r tidemill.Resumption) (err error) {
	// The term must outlive the server: a writer that it fences must never come back.
	if _, err := w.conn.Exec(ctx, "BEGIN; SET LOCAL synchronous_commit = "+w.safe).ReadAll(); err != nil {
		return w.broken(ctx, err)
	}
	defer func() {
		if err != nil && w.conn != nil {
			w.conn.Exec(ctx, "ROLLBACK").ReadAll()
		}
	}()
	who := [][]byte{text(w.flow), text(w.table.String())}
	res := w.conn.ExecParams(ctx, `INSERT INTO `+w.marks().sql()+` (flow, sink, term, seq) VALUES ($1, $2, 0, 0) ON CONFLICT DO NOTHING`, who, nil, nil, nil).Read()
	if res.Err != nil {
		return w.broken(ctx, res.Err)
	}
	if res.CommandTag.RowsAffected() == 0 {
		if res := w.conn.ExecParams(ctx, `SELECT FROM `+w.marks().sql()+` WHERE flow = $1 AND sink = $2 FOR UPDATE`, who, nil, nil, nil).Read(); res.Err != nil {
			return w.broken(ctx, res.Err)
		}
		m, err := w.readMark(ctx)
		if err != nil {
			return err
		}
		if m != nil {
			w.there = m.Seq
			if err := w.judge(*m, r); err != nil {
				return err
			}
			if r.Again {
				w.told = m.Seq
			}
		}
	} else if r.After.Seq > 0 && !r.Adopt {
		return fmt.Errorf("postgres: sink %s: it holds nothing of flow %q, but the checkpoint has seen output %d: another database? name the right one, or go on with this one with --adopt: %w",
			w.table, r.Flow, r.After.Seq, tidemill.ErrUnknownMark)
	}
	if r.Reset {
		for _, task := range r.Tasks {
			if res := w.conn.ExecParams(ctx, `DELETE FROM `+w.table.sql()+` WHERE task = $1`, [][]byte{text(task)}, nil, nil, nil).Read(); res.Err != nil {
				return w.broken(ctx, res.Err)
			}
		}
	}
	// Adopt takes the table over whatever term it has seen.
	if res := w.conn.ExecParams(ctx, `UPDATE `+w.marks().sql()+` SET term = $3, seq = $4 WHERE flow = $1 AND sink = $2`,
		append(who, decimal(r.Term), decimal(max(r.After.Seq, w.told))), nil, nil, nil).Read(); res.Err != nil {
		return w.broken(ctx, res.Err)
	}
	if _, err := w.conn.Exec(ctx, "COMMIT").ReadAll(); err != nil {
		return w.broken(ctx, err)
	}
	return nil
}

// judge compares the mark of the table with the one that the flow goes on from.
func (w *Predictions) judge(m tidemill.Mark, r tidemill.Resumption) error {
	unknown := func(why string) error {
		return fmt.Errorf("postgres: sink %s: %s; name another table, or take the rows over with --adopt: %w", w.table, why, tidemill.ErrUnknownMark)
	}
	switch {
	case r.Adopt:
		return nil
	case m.Seq > 0 && r.After == tidemill.Mark{}:
		return fmt.Errorf("postgres: sink %s: it holds rows of flow %q up to output %d, and there is no checkpoint (another state folder, or it was lost); --adopt keeps the rows and goes on, --reset removes them: %w",
			w.table, r.Flow, m.Seq, tidemill.ErrUnknownMark)
	case m.Term > r.Term:
		return fmt.Errorf("postgres: sink %s: flow %q starts with term %d, the table has seen term %d: stop the other run; if there is none, and its state folder was lost, --adopt keeps the rows and goes on, --reset removes them: %w",
			w.table, r.Flow, r.Term, m.Term, tidemill.ErrFenced)
	case r.After == tidemill.Mark{}:
		return nil
	case m.Term < r.After.Term || m.Term == r.After.Term && m.Seq < r.After.Seq:
		return unknown(fmt.Sprintf("its mark is term %d, output %d, but the checkpoint has seen term %d, output %d: the table is an older copy", m.Term, m.Seq, r.After.Term, r.After.Seq))
	}
	return nil
}

// createTables makes what is missing. Two runs that make the same table at once collide in the catalog: the second try
// finds it.
func (w *Predictions) createTables(ctx context.Context) error {
	sql := `CREATE TABLE IF NOT EXISTS ` + w.table.sql() + ` (task text NOT NULL, id text NOT NULL, prediction text, score double precision, probabilities json,
		model_version text, asked_at timestamptz, position text, truth text, answered_at timestamptz, PRIMARY KEY (task, id));
		CREATE TABLE IF NOT EXISTS ` + w.marks().sql() + ` (flow text NOT NULL, sink text NOT NULL, term numeric NOT NULL, seq numeric NOT NULL, PRIMARY KEY (flow, sink))`
	rows, err := ask(ctx, w.conn, `SELECT to_regclass(`+literal(w.table.sql())+`), to_regclass(`+literal(w.marks().sql())+`)`)
	if err != nil {
		return w.broken(ctx, err)
	}
	if rows[0][0] != nil && rows[0][1] != nil {
		return nil
	}
	for try := 0; ; try++ {
		_, err := ask(ctx, w.conn, sql)
		switch code(err) {
		case "":
			if err != nil {
				return w.broken(ctx, err)
			}
			return nil
		case "23505", "42P07", "42710":
			if try < 3 {
				continue
			}
		case "3F000":
			return tidemill.Fatalf("postgres: sink %s: %w; run CREATE SCHEMA %s", w.table, err, ident(w.table.schema))
		case "42501":
			return tidemill.Fatalf("postgres: sink %s: %w; run GRANT CREATE ON SCHEMA %s TO …, or create the tables: %s", w.table, err, ident(w.table.schema), sql)
		}
		return w.broken(ctx, err)
	}
}
