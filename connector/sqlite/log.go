package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
)

// formatVersion is of the log's tables; a program that meets a higher one stops.
const formatVersion = 1

// maxWidth bounds the columns of the log. A row of more values goes over several log rows, so that a wide table does
// not make every log row of a narrow one long.
const maxWidth = 64

// meta is what the log says about itself: shape 0 in the table of shapes.
type meta struct {
	log     string // the log table's name
	ID      string `json:"id"` // random
	Version int    `json:"version"`
	Flow    string `json:"flow,omitempty"`
	Width   int    `json:"width"` // columns c0, c1 … of the log table
}

func shapesTable(log string) string { return log + "_shapes" }

// goneTable holds, while a row is written, the keys of the rows that stand in its way; see layout.vanish.
func goneTable(log string) string { return log + "_gone" }

func logTables(log string) []string { return []string{log, shapesTable(log), goneTable(log)} }

// exists reports whether anything of the log is in the database.
func (d *db) exists(log string) (bool, error) {
	n, err := d.one(`SELECT count(*) FROM main.sqlite_schema WHERE name IN (?, ?, ?)`,
		log, shapesTable(log), goneTable(log))
	return n > 0, err
}

// meta reads the log's account of itself; nil if there is no log.
func (d *db) meta(log string) (*meta, error) {
	n, err := d.one(`SELECT count(*) FROM main.sqlite_schema WHERE type='table' AND name IN (?, ?)`, log, shapesTable(log))
	if err != nil || n < 2 {
		return nil, err
	}
	body, err := d.text(fmt.Sprintf("SELECT body FROM main.%s WHERE shape=0", quoting.Name(shapesTable(log))))
	if err != nil {
		return nil, err
	}
	m := &meta{log: log}
	if err := json.Unmarshal([]byte(body), m); err != nil || m.ID == "" {
		return nil, tidemill.Fatalf("sqlite: %s: table %s is not what this program wrote; run with --fresh to start over",
			d.path, shapesTable(log))
	}
	if m.Version > formatVersion {
		return nil, fmt.Errorf("sqlite: %s: log %s has format %d, this program knows %d: %w",
			d.path, log, m.Version, formatVersion, tidemill.ErrNewer)
	}
	if m.Width < 1 || m.Width > maxWidth {
		return nil, tidemill.Fatalf("sqlite: %s: table %s is damaged; run with --fresh to start over",
			d.path, shapesTable(log))
	}
	return m, nil
}

// install makes the log and the triggers inside the caller's write transaction.
func (d *db) install(log, flow string, layouts []*layout) error {
	m := &meta{log: log, Version: formatVersion, Flow: flow}
	for _, l := range layouts {
		m.Width = max(m.Width, len(l.Columns)+len(l.before()))
	}
	m.Width = min(m.Width, maxWidth)
	keys := ""
	for i := range maxKey {
		keys += fmt.Sprintf(", k%d", i)
	}
	id, err := d.text(`SELECT lower(hex(randomblob(8)))`)
	if err != nil {
		return err
	}
	m.ID = id
	var cols strings.Builder
	for i := range m.Width {
		fmt.Fprintf(&cols, ", c%d", i)
	}
	// No AUTOINCREMENT: it costs a write per statement. The newest row is never deleted, so that max+1 is always new and
	// the numbers have no holes, which is how a missing row is noticed. No types: a value keeps its storage class.
	err = d.exec(fmt.Sprintf(`CREATE TABLE main.%s(seq INTEGER PRIMARY KEY, code, at%s);
		CREATE TABLE main.%s(shape INTEGER PRIMARY KEY, body TEXT NOT NULL);
		CREATE TABLE main.%s(shape%s);
		INSERT INTO main.%s(code, at) VALUES(%d, julianday('now'))`,
		quoting.Name(log), cols.String(), quoting.Name(shapesTable(log)), quoting.Name(goneTable(log)), keys,
		quoting.Name(log), codeMark))
	if err != nil {
		return err
	}
	if err := d.addShape(m, 0, m); err != nil {
		return err
	}
	for i, l := range layouts {
		shape := int64(i + 1)
		if err := d.addShape(m, shape, l); err != nil {
			return err
		}
		if err := d.addTriggers(m, l, shape); err != nil {
			return err
		}
	}
	return nil
}

func (d *db) addShape(m *meta, shape int64, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return d.query(fmt.Sprintf("INSERT INTO main.%s(shape, body) VALUES(?, ?)",
		quoting.Name(shapesTable(m.log))), nil, shape, string(b))
}

func (d *db) addTriggers(m *meta, l *layout, shape int64) error {
	for _, t := range l.triggers(m, shape) {
		if err := d.exec("DROP TRIGGER IF EXISTS main." + quoting.Name(t.name)); err != nil {
			return err
		}
		if err := d.exec(t.sql); err != nil {
			return fmt.Errorf("trigger %s: %w", t.name, err)
		}
	}
	return nil
}

// remove drops the log and its triggers inside the caller's write transaction and says what it dropped.
func (d *db) remove(log string) (done []string, err error) {
	var names []string
	err = d.query(`SELECT name FROM main.sqlite_schema WHERE type='trigger' AND substr(name, 1, length(?)) = ? ORDER BY name`,
		func(s *stmt) error { names = append(names, s.text(0)); return nil }, log+":", log+":")
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if err := d.exec("DROP TRIGGER main." + quoting.Name(n)); err != nil {
			return nil, err
		}
		done = append(done, "trigger "+n)
	}
	for _, n := range logTables(log) {
		have, err := d.one(`SELECT count(*) FROM main.sqlite_schema WHERE type='table' AND name=?`, n)
		if err != nil {
			return nil, err
		}
		if have == 0 {
			continue
		}
		if err := d.exec("DROP TABLE main." + quoting.Name(n)); err != nil {
			return nil, err
		}
		done = append(done, "table "+n)
	}
	return done, nil
}
