package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tidemill/tidemill"
)

// Predictions is the sink: the table of predictions and the mark. Sink and SinkConfig make it. One goroutine uses it.
type Predictions struct {
	url     string
	table   tableName
	truth   bool
	problem error // of the arguments

	flow   string
	term   uint64
	seq    uint64 // of the last output that is committed
	unsure bool   // a commit's outcome is not known: ask the mark
	safe   string // the synchronous_commit of a commit that waits

	kept    []tidemill.Output // committed, and perhaps not durable
	durable uint64            // Seq of the last output that is
	conn    *pgconn.PgConn
	groups  []*group // scratch of Write

	there    uint64 // rows of outputs up to this one may be in the table
	told     uint64 // outputs up to this one are in the table, and come again as they were
	rest     int    // so many writes do without COPY
	patience int    // what rest was last
	copied   []byte // scratch of tryCopy
}

// Sink writes predictions to table ("predictions" or "schema.predictions") of the database at url. The table is made on
// start where it is missing:
//
//	task text, id text, prediction text, score double precision, probabilities json, model_version text,
//	asked_at timestamptz, position text, truth text, answered_at timestamptz, PRIMARY KEY (task, id)
//
// and beside it tidemill_marks, which holds how far each flow is.
func Sink(url, table string) *Predictions {
	c := NewSinkConfig()
	c.URL, c.Table = url, table
	return c.writer()
}

func (c *SinkConfig) writer() *Predictions {
	w := &Predictions{url: c.URL, truth: c.Truth}
	_, err := parseURL(c.URL)
	var err2 error
	w.table, err2 = parseTable(c.Table)
	if err2 == nil && w.table.name == marksName {
		err2 = fmt.Errorf("postgres: table %s holds the marks; name another table for the predictions", w.table)
	}
	w.problem = errors.Join(err, err2)
	return w
}

// WithoutTruth leaves truth and answered_at NULL, and returns the sink.
func (w *Predictions) WithoutTruth() *Predictions {
	w.truth = false
	return w
}

// Describe names the table.
func (w *Predictions) Describe() string {
	return fmt.Sprintf("postgres table=%s truth=%t", w.table, w.truth)
}

// TableNames names the tables that are written, in the form of the source's.
func (w *Predictions) TableNames() []string {
	cfg, err := parseURL(w.url)
	if err != nil {
		return nil
	}
	db := databaseName(cfg)
	return []string{db + w.table.String(), db + w.marks().String()}
}

// The prepared statements of a connection.
const (
	stmtMark   = "tidemill_mark"
	stmtUpsert = "tidemill_upsert"
	stmtTruth  = "tidemill_truth"
	stmtMove   = "tidemill_move"
)

// open makes the connection and its statements.
func (w *Predictions) open(ctx context.Context) error {
	if w.conn != nil && !w.conn.IsClosed() {
		return nil
	}
	cfg, err := parseURL(w.url)
	if err != nil {
		return tidemill.Fatal(err)
	}
	delete(cfg.RuntimeParams, "replication")
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return connectError(ctx, err)
	}
	w.conn = conn
	return nil
}

func (w *Predictions) prepare(ctx context.Context) error {
	// What Flush calls durable must be so, whatever the role's default is.
	rows, err := ask(ctx, w.conn, "SELECT CASE setting WHEN 'off' THEN 'on' ELSE setting END FROM pg_settings WHERE name = 'synchronous_commit'")
	if err != nil {
		return w.broken(ctx, err)
	}
	w.safe = string(rows[0][0])
	for _, s := range []struct{ name, sql string }{
		{stmtMark, w.markSQL()}, {stmtUpsert, w.upsertSQL()}, {stmtTruth, w.truthSQL()}, {stmtCopy, w.copySQL()}, {stmtMove, w.moveSQL()},
	} {
		if _, err := w.conn.Prepare(ctx, s.name, s.sql, nil); err != nil {
			return w.broken(ctx, err)
		}
	}
	return nil
}

// upsertSQL takes one array per column; a row replaces what the key had, with the truth still open unless it is known.
func (w *Predictions) upsertSQL() string {
	return `INSERT INTO ` + w.table.sql() + ` (task, id, prediction, score, probabilities, model_version, asked_at, position, truth, answered_at)
		SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::json[], $6::text[], $7::timestamptz[], $8::text[], $9::text[], $10::timestamptz[])
		ON CONFLICT (task, id) DO UPDATE SET prediction = excluded.prediction, score = excluded.score, probabilities = excluded.probabilities,
			model_version = excluded.model_version, asked_at = excluded.asked_at, position = excluded.position,
			truth = excluded.truth, answered_at = excluded.answered_at`
}

func (w *Predictions) truthSQL() string {
	return `UPDATE ` + w.table.sql() + ` p SET truth = u.truth, answered_at = u.answered_at
		FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) u(task, id, truth, answered_at) WHERE p.task = u.task AND p.id = u.id`
}

// moveSQL takes the row at the new key away only if there is one to come: a replay must not lose a row that has moved.
func (w *Predictions) moveSQL() string {
	return `WITH moved AS (DELETE FROM ` + w.table.sql() + ` WHERE task = $1 AND id = $2 RETURNING *)
		INSERT INTO ` + w.table.sql() + ` SELECT task, $3, prediction, score, probabilities, model_version, asked_at, position, truth, answered_at FROM moved
		ON CONFLICT (task, id) DO UPDATE SET prediction = excluded.prediction, score = excluded.score, probabilities = excluded.probabilities,
			model_version = excluded.model_version, asked_at = excluded.asked_at, position = excluded.position,
			truth = excluded.truth, answered_at = excluded.answered_at`
}

// Write commits the outputs and the mark in one transaction, sent in one round trip. After an error it may be called
// again with the same outputs: if they were committed after all, the mark says so. A small write is visible at once but
// durable only with Flush.
func (w *Predictions) Write(ctx context.Context, out []tidemill.Output) error {
	if w.term == 0 {
		return tidemill.Fatalf("postgres: sink %s: Write before Resume", w.table)
	}
	if len(out) == 0 {
		return nil
	}
	m, err := w.ready(ctx)
	if err != nil {
		return err
	}
	last, loose := out[len(out)-1].Seq, w.loose(out)
	if m != nil && m.Seq >= last && last > w.seq {
		w.committed(out, loose) // before the answer was lost
		return nil
	}
	err = w.commit(ctx, out, max(last, w.told), loose)
	if half := len(out) / 2; half > 0 && refuses(code(err)) { // what is written before the row that is refused stays, and the row is named
		if err := w.Write(ctx, out[:half]); err != nil {
			return err
		}
		return w.Write(ctx, out[half:])
	}
	if err != nil {
		return err
	}
	w.committed(out, loose)
	return nil
}

// commit writes the outputs and the mark last in one transaction.
func (w *Predictions) commit(ctx context.Context, out []tidemill.Output, last uint64, loose bool) error {
	wait := w.safe
	if loose {
		wait = "off"
	}
	for len(out) > 0 && out[0].Seq <= w.told { // a replay: rows that have moved would move again
		out = out[1:]
	}
	groups := w.arrange(out)
	if w.copyable(out, groups) {
		if done, err := w.tryCopy(ctx, groups[0], last, wait); done || err != nil {
			return err
		}
	}
	return w.send(ctx, groups, last, wait)
}

// send sends the groups and the mark in one round trip.
func (w *Predictions) send(ctx context.Context, groups []*group, last uint64, wait string) error {
	p := w.conn.StartPipeline(ctx)
	// Everything up to the Sync is one transaction; the mark comes first, and its statement fails for a fenced writer.
	p.SendQueryPrepared(stmtMark, w.markParams(last, wait), nil, nil)
	for _, g := range groups {
		g.send(p)
	}
	err := p.Sync()
	for err == nil {
		var r any
		if r, err = p.GetResults(); err != nil {
			break
		}
		if reader, ok := r.(*pgconn.ResultReader); ok {
			_, err = reader.Close()
		} else {
			break // *pgconn.PipelineSync
		}
	}
	if err2 := p.Close(); err == nil {
		err = err2
	}
	if err == nil {
		return nil
	}
	w.unsure = true
	if code(err) == divisionByZero {
		m, err2 := w.readMark(ctx)
		if err2 != nil {
			return err2
		}
		return w.fenced(m)
	}
	if refuses(code(err)) {
		return w.refused(groups, err)
	}
	return w.broken(ctx, err)
}

// refuses reports that by this SQLSTATE the table, or a trigger of it, does not take what was written, however often it is
// tried: a data exception, a violated constraint, a limit of the program (an id too long for an index), RAISE EXCEPTION.
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

// refused stops the flow with the row that the table does not take.
func (w *Predictions) refused(groups []*group, err error) error {
	what := "the mark"
	for _, g := range groups {
		if len(g.rows) > 0 {
			what = fmt.Sprintf("the row of task %s, id %s", g.rows[0].task, g.rows[0].id)
		} else if g.from != "" {
			what = fmt.Sprintf("the row of task %s, id %s, as id %s", g.task, g.from, g.to)
		} else {
			continue
		}
		break
	}
	return tidemill.Fatalf("postgres: sink %s: the table does not take %s: %w; alter the column, constraint or trigger that refuses it, then start again", w.table, what, err)
}

// broken closes a connection that cannot be used any more and says why.
func (w *Predictions) broken(ctx context.Context, err error) error {
	c := code(err)
	switch {
	case c == "": // the connection itself
		w.drop()
		return fmt.Errorf("postgres: sink %s: %w", w.table, lost(ctx, err))
	case c == "26000" || c[:2] == "57": // the statements are gone; the server ends
		w.drop()
	case c == "42501":
		return tidemill.Fatalf("postgres: sink %s: %w; run GRANT SELECT, INSERT, UPDATE, DELETE ON %s, %s TO …", w.table, err, w.table.sql(), w.marks().sql())
	case c[:2] == "42":
		return tidemill.Fatalf("postgres: sink %s: %w; the table has another shape than predictions are written in: rename it, or name another", w.table, err)
	}
	return fmt.Errorf("postgres: sink %s: %w", w.table, err)
}

func (w *Predictions) drop() {
	if w.conn != nil {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // close without a farewell
		w.conn.Close(ctx)
		w.conn = nil
	}
}

// Close closes the connection.
func (w *Predictions) Close() error {
	if w.conn == nil {
		return nil
	}
	conn := w.conn
	w.conn = nil
	s := session{PgConn: conn}
	s.shut()
	return nil
}

// arrange turns outputs into groups of rows: one in fact, more where a row moves to another key in between.
func (w *Predictions) arrange(out []tidemill.Output) []*group {
	w.groups = w.groups[:0]
	g := &group{}
	for i := range out {
		o := &out[i]
		switch o.Kind {
		case tidemill.Predicted:
			g.predict(o)
			if w.truth && o.Truth != "" {
				g.answer(o) // its row brought the truth
			}
		case tidemill.Truth:
			if w.truth {
				g.answer(o)
			}
		case tidemill.Retracted:
			if o.NewID != "" && o.NewID != o.ID {
				g.task, g.from, g.to = o.Task, o.ID, o.NewID
				w.groups = append(w.groups, g)
				g = &group{}
			}
		}
	}
	w.groups = append(w.groups, g)
	return slices.Clip(w.groups)
}
