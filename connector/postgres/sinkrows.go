package postgres

import (
	"context"
	"encoding/binary"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqltable"
	"github.com/tidemill/tidemill/jsontext"
)

// The prepared statements of a connection.
const (
	stmtMark   = "tidemill_mark"
	stmtUpsert = "tidemill_upsert"
	stmtTruth  = "tidemill_truth"
	stmtMove   = "tidemill_move"
	stmtCopy   = "tidemill_copy"
)

// Prepare implements sqltable.System.
func (t *table) Prepare(ctx context.Context) error {
	for _, s := range []struct{ name, sql string }{
		{stmtMark, t.markSQL()}, {stmtUpsert, t.upsertSQL()}, {stmtTruth, t.truthSQL()}, {stmtCopy, t.copySQL()},
		{stmtMove, t.moveSQL()},
	} {
		if _, err := t.conn.Prepare(ctx, s.name, s.sql, nil); err != nil {
			return t.explain(ctx, err)
		}
	}
	return nil
}

// columns are all columns, in the order in which rows are sent.
func columns() string { return strings.Join(sqltable.ColumnNames(true), ", ") }

// onConflict has a row replace the one with its key.
func onConflict() string {
	return sqltable.OnConflict(sqltable.Key(), sqltable.ColumnNames(true)[len(sqltable.Key()):])
}

// markSQL writes the mark, and says whether the transaction's commit waits for the server's disk.
func (t *table) markSQL() string {
	return `WITH m AS (UPDATE ` + t.marks().sql() + ` SET term = $3, seq = $4
			WHERE flow = $1 AND sink = $2 AND term <= $3 RETURNING 1)
		SELECT 1 / count(*), set_config('synchronous_commit', $5, true) FROM m`
}

func (t *table) markParams(b *sqltable.Batch) [][]byte {
	wait := "off"
	if b.Wait {
		wait = t.safe
	}
	term, seq := strconv.AppendUint(nil, b.Mark.Term, 10), strconv.AppendUint(nil, b.Mark.Seq, 10)
	return [][]byte{text(b.Flow), text(b.Table), term, seq, []byte(wait)}
}

// upsertSQL takes one array per column; a row replaces what the key had, with the truth still open unless it is
// known.
func (t *table) upsertSQL() string {
	return `INSERT INTO ` + t.name.sql() + ` (` + columns() + `) SELECT ` + columns() + `
		FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::json[], $6::text[], $7::timestamptz[], $8::text[],
			$9::text[], $10::timestamptz[])
		u(` + columns() + `) ` + onConflict()
}

func (t *table) truthSQL() string {
	return `UPDATE ` + t.name.sql() + ` p SET truth = u.truth, answered_at = u.answered_at
		FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) u(task, id, truth, answered_at)
		WHERE p.task = u.task AND p.id = u.id`
}

// moveSQL takes the row at the new key away only if there is one to come: a replay must not lose a row that has
// moved. Every column is named: the table's own order is its maker's.
func (t *table) moveSQL() string {
	moved := strings.Replace(columns(), "id", "$3", 1)
	return `WITH moved AS (DELETE FROM ` + t.name.sql() + ` WHERE task = $1 AND id = $2 RETURNING ` + columns() + `)
		INSERT INTO ` + t.name.sql() + ` (` + columns() + `) SELECT ` + moved + ` FROM moved ` + onConflict()
}

func (t *table) copySQL() string {
	return "COPY " + t.name.sql() + " (" + columns() + ") FROM STDIN (FORMAT binary)"
}

// Write implements sqltable.System, in one round trip.
func (t *table) Write(ctx context.Context, b *sqltable.Batch) (durable bool, err error) {
	steps := b.Merged()
	if b.Fresh && t.copyable(steps) {
		if done, err := t.tryCopy(ctx, steps, b); done || err != nil {
			return b.Wait, err
		}
	}
	return b.Wait, t.send(ctx, steps, b)
}

// send sends the rows and the mark in one round trip.
func (t *table) send(ctx context.Context, steps []sqltable.Step, b *sqltable.Batch) error {
	p := t.conn.StartPipeline(ctx)
	// Everything up to the Sync is one transaction; the mark comes first, and its statement fails for a fenced writer.
	p.SendQueryPrepared(stmtMark, t.markParams(b), nil, nil)
	first := 0
	for i := range steps {
		if m := steps[i].Move; m != nil {
			sendRows(p, steps[first:i])
			p.SendQueryPrepared(stmtMove, [][]byte{text(m.Task), text(m.ID), text(m.NewID)}, nil, nil)
			first = i + 1
		}
	}
	sendRows(p, steps[first:])
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
	switch c := code(err); {
	case err == nil:
		return nil
	case c == divisionByZero:
		return sqltable.ErrMarkTaken
	case refuses(c):
		return &sqltable.Refusal{Err: err}
	}
	return t.explain(ctx, err)
}

// maxRows is how many rows one statement takes.
const maxRows = 4096

// sendRows queues the statements for steps without a move.
func sendRows(p *pgconn.Pipeline, steps []sqltable.Step) {
	for len(steps) > 0 {
		n := min(len(steps), maxRows)
		if params := upsertParams(steps[:n]); params != nil {
			p.SendQueryPrepared(stmtUpsert, params, []int16{1}, nil)
		}
		if params := truthParams(steps[:n]); params != nil {
			p.SendQueryPrepared(stmtTruth, params, []int16{1}, nil)
		}
		steps = steps[n:]
	}
}

// predictions is how many of the steps write a row.
func predictions(steps []sqltable.Step) (n int) {
	for i := range steps {
		if steps[i].Prediction != nil {
			n++
		}
	}
	return n
}

// upsertParams is the parameters of stmtUpsert for the steps that write a row; nil if there is none.
func upsertParams(steps []sqltable.Step) [][]byte {
	n := predictions(steps)
	if n == 0 {
		return nil
	}
	var c [10]array
	for i, oid := range []uint32{oidText, oidText, oidText, oidFloat8, oidJSON, oidText, oidTimestamptz, oidText,
		oidText, oidTimestamptz} {
		c[i].begin(oid, n)
	}
	for i := range steps {
		o := steps[i].Prediction
		if o == nil {
			continue
		}
		c[0].text(o.Task)
		c[1].text(o.ID)
		c[2].text(o.Label)
		c[3].float(o.Score)
		c[4].probabilities(o)
		c[5].text(o.Version.String())
		c[6].time(o.Asked)
		c[7].text(o.Position)
		if a := steps[i].Truth; a != nil {
			c[8].text(a.Truth)
			c[9].time(a.Answered)
		} else {
			c[8].null()
			c[9].null()
		}
	}
	params := make([][]byte, len(c))
	for i := range c {
		params[i] = c[i].b
	}
	return params
}

// truthParams is the parameters of stmtTruth for the steps that hold a truth alone; nil if there is none.
func truthParams(steps []sqltable.Step) [][]byte {
	told := 0
	for i := range steps {
		if steps[i].Truth != nil && steps[i].Prediction == nil {
			told++
		}
	}
	if told == 0 {
		return nil
	}
	var c [4]array
	for i, oid := range []uint32{oidText, oidText, oidText, oidTimestamptz} {
		c[i].begin(oid, told)
	}
	for i := range steps {
		if a := steps[i].Truth; a != nil && steps[i].Prediction == nil {
			c[0].text(a.Task)
			c[1].text(a.ID)
			c[2].text(a.Truth)
			c[3].time(a.Answered)
		}
	}
	return [][]byte{c[0].b, c[1].b, c[2].b, c[3].b}
}

// Type ids of src/include/catalog/pg_type.dat.
const (
	oidText        = 25
	oidJSON        = 114
	oidFloat8      = 701
	oidTimestamptz = 1184
)

// array is a one-dimensional array in binary form (array_send in src/backend/utils/adt/arrayfuncs.c).
type array struct{ b []byte }

func (a *array) begin(oid uint32, n int) {
	a.b = make([]byte, 0, 20+n*16)
	a.b = binary.BigEndian.AppendUint32(a.b, 1) // dimensions
	a.b = binary.BigEndian.AppendUint32(a.b, 1) // there may be NULLs
	a.b = binary.BigEndian.AppendUint32(a.b, oid)
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(n))
	a.b = binary.BigEndian.AppendUint32(a.b, 1) // the first index
}

func (a *array) null() { a.b = binary.BigEndian.AppendUint32(a.b, math.MaxUint32) }

func (a *array) text(s string) {
	s = clean(s)
	a.b = binary.BigEndian.AppendUint32(a.b, uint32(len(s)))
	a.b = append(a.b, s...)
}

// float is NULL for NaN: a model that was not ready has no score.
func (a *array) float(x float64) {
	if math.IsNaN(x) {
		a.null()
		return
	}
	a.b = binary.BigEndian.AppendUint32(a.b, 8)
	a.b = binary.BigEndian.AppendUint64(a.b, math.Float64bits(x))
}

// firstMicros is PostgreSQL's first timestamp, 4714-11-24 BC, in microseconds since 1970. Its last one is beyond
// int64's.
const firstMicros = -210_866_803_200_000_000

// time is NULL for the zero time, and -infinity for one before PostgreSQL's calendar: the server would refuse the
// whole write, each time that it is tried.
func (a *array) time(t time.Time) {
	if t.IsZero() {
		a.null()
		return
	}
	us := int64(math.MinInt64) // -infinity
	if at := t.UnixMicro(); at >= firstMicros {
		us = at - epoch2000
	}
	a.b = binary.BigEndian.AppendUint32(a.b, 8)
	a.b = binary.BigEndian.AppendUint64(a.b, uint64(us))
}

// probabilities is {"class": probability} for a classifier, else NULL.
func (a *array) probabilities(o *tidemill.Output) {
	if o.Labels == nil {
		a.null()
		return
	}
	at := len(a.b)
	a.b = jsontext.Plain.AppendProbabilities(append(a.b, 0, 0, 0, 0), o.Labels, o.Prediction)
	binary.BigEndian.PutUint32(a.b[at:], uint32(len(a.b)-at-4))
}

// clean makes a text that PostgreSQL takes: valid UTF-8 without NUL.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func text(s string) []byte { return []byte(clean(s)) }
