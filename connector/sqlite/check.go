package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidemill/tidemill"
)

// findings collects what a check finds under one path of the flow.
type findings struct {
	path string
	list []tidemill.Finding
}

func (f *findings) add(level, mend, format string, a ...any) {
	f.list = append(f.list, tidemill.Finding{Path: f.path, Level: level, Text: fmt.Sprintf(format, a...), Mend: mend})
}

func (f *findings) failed(err error) []tidemill.Finding {
	f.add("error", "", "%s", strings.TrimPrefix(err.Error(), "sqlite: "))
	return f.list
}

// writable reports whether this user may write the file and make files beside it. It does not open the file: closing it
// again would take away the locks that other connections of this process hold.
func writable(path string) error {
	if err := mayWrite(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return mayWrite(filepath.Dir(path))
}

// Check looks at the file, the tables, the journal mode, the keys, and a log that is there, and changes nothing.
func (c *Capture) Check(ctx context.Context) []tidemill.Finding {
	f := &findings{path: "source.sqlite"}
	if err := c.settings(); err != nil {
		return f.failed(err)
	}
	d, err := look(c.path)
	if err != nil {
		return f.failed(err)
	}
	defer d.close()
	d.watch(ctx)
	if err := d.retry(ctx, func() error { f.list = nil; return c.look(d, f) }); err != nil {
		return f.failed(explain(c.path, err))
	}
	return f.list
}

func (c *Capture) look(d *db, f *findings) error {
	mode, err := d.text("PRAGMA main.journal_mode")
	if err != nil {
		return err
	}
	if err := writable(c.path); err != nil {
		f.add("error", "give this user write access to the file and to its folder",
			"%s cannot be written, and triggers must be made there: %v", c.path, err)
	}
	if mode != "wal" {
		f.add("warning", "PRAGMA journal_mode=WAL",
			"journal_mode is %s: writers wait while changes are read, and the snapshot is read from a "+
				"temporary copy of the file", mode)
	}
	layouts, err := c.layouts(d)
	if err != nil {
		return err
	}
	for _, l := range layouts {
		c.lookTable(l, f)
	}
	m, err := d.meta(c.log)
	if err != nil {
		return err
	}
	have, err := d.exists(c.log)
	if err != nil {
		return err
	}
	switch {
	case m != nil && m.Flow != "" && c.flow != "" && m.Flow != c.flow:
		f.add("error", "log: NAME", "the change log %s belongs to the flow %q", c.log, m.Flow)
	case m != nil:
		first, err := d.one("SELECT seq FROM main." + quoting.Name(c.log) + " ORDER BY seq LIMIT 1")
		if err != nil {
			return err
		}
		last, err := d.one("SELECT seq FROM main." + quoting.Name(c.log) + " ORDER BY seq DESC LIMIT 1")
		if err != nil {
			return err
		}
		f.add("ok", "", "the change log %s holds rows %d to %d", c.log, first, last)
	case have:
		f.add("error", "run --fresh, or: tidemill source drop", "the change log %s is there in parts only", c.log)
	default:
		f.add("ok", "", "the change log %s and %d triggers will be made", c.log, 3*len(layouts))
	}
	return nil
}

func (c *Capture) lookTable(l *layout, f *findings) {
	switch {
	case l.Rowid != "":
		f.add("warning", "give the table an INTEGER PRIMARY KEY",
			"table %s has no primary key: rows are told apart by %s, which VACUUM may change", l.Name, l.Rowid)
	case len(l.Key) == 0:
		f.add("error", "give the table a primary key", "table %s has no primary key, and its columns hide the rowid", l.Name)
	default:
		names := make([]string, len(l.Key))
		for i, k := range l.Key {
			names[i] = l.Columns[k].Name
		}
		f.add("ok", "", "table %s: %d columns, primary key %s", l.Name, len(l.Columns), strings.Join(names, ", "))
	}
	if len(l.Unique) > 0 && len(l.Key) > maxKey {
		f.add("warning", "", "table %s: rows that REPLACE deletes for another unique index are not seen: the key has more "+
			"than %d columns", l.Name, maxKey)
	}
}

// Check looks at the file, the journal mode and a table that is there, and changes nothing.
func (p *Predictions) Check(ctx context.Context) []tidemill.Finding {
	f := &findings{path: "sinks.sqlite"}
	t := p.table
	if err := t.settings(); err != nil {
		return f.failed(err)
	}
	if err := writable(t.path); err != nil {
		f.add("error", "make the folder, or give this user write access to it and to the file",
			"%s cannot be written: %v", t.path, err)
		return f.list
	}
	if _, err := os.Stat(t.path); errors.Is(err, os.ErrNotExist) {
		f.add("ok", "", "%s and table %s will be made", t.path, t.name)
		return f.list
	}
	d, err := look(t.path)
	if err != nil {
		return f.failed(err)
	}
	defer d.close()
	d.watch(ctx)
	if err := d.retry(ctx, func() error { f.list = nil; return t.look(d, f) }); err != nil {
		return f.failed(explain(t.path, err))
	}
	return f.list
}

func (t *table) look(d *db, f *findings) error {
	mode, err := d.text("PRAGMA main.journal_mode")
	if err != nil {
		return err
	}
	if mode != "wal" {
		f.add("warning", "PRAGMA journal_mode=WAL", "journal_mode is %s: every batch of predictions waits for the disk, "+
			"and readers and writers wait for each other", mode)
	}
	missing, have, err := t.missing(d)
	switch {
	case err != nil:
		return err
	case !have:
		f.add("ok", "", "table %s will be made", t.name)
	case len(missing) > 0:
		f.add("ok", "", "table %s gets the columns %s", t.name, strings.Join(missing, ", "))
	default:
		f.add("ok", "", "table %s is there", t.name)
	}
	return nil
}
