package sqlite

import (
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
)

// layout is a captured table as its log rows hold it.
type layout struct {
	Name    string   `json:"table"`
	Columns []column `json:"columns"`
	Key     []int    `json:"key"`
	Rowid   string   `json:"rowid,omitempty"` // the alias that was added as the last column, where there is no primary key
	NoRowid bool     `json:"without_rowid,omitempty"`
	Before  string   `json:"before"` // full or key
	// Unique are the unique indexes beside the key: REPLACE deletes the rows that stand in its
	// way there, and says nothing.
	Unique [][]indexed `json:"unique,omitempty"`
}

// indexed is one column of an index.
type indexed struct {
	Column  int    `json:"column"`
	Collate string `json:"collate,omitempty"`
}

// column is one column of a layout.
type column struct {
	Name    string  `json:"name"`
	Native  string  `json:"type,omitempty"`
	NotNull bool    `json:"not_null,omitempty"`
	Default *string `json:"default,omitempty"`
}

// The affinities that matter here: a value of a wide one may be long.
func (c *column) wide() bool {
	a := affinity(c.Native)
	return a == "TEXT" || a == "BLOB"
}

// affinity is section 3.1 of https://www.sqlite.org/datatype3.html.
func affinity(native string) string {
	u := strings.ToUpper(native)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(u, w) {
				return true
			}
		}
		return false
	}
	switch {
	case has("INT"):
		return "INTEGER"
	case has("CHAR", "CLOB", "TEXT"):
		return "TEXT"
	case u == "" || has("BLOB"):
		return "BLOB"
	case has("REAL", "FLOA", "DOUB"):
		return "REAL"
	}
	return "NUMERIC"
}

// kindOf is the kind that a column of this declared type is expected to hold. A value says itself what it is: SQLite
// lets any column hold any storage class.
func kindOf(native string) tidemill.Kind {
	u := strings.ToUpper(native)
	switch affinity(native) {
	case "INTEGER":
		return tidemill.KindInt
	case "TEXT":
		return tidemill.KindText
	case "REAL":
		return tidemill.KindFloat
	case "BLOB":
		if u == "" {
			return tidemill.KindUnknown
		}
		return tidemill.KindBytes
	}
	switch {
	case strings.HasPrefix(u, "BOOL"):
		return tidemill.KindInt
	case strings.HasPrefix(u, "DEC"), strings.HasPrefix(u, "NUM"):
		return tidemill.KindFloat
	case u == "ANY":
		return tidemill.KindUnknown
	}
	return tidemill.KindText // DATE, DATETIME, TIMESTAMP, UUID, JSON …
}

// table is the layout as the engine knows it.
func (l *layout) table() *tidemill.Table {
	cols := make([]tidemill.Column, len(l.Columns))
	for i, c := range l.Columns {
		cols[i] = tidemill.Column{Name: c.Name, Kind: kindOf(c.Native), Native: c.Native,
			Nullable: !c.NotNull, Default: c.Default}
	}
	t := tidemill.NewTable("", l.Name, cols, l.Key)
	t.KeyOnly = l.Before == "key"
	return t
}

// same reports whether the log rows of both layouts hold the same values in the same places under the same names.
func (l *layout) same(m *layout) bool {
	if l.Name != m.Name || l.Before != m.Before || l.Rowid != m.Rowid || len(l.Columns) != len(m.Columns) ||
		len(l.Key) != len(m.Key) {
		return false
	}
	for i := range l.Columns {
		a, b := &l.Columns[i], &m.Columns[i]
		if a.Name != b.Name || a.Native != b.Native || a.NotNull != b.NotNull {
			return false
		}
	}
	for i := range l.Key {
		if l.Key[i] != m.Key[i] {
			return false
		}
	}
	return true
}

// userTables are the names of the ordinary tables that are not SQLite's and not ours, in order of name.
func (d *db) userTables() (names []string, err error) {
	err = d.query(`SELECT name FROM pragma_table_list WHERE schema='main' AND type='table' ORDER BY name`,
		func(s *stmt) error {
			n := s.text(0)
			if l := strings.ToLower(n); !strings.HasPrefix(l, "sqlite_") && !strings.HasPrefix(l, "tidemill_") {
				names = append(names, n)
			}
			return nil
		})
	return names, err
}

// notATable says why nothing of this name and kind can be captured; kind is empty where there is no such thing.
func (d *db) notATable(name, kind string) error {
	if kind == "" {
		names, err := d.userTables()
		if err != nil {
			return err
		}
		have := "the file has no tables"
		if len(names) > 0 {
			have = "tables are: " + strings.Join(names, ", ")
		}
		return tidemill.Fatalf("sqlite: %s has no table %q; %s", d.path, name, have)
	}
	if kind == "virtual" || kind == "shadow" {
		kind += " table"
	}
	return tidemill.Fatalf("sqlite: %s: %q is a %s, whose changes no trigger sees: name ordinary tables",
		d.path, name, kind)
}

// layout reads the shape of the table called name, as the database spells it.
func (d *db) layout(name string) (*layout, error) {
	l := &layout{Before: "full"}
	kind := ""
	err := d.query(`SELECT name, type, wr FROM pragma_table_list WHERE schema='main' AND name=? COLLATE NOCASE`,
		func(s *stmt) error {
			l.Name, kind, l.NoRowid = s.text(0), s.text(1), s.int(2) != 0
			return nil
		}, name)
	if err != nil {
		return nil, err
	}
	if kind != "table" {
		return nil, d.notATable(name, kind)
	}
	keyAt := map[int64]int{}
	names := map[string]bool{}
	err = d.query(`SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid`,
		func(s *stmt) error {
			if s.int(5) == 1 {
				return nil
			}
			c := column{Name: s.text(0), Native: s.text(1), NotNull: s.int(2) != 0 || s.int(4) > 0}
			if s.kind(3) != sqliteNull {
				t := s.text(3)
				c.Default = &t
			}
			if pk := s.int(4); pk > 0 {
				keyAt[pk] = len(l.Columns)
			}
			names[strings.ToLower(c.Name)] = true
			l.Columns = append(l.Columns, c)
			return nil
		}, l.Name)
	if err != nil {
		return nil, err
	}
	for i := int64(1); i <= int64(len(keyAt)); i++ {
		l.Key = append(l.Key, keyAt[i])
	}
	if len(l.Key) == 0 && !l.NoRowid {
		for _, alias := range []string{"rowid", "_rowid_", "oid"} {
			if !names[alias] {
				l.Rowid = alias
				l.Key = []int{len(l.Columns)}
				l.Columns = append(l.Columns, column{Name: alias, Native: "INTEGER", NotNull: true})
				break
			}
		}
	}
	if len(l.Columns) > maxColumns {
		return nil, tidemill.Fatalf("sqlite: %s: table %q has %d columns; at most %d can be captured",
			d.path, l.Name, len(l.Columns), maxColumns)
	}
	l.Unique, err = d.unique(l)
	return l, err
}

// unique reads the table's unique indexes but those that are the key. An index over an expression is left out.
func (d *db) unique(l *layout) (all [][]indexed, err error) {
	at := map[string]int{}
	for i, c := range l.Columns {
		at[c.Name] = i
	}
	var names []string
	err = d.query(`SELECT name FROM pragma_index_list(?) WHERE "unique" ORDER BY name`, func(s *stmt) error {
		names = append(names, s.text(0))
		return nil
	}, l.Name)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		var index []indexed
		plain := true
		err := d.query(`SELECT cid, name, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno`, func(s *stmt) error {
			i, ok := at[s.text(1)]
			if s.int(0) < 0 || !ok {
				plain = false
				return nil
			}
			ix := indexed{Column: i}
			if c := s.text(2); c != "BINARY" {
				ix.Collate = c
			}
			index = append(index, ix)
			return nil
		}, n)
		if err != nil {
			return nil, err
		}
		if plain && !l.isKey(index) {
			all = append(all, index)
		}
	}
	return all, nil
}

func (l *layout) isKey(index []indexed) bool {
	if len(index) != len(l.Key) {
		return false
	}
	for i, x := range index {
		// Two keys that only a collation makes equal are two keys to whoever reads the changes.
		if x.Column != l.Key[i] || x.Collate != "" {
			return false
		}
	}
	return true
}

// maxColumns keeps the arguments of an update's log rows below SQLite's limits.
const maxColumns = 16000

// selectRows reads all rows of the layout's table in the order of their keys.
func (l *layout) selectRows() string {
	order := "rowid"
	if l.Rowid != "" {
		order = l.Rowid
	}
	if l.NoRowid {
		var keys []string
		for _, k := range l.Key {
			keys = append(keys, quoting.Name(l.Columns[k].Name))
		}
		order = strings.Join(keys, ", ")
	}
	return fmt.Sprintf("SELECT %s FROM main.%s ORDER BY %s", l.list("", nil), quoting.Name(l.Name), order)
}

// list joins the columns (all, or those in only), each with the prefix ("new." or "old.").
func (l *layout) list(prefix string, only []int) string {
	var b strings.Builder
	add := func(i int) {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(prefix)
		b.WriteString(quoting.Name(l.Columns[i].Name))
	}
	if only != nil {
		for _, i := range only {
			add(i)
		}
		return b.String()
	}
	for i := range l.Columns {
		add(i)
	}
	return b.String()
}
