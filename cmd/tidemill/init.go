package main

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/spf13/cobra"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/file"
	"github.com/tidemill/tidemill/connector/postgres"
	"github.com/tidemill/tidemill/connector/sqlite"
	"github.com/tidemill/tidemill/expr"
)

func (a *app) initCommand() *cobra.Command {
	var table, label string
	c := &cobra.Command{
		Use: "init postgres://...|file.db|file.csv", Short: "Look at a database and write a flow file for it", Args: args(1, 1),
		Long: `Looks at a database's tables, or at a file's rows, picks a table, guesses which column is the answer and which ones can
be features, and prints a commented flow file. Nothing is changed at the database. Read it
before it is run: the guess is by names and values, and only people know what a column means.`,
		Example: "  tidemill init postgres://localhost/shop > flow.yaml\n  tidemill init shop.db --table orders --label returned > flow.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			defer cancel()
			return a.initFlow(ctx, args[0], table, label)
		},
	}
	c.Flags().StringVar(&table, "table", "", "the table to ask about; by default the one that suits best")
	c.Flags().StringVar(&label, "label", "", "the column that is the answer")
	return c
}

// database is what init looks at.
type database struct {
	kind   string          // postgres, sqlite
	db     *sql.DB         // nil for a file
	rows   tidemill.Source // of a file
	source string          // the YAML of the source's own key
	sink   string
	hint   string // what to do before the first run
	name   string // for the flow
}

func (a *app) initFlow(ctx context.Context, where, table, label string) error {
	d, tables, err := openDatabase(ctx, where, table)
	if err != nil {
		return err
	}
	if d.db != nil {
		defer d.db.Close()
	}
	var found []*survey // the one that suits best first
	for _, t := range tables {
		s, err := newSurvey(ctx, d, t, label)
		if err != nil {
			if table != "" || ctx.Err() != nil {
				return &failure{exitEnvironment, fmt.Errorf("table %s: %w", t, err)}
			}
			fmt.Fprintf(a.err, "table %s is passed over: %v\n", t, err)
			continue
		}
		if table != "" || s.suits() >= 0 {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(x, y *survey) int { return cmp.Compare(y.suits(), x.suits()) })
	if label != "" && table == "" { // the tables that have it, where one has
		if with := slices.DeleteFunc(slices.Clone(found), func(s *survey) bool { return s.label == nil }); len(with) > 0 {
			found = with
		}
	}
	if len(found) == 0 {
		return &failure{exitEnvironment, fmt.Errorf("no table of %s can be used", hidePassword(where))}
	}
	best := found[0]
	if label != "" && best.label == nil {
		var names []string
		for _, c := range best.table.Columns {
			names = append(names, c.Name)
		}
		mend := "its columns are " + strings.Join(names, ", ")
		if near := expr.Nearest(label, names); near != "" {
			mend = fmt.Sprintf("the nearest is %q", near)
		}
		return usage("table %s has no column %q; %s", best.table, label, mend)
	}
	text, first := "", error(nil)
	for _, best = range found {
		for _, s := range found {
			if s != best && s.suits() > 0 && s.label != nil && s.label.looksLikeAnswer(s.rows) >= 1 && len(best.others) < 12 {
				best.others = append(best.others, s.table.String())
			}
		}
		if text, err = best.flow(d); err == nil {
			break
		}
		if first == nil {
			first = err
		}
	}
	if err != nil {
		return first
	}
	if _, err := io.WriteString(a.out, text); err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.err, d.hint+"next: tidemill check flow.yaml --connect")
	return err
}

// openDatabase lists the tables: the one that is named, or all that a flow could read.
func openDatabase(ctx context.Context, where, table string) (*database, []*tidemill.Table, error) {
	if strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://") {
		return openPostgres(ctx, where, table)
	}
	head := make([]byte, 16)
	f, err := os.Open(where)
	if err != nil {
		scheme, _, isURL := strings.Cut(where, "://")
		switch {
		case isURL:
			return nil, nil, usage("there is no source for %s:// URLs; it looks at postgres://user@host/database, at SQLite files, and at .csv, .tsv and .jsonl files", scheme)
		case strings.Contains(where, "="):
			return nil, nil, usage("that is neither a file nor a URL; write postgres://user:password@host:5432/database")
		case errors.Is(err, os.ErrNotExist):
			return nil, nil, usage("%s is neither a file nor a URL like postgres://user@host/database", where)
		}
		return nil, nil, &failure{exitEnvironment, err}
	}
	_, err = io.ReadFull(f, head)
	f.Close()
	if err == nil && bytes.HasPrefix(head, []byte("SQLite format 3\x00")) {
		return openSQLite(ctx, where, table)
	}
	for _, end := range []string{".csv", ".tsv", ".jsonl", ".csv.gz", ".tsv.gz", ".jsonl.gz"} {
		if strings.HasSuffix(where, end) {
			return openFile(ctx, where)
		}
	}
	return nil, nil, usage("%s is neither a SQLite file nor a .csv, .tsv or .jsonl file", where)
}

func openFile(ctx context.Context, path string) (*database, []*tidemill.Table, error) {
	source := file.Source(path)
	tables, err := source.Tables(ctx)
	if err != nil {
		return nil, nil, &failure{exitEnvironment, err}
	}
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return &database{kind: "file", rows: source, name: "file", source: "path: " + yamlText(path), sink: "path: " + yamlText(name+"-predictions.jsonl")}, tables, nil
}

func openSQLite(ctx context.Context, path, table string) (*database, []*tidemill.Table, error) {
	var names []string
	if table != "" {
		names = []string{table}
	}
	tables, err := sqlite.Source(path, names...).Tables(ctx)
	if err != nil {
		return nil, nil, &failure{exitEnvironment, err}
	}
	if len(tables) == 0 {
		return nil, nil, usage("%s has no tables", path)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, nil, err
	}
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return &database{kind: "sqlite", db: db, name: base, source: "path: " + yamlText(path), sink: "path: " + yamlText(path)}, tables, nil
}

func openPostgres(ctx context.Context, url, table string) (*database, []*tidemill.Table, error) {
	read := postgres.NewSinkConfig()
	read.URL = url
	if _, err := read.Build(""); err != nil { // before the driver sees it, whose errors may repeat a part of it
		return nil, nil, usage("%s", hidePassword(err.Error()))
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		return nil, nil, usage("the URL cannot be read; write postgres://user:password@host:5432/database")
	}
	all, err := postgresTables(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	names := all[:min(len(all), 50)]
	if table != "" {
		names = []string{table}
	}
	if len(names) == 0 {
		return nil, nil, usage("the database has no tables")
	}
	tables, err := postgres.Source(url, names...).Tables(ctx)
	if err != nil {
		if near := expr.Nearest(table, all); table != "" && near != "" {
			err = fmt.Errorf("%w; the nearest is %q", err, near)
		}
		return nil, nil, &failure{exitEnvironment, err}
	}
	if table != "" {
		var kind string
		err := db.QueryRowContext(ctx, "SELECT c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2",
			tables[0].Schema, tables[0].Name).Scan(&kind)
		if err == nil && kind != "r" && kind != "p" {
			return nil, nil, usage("%s is not a table: views and foreign tables are not in the database's log; name a table", tables[0])
		}
	}
	d := &database{kind: "postgres", db: db, name: lastSegment(url), source: "url: " + yamlText(url), sink: "url: " + yamlText(url)}
	if strings.Contains(hidePassword(url), "***") {
		d.source, d.sink = `url: "${DATABASE_URL}"`, `url: "${DATABASE_URL}"`
		d.hint = "the password is not written: export DATABASE_URL=" + hidePassword(url) + " (with the password) before the first run\n"
	}
	return d, tables, nil
}

// postgresTables names the tables that a flow could read, the largest first.
func postgresTables(ctx context.Context, db *sql.DB) (names []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
		AND c.relname <> 'tidemill_marks' ORDER BY c.reltuples DESC, 1, 2`)
	if err != nil {
		return nil, &failure{exitEnvironment, errors.New("postgres: " + hidePassword(err.Error()))}
	}
	defer rows.Close()
	for rows.Next() {
		var schema, name string
		if err := rows.Scan(&schema, &name); err != nil {
			return nil, err
		}
		if schema != "public" {
			name = schema + "." + name
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func lastSegment(url string) string {
	url, _, _ = strings.Cut(url, "?")
	if _, rest, ok := strings.Cut(url, "://"); ok {
		if _, name, ok := strings.Cut(rest, "/"); ok && name != "" {
			return name
		}
	}
	return "flow"
}

// hidePassword stars what stands between "name:" and "@" of a URL, and what its options hold as passwords.
func hidePassword(s string) string {
	s = passwordOption.ReplaceAllString(s, "${1}***")
	i := strings.Index(s, "://")
	if i < 0 {
		return s
	}
	place, _, _ := strings.Cut(s[i:], "?")
	at := strings.LastIndexByte(place, '@')
	colon := strings.IndexByte(s[i+3:], ':')
	if at < 0 || colon < 0 || colon+3 > at {
		return s
	}
	return s[:i+3+colon+1] + "***" + s[i+at:]
}

var passwordOption = regexp.MustCompile(`(?i)([?&](?:ssl)?password=)[^&\s"` + "`" + `]*`)

func yamlText(s string) string { return fmt.Sprintf("%q", strings.ReplaceAll(s, "${", "$${")) }
