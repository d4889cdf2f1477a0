package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqltable"
)

// Words says what people read of SQLite.
func (*SourceConfig) Words() tidemill.Words {
	return tidemill.Words{
		Begin: "SQLite format 3\x00", Ends: []string{".db", ".sqlite", ".sqlite3"},
		Usage: "file.db", Example: "shop.db", One: "a SQLite file", Many: "SQLite files",
	}
}

// Outside reports nothing: what is wrong with a file is told by the operating system's errors.
func (*SourceConfig) Outside(error) bool { return false }

// Open looks at a database file.
func (*SourceConfig) Open(ctx context.Context, path, table string) (tidemill.Place, error) {
	var names []string
	if table != "" {
		names = []string{table}
	}
	tables, err := Source(path, names...).Tables(ctx)
	if err != nil {
		return nil, err
	}
	if len(tables) == 0 {
		return nil, &tidemill.UsageError{Err: fmt.Errorf("%s has no tables", path)}
	}
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	return &site{path: path, db: db, tables: tables}, nil
}

// site is a database file that is looked at.
type site struct {
	path   string
	db     *sql.DB
	tables []*tidemill.Table
}

func (p *site) String() string            { return p.path }
func (p *site) Tables() []*tidemill.Table { return p.tables }
func (p *site) Close() error              { return p.db.Close() }

// Setup reads the table with triggers and writes predictions into the same file.
func (p *site) Setup(t *tidemill.Table, _ string) tidemill.Setup {
	s := tidemill.Setup{
		Flow:  strings.TrimSuffix(filepath.Base(p.path), filepath.Ext(p.path)) + "-" + t.Name,
		Table: t.Name,
		Source: []tidemill.Setting{
			{Key: "path", Text: p.path},
			{Key: "tables", List: []string{t.Name}},
		},
		Sink:     []tidemill.Setting{{Key: "path", Text: p.path}, {Key: "table", Word: "predictions"}},
		SinkNote: "Predictions are written here, one row for each task and id; the table is made on the first run.",
	}
	if len(t.Key) == 0 {
		s.KeyNotes = []string{"The table has no primary key: rows are told apart by their rowid, which VACUUM may change."}
	}
	return s
}

// Sample has SQLite count.
func (p *site) Sample(ctx context.Context, t *tidemill.Table, rows int) (*tidemill.Sample, error) {
	s := sqltable.NewSampler(p.db, t, quoting.Name(t.Name), rows)
	s.Loose = true
	for i := range t.Columns {
		native := strings.ToLower(t.Columns[i].Native)
		if strings.Contains(native, "date") || strings.Contains(native, "time") {
			s.Sample.Columns[i].Kind = tidemill.KindTime // SQLite has no type of its own for times
		}
	}
	for i := range t.Columns {
		if err := p.kinds(ctx, s, i); err != nil {
			return nil, err
		}
	}
	for _, look := range []func(context.Context) error{s.Count, s.Times, s.Pictures} {
		if err := look(ctx); err != nil {
			return nil, err
		}
	}
	err := s.References(ctx, `SELECT "from" FROM pragma_foreign_key_list(?)`, t.Name)
	return s.Sample, err
}

// kinds tells what a column holds, which may be anything whatever its type says: a column without a type gets that of
// its values, and one whose values a flow would stop at is no feature.
func (p *site) kinds(ctx context.Context, s *sqltable.Sampler, i int) error {
	c := &s.Sample.Columns[i]
	switch c.Kind {
	case tidemill.KindInt, tidemill.KindFloat, tidemill.KindDecimal, tidemill.KindUnknown:
	default:
		return nil
	}
	var of []string
	for _, what := range []string{
		"typeof(%s) = 'integer'", "typeof(%s) = 'real'", "typeof(%s) = 'text'", "typeof(%s) = 'blob'",
		"%s IN (9e999, -9e999)",
	} {
		of = append(of, "coalesce(sum("+fmt.Sprintf(what, s.Name(i))+"), 0)")
	}
	counts, err := s.Ints(ctx, of)
	if err != nil {
		return err
	}
	ints, reals, texts, blobs, infinite := counts[0], counts[1], counts[2], counts[3], counts[4]
	numbers := ints + reals
	switch {
	case infinite > 0:
		c.Odd = "infinite in some rows"
	case numbers > 0 && texts+blobs > 0, texts > 0 && blobs > 0:
		c.Odd = "numbers, text or bytes by the row"
	case c.Kind != tidemill.KindUnknown:
		if numbers == 0 && texts+blobs > 0 {
			c.Odd = "no numbers, whatever its type says"
		}
	case reals > 0:
		c.Kind = tidemill.KindFloat
	case ints > 0:
		c.Kind = tidemill.KindInt
	case texts > 0:
		c.Kind = tidemill.KindText
	case blobs > 0:
		c.Kind = tidemill.KindBytes
	}
	return nil
}

// Left says what stays in the file after a stop.
func (*Capture) Left() string {
	return "the triggers stay, and the change log grows until the flow runs again"
}

// MendKey is nothing: rows without a key have their rowid.
func (*Capture) MendKey(*tidemill.Table) string { return "" }

// MendBefore is the setting that logs rows as they were.
func (*Capture) MendBefore(*tidemill.Table) (statement, setting string) { return "", "before: full" }

var (
	_ tidemill.System = (*SourceConfig)(nil)
	_ tidemill.Mender = (*Capture)(nil)
)
