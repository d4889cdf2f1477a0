package sqlite

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/tidemill/tidemill"
)

// Capture is the source: it reads the changes of tables of one database file from a log that triggers write. Changes is
// called from one goroutine, Release from another; Tables, Check and Drop open connections of their own.
type Capture struct {
	path   string
	tables []string
	log    string
	flow   string
	before string
	// wanted is the log row up to which Release was told to delete.
	wanted atomic.Int64
}

// Source captures the tables of the database file at path.
func Source(path string, tables ...string) *Capture {
	return &Capture{path: path, tables: tables, log: "tidemill_log", before: "full"}
}

// Log names the change log's table: two flows that capture from one file need two. The default is tidemill_log.
func (c *Capture) Log(name string) *Capture {
	c.log = name
	return c
}

// KeyOnly lets an update and a delete log only the key of the row as it was: less to write, but Before is unknown
// elsewhere.
func (c *Capture) KeyOnly() *Capture {
	c.before = "key"
	return c
}

var (
	_ tidemill.Source      = (*Capture)(nil)
	_ tidemill.Locator     = (*Capture)(nil)
	_ tidemill.Dropper     = (*Capture)(nil)
	_ tidemill.Checker     = (*Capture)(nil)
	_ tidemill.Describer   = (*Capture)(nil)
	_ tidemill.TableLister = (*Capture)(nil)
	_ tidemill.Namer       = (*Capture)(nil)
)

// Describe names the file, the tables, the log and what of Before is logged.
func (c *Capture) Describe() string {
	return fmt.Sprintf("sqlite path=%s tables=[%s] log=%s before=%s",
		strconv.Quote(c.path), strings.Join(c.tables, " "), c.log, c.before)
}

// Locate prints the change's number in the log.
func (c *Capture) Locate(ch *tidemill.Change) string {
	if ch.Tx != nil && ch.Op == tidemill.Read {
		return fmt.Sprintf("snapshot %d:%d", ch.Tx.Order, ch.N)
	}
	return strconv.FormatUint(ch.At, 10)
}

// TableNames are the captured tables as sqlite://path/main.table.
func (c *Capture) TableNames() []string {
	names := make([]string, len(c.tables))
	for i, t := range c.tables {
		names[i] = tableURL(c.path, t)
	}
	return names
}

// tableURL names a table in a form that is equal for equal tables: SQLite folds the case of ASCII letters.
func tableURL(path, table string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(dir, filepath.Base(path))
	}
	return "sqlite://" + filepath.ToSlash(path) + "/main." + strings.ToLower(table)
}

// settings reports what is wrong with the arguments.
func (c *Capture) settings() error {
	if !validName(c.log) {
		return tidemill.Fatalf("sqlite: log %q: use letters, digits and _, and begin with a letter", c.log)
	}
	if strings.HasPrefix(strings.ToLower(c.log), "sqlite_") {
		return tidemill.Fatalf("sqlite: log %q: SQLite keeps names that begin with sqlite_ for itself", c.log)
	}
	seen := map[string]bool{}
	for _, t := range c.tables {
		k := strings.ToLower(t)
		if seen[k] {
			return tidemill.Fatalf("sqlite: table %q is named twice", t)
		}
		if k == strings.ToLower(c.log) || k == strings.ToLower(shapesTable(c.log)) {
			return tidemill.Fatalf("sqlite: table %q is the change log itself", t)
		}
		seen[k] = true
	}
	return nil
}

func validName(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// layouts reads the shapes of all named tables.
func (c *Capture) layouts(d *db) ([]*layout, error) {
	if len(c.tables) == 0 {
		names, err := d.userTables()
		if err != nil {
			return nil, err
		}
		return nil, tidemill.Fatalf("sqlite: %s: no tables are named; the file has: %s", c.path, strings.Join(names, ", "))
	}
	ls := make([]*layout, len(c.tables))
	for i, t := range c.tables {
		l, err := d.layout(t)
		if err != nil {
			return nil, err
		}
		l.Before = c.before
		ls[i] = l
	}
	return ls, nil
}

// Changes installs the log and yields the snapshot when after is "" or Begun, and then the stream. See the package's
// manual for what it promises.
func (c *Capture) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		if err := c.changes(ctx, after, yield); err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			yield(tidemill.Batch{}, explain(c.path, err))
		}
	}
}

func (c *Capture) changes(ctx context.Context, after tidemill.Position, yield func(tidemill.Batch, error) bool) error {
	if err := c.settings(); err != nil {
		return err
	}
	d, err := openFile(c.path, readWrite)
	if err != nil {
		return err
	}
	defer d.close()
	d.watch(ctx)
	file, err := os.Stat(c.path)
	if err != nil {
		return err
	}
	st := &stream{c: c, d: d, path: c.path, file: file}
	defer st.close()
	if after == "" || after == tidemill.Begun {
		if err := st.begin(ctx, after); err != nil {
			return err
		}
		c.wanted.Store(0)
		if ok, err := st.snapshot(ctx, yield); err != nil || !ok {
			return err
		}
		return st.run(ctx, yield, false)
	}
	at, err := parsePlace(after)
	if err != nil {
		return err
	}
	if err := d.retry(ctx, func() error { return st.resume(at) }); err != nil {
		return err
	}
	return st.run(ctx, yield, true)
}

// begin installs the log and the triggers in one short write transaction, and gives the schema's version after it.
func (c *Capture) begin(ctx context.Context, d *db, after tidemill.Position) (version int64, err error) {
	err = d.write(ctx, func() error {
		have, err := d.exists(c.log)
		if err != nil {
			return err
		}
		if have && after == "" {
			return tidemill.Fatalf("sqlite: %s has the change log %s of an earlier run already, and the flow has no "+
				"checkpoint: run with --fresh to start over, "+
				"or remove it: tidemill source drop: %w", c.path, c.log, tidemill.ErrGap)
		}
		if have {
			m, err := d.meta(c.log)
			if err == nil && m != nil && m.Flow != "" && c.flow != "" && m.Flow != c.flow {
				return tidemill.Fatalf("sqlite: %s: the change log %s belongs to the flow %q; give this "+
					"flow another one: log: NAME", c.path, c.log, m.Flow)
			}
			if _, err := d.remove(c.log); err != nil {
				return err
			}
		}
		layouts, err := c.layouts(d)
		if err != nil {
			return err
		}
		if err := d.install(c.log, c.flow, layouts); err != nil {
			return err
		}
		version, err = d.one("PRAGMA main.schema_version")
		return err
	})
	return version, err
}

// Tables reads the captured tables' shapes as they are now; all tables of the file where none are named.
func (c *Capture) Tables(ctx context.Context) ([]*tidemill.Table, error) {
	d, err := look(c.path)
	if err != nil {
		return nil, err
	}
	defer d.close()
	d.watch(ctx)
	var tables []*tidemill.Table
	err = d.retry(ctx, func() error {
		tables = nil
		names := c.tables
		if len(names) == 0 {
			all, err := d.userTables()
			if err != nil {
				return err
			}
			names = slices.DeleteFunc(all, func(n string) bool { return n == c.log || n == shapesTable(c.log) })
		}
		for _, n := range names {
			l, err := d.layout(n)
			if err != nil {
				return err
			}
			l.Before = c.before
			tables = append(tables, l.table())
		}
		return nil
	})
	return tables, explain(c.path, err)
}

// Drop removes the triggers and the log, and says what it removed.
func (c *Capture) Drop(ctx context.Context) (done []string, err error) {
	if err := c.settings(); err != nil {
		return nil, err
	}
	d, err := openFile(c.path, readWrite)
	if err != nil {
		return nil, err
	}
	defer d.close()
	d.watch(ctx)
	err = d.write(ctx, func() (err error) {
		done, err = d.remove(c.log)
		return err
	})
	return done, explain(c.path, err)
}
