package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqltable"
	"github.com/tidemill/tidemill/expr"
)

// site is a database that is looked at.
type site struct {
	url    string
	db     *sql.DB
	tables []*tidemill.Table
}

func mistake(format string, a ...any) error {
	return &tidemill.UsageError{Err: fmt.Errorf(format, a...)}
}

// Open looks at a database.
func (*SourceConfig) Open(ctx context.Context, url, table string) (tidemill.Place, error) {
	if _, err := parseURL(url); err != nil { // before the driver sees it, whose errors may repeat a part of it
		return nil, mistake("%s", hidePassword(err.Error()))
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, mistake("the URL cannot be read; write %s", fullURL)
	}
	p := &site{url: url, db: db}
	if err := p.open(ctx, table); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return p, nil
}

func (p *site) open(ctx context.Context, table string) error {
	const most = 50 // tables
	all, err := p.names(ctx)
	if err != nil {
		return err
	}
	names := all[:min(len(all), most)]
	if table != "" {
		names = []string{table}
	}
	if len(names) == 0 {
		return mistake("the database has no tables")
	}
	p.tables, err = Source(p.url, names...).Tables(ctx)
	if err != nil {
		if near := expr.Nearest(table, all); table != "" && near != "" {
			err = fmt.Errorf("%w; the nearest is %q", err, near)
		}
		return err
	}
	if table == "" {
		return nil
	}
	var kind string
	err = p.db.QueryRowContext(ctx, `SELECT c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2`, p.tables[0].Schema, p.tables[0].Name).Scan(&kind)
	if err == nil && kind != "r" && kind != "p" {
		return mistake("%s is not a table: views and foreign tables are not in the database's log; name a table", p.tables[0])
	}
	return nil
}

// names are the tables that a flow could read, the largest first.
func (p *site) names(ctx context.Context) (names []string, err error) {
	rows, err := p.db.QueryContext(ctx, `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema')
		AND n.nspname NOT LIKE 'pg_toast%' AND c.relname <> 'tidemill_marks' ORDER BY c.reltuples DESC, 1, 2`)
	if err != nil {
		return nil, errors.New("postgres: " + hidePassword(err.Error()))
	}
	defer rows.Close()
	for rows.Next() {
		var t tableName
		if err := rows.Scan(&t.schema, &t.name); err != nil {
			return nil, err
		}
		names = append(names, wordOf(t.schema, t.name))
	}
	return names, rows.Err()
}

// wordOf is how a flow names a table.
func wordOf(schema, name string) string {
	if schema == "" || schema == "public" {
		return name
	}
	return schema + "." + name
}

func (p *site) String() string            { return hidePassword(p.url) }
func (p *site) Tables() []*tidemill.Table { return p.tables }
func (p *site) Close() error              { return p.db.Close() }

// Setup reads the table from the log and writes predictions into the same database.
func (p *site) Setup(t *tidemill.Table, id string) tidemill.Setup {
	word := wordOf(t.Schema, t.Name)
	url := tidemill.Setting{Key: "url", Text: p.url}
	s := tidemill.Setup{Flow: p.database() + "-" + word, Table: word} // two schemas may have a table of one name
	if shown := hidePassword(p.url); strings.Contains(shown, "***") {
		url = tidemill.Setting{Key: "url", Env: "DATABASE_URL"}
		s.Hint = "the password is not written: export DATABASE_URL=" + shown + " (with the password) before the first run"
	}
	s.Source = []tidemill.Setting{url, {Key: "tables", List: []string{word}}}
	s.Sink = []tidemill.Setting{url, {Key: "table", Word: "predictions"}}
	s.SinkNote = "Predictions are written here, one row for each task and id; the table is made on the first run."
	if len(t.Key) > 0 {
		return s
	}
	alter := "  ALTER TABLE " + tableName{t.Schema, t.Name}.sql()
	if id == "" {
		s.KeyNotes = []string{
			"The table has no primary key, and a flow needs one to join questions and answers. What mends it:",
			alter + " ADD COLUMN id bigserial PRIMARY KEY;",
		}
	} else {
		s.KeyNotes = []string{
			"The table has no primary key: rows are told apart by " + id +
				", which has no value twice. Its updates are in the log with",
			alter + " ADD PRIMARY KEY (" + quoting.Name(id) + ");",
		}
	}
	return s
}

// database is the last segment of the URL.
func (p *site) database() string {
	url, _, _ := strings.Cut(p.url, "?")
	if _, rest, ok := strings.Cut(url, "://"); ok {
		if _, name, ok := strings.Cut(rest, "/"); ok && name != "" {
			return name
		}
	}
	return "flow"
}

// Sample has the server count.
func (p *site) Sample(ctx context.Context, t *tidemill.Table, rows int) (*tidemill.Sample, error) {
	from := tableName{t.Schema, t.Name}.sql()
	s := sqltable.NewSampler(p.db, t, from, rows)
	s.Sample.Keyless = len(t.Key) == 0
	for _, look := range []func(context.Context) error{
		s.Count, s.Times, func(ctx context.Context) error { return infinities(ctx, s) }, s.Pictures,
	} {
		if err := look(ctx); err != nil {
			return nil, err
		}
	}
	err := s.References(ctx, `SELECT a.attname FROM pg_constraint c
		JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
		WHERE c.contype = 'f' AND c.conrelid = $1::regclass`, from)
	return s.Sample, err
}

// infinities finds the columns that hold what no feature takes.
func infinities(ctx context.Context, s *sqltable.Sampler) error {
	var of []string
	var at []int
	for i := range s.Sample.Columns {
		switch s.Sample.Columns[i].Kind {
		case tidemill.KindFloat, tidemill.KindDecimal, tidemill.KindTime:
			of = append(of, "count(*) FILTER (WHERE lower("+s.Name(i)+"::text) IN ('infinity', '-infinity'))")
			at = append(at, i)
		}
	}
	if len(of) == 0 {
		return nil
	}
	counts, err := s.Ints(ctx, of)
	if err != nil {
		return err
	}
	for k, i := range at {
		if counts[k] > 0 {
			s.Sample.Columns[i].Odd = "infinite in some rows"
		}
	}
	return nil
}
