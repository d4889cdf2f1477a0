package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
)

// catalog reads the shapes of tables over one session. It remembers the types that it has looked up, and the last Table
// of each name, so that an unchanged shape stays the same pointer.
type catalog struct {
	s      *session
	types  map[uint32]form
	tables map[tableName]*tidemill.Table
}

func newCatalog(s *session) *catalog {
	return &catalog{s: s, types: map[uint32]form{}, tables: map[tableName]*tidemill.Table{}}
}

// tableInfo is a table as the catalog has it now.
type tableInfo struct {
	name      tableName
	oid       uint32
	kind      byte // r ordinary, p partitioned, others cannot be read
	identity  byte // d n f i
	columns   []columnInfo
	generated []string
	key       []string
}

type columnInfo struct {
	name, native string
	oid, mod     uint32
	nullable     bool
	def          *string
}

func number(b []byte) uint32 {
	n, _ := strconv.ParseInt(string(b), 10, 64)
	return uint32(n)
}

// info looks a table up; nil if there is none.
func (c *catalog) info(ctx context.Context, name tableName) (*tableInfo, error) {
	rows, err := c.s.ask(ctx, `SELECT c.oid::int8, c.relkind, c.relreplident FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = `+quoting.Text(name.schema)+` AND c.relname = `+quoting.Text(name.name))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	t := &tableInfo{name: name, oid: number(rows[0][0]), kind: rows[0][1][0], identity: rows[0][2][0]}
	oid := strconv.FormatUint(uint64(t.oid), 10)
	rows, err = c.s.ask(ctx, `SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid::int8, a.atttypmod, a.attnotnull, a.attgenerated,
			pg_get_expr(d.adbin, d.adrelid)
		FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = `+oid+` AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if string(r[5]) != "" {
			t.generated = append(t.generated, string(r[0]))
			continue
		}
		col := columnInfo{name: string(r[0]), native: string(r[1]), oid: number(r[2]), mod: number(r[3]),
			nullable: string(r[4]) == "f"}
		if r[6] != nil {
			def := string(r[6])
			col.def = &def
		}
		t.columns = append(t.columns, col)
	}
	rows, err = c.s.ask(ctx, `SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, ord)
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid = `+oid+` AND i.indisprimary AND k.ord <= i.indnkeyatts ORDER BY k.ord`)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		t.key = append(t.key, string(r[0]))
	}
	return t, nil
}

// form finds how a type is read: domains as their base type, enumerations and string types as text.
func (c *catalog) form(ctx context.Context, oid uint32) (form, error) {
	base := oid
	for range 32 { // a domain over a domain …
		if f, ok := builtin(base); ok {
			c.types[oid] = f
			return f, nil
		}
		if f, ok := c.types[base]; ok {
			c.types[oid] = f
			return f, nil
		}
		rows, err := c.s.ask(ctx, `SELECT typtype, typcategory, typbasetype::int8 FROM pg_type WHERE oid = `+
			strconv.FormatUint(uint64(base), 10))
		if err != nil {
			return 0, err
		}
		f := formOther
		if len(rows) > 0 {
			if string(rows[0][0]) == "d" {
				base = number(rows[0][2])
				continue
			}
			if category := string(rows[0][1]); category == "E" || category == "S" {
				f = formText
			}
		}
		c.types[oid] = f
		return f, nil
	}
	return formOther, nil
}

// shape makes the Table and the column forms; key names the primary key's columns, identity
// what the log holds of old rows.
func (c *catalog) shape(ctx context.Context, name tableName, columns []columnInfo, key []string,
	identity byte) (*tidemill.Table, []form, error) {
	cols := make([]tidemill.Column, len(columns))
	forms := make([]form, len(columns))
	for i, col := range columns {
		f, err := c.form(ctx, col.oid)
		if err != nil {
			return nil, nil, err
		}
		forms[i] = f
		cols[i] = tidemill.Column{Name: col.name, Kind: formKinds[f], Native: col.native, OID: col.oid, Mod: col.mod,
			Nullable: col.nullable, Default: col.def}
	}
	var at []int
	for _, k := range key {
		found := false
		for i := range cols {
			if cols[i].Name == k {
				at, found = append(at, i), true
			}
		}
		if !found { // the key has a column that the log does not carry
			at = nil
			break
		}
	}
	t := tidemill.NewTable(name.schema, name.name, cols, at)
	t.KeyOnly = identity != 'f'
	if old := c.tables[name]; old != nil && old.Sum == t.Sum {
		t = old
	}
	c.tables[name] = t
	return t, forms, nil
}

// describe makes a relation of pgoutput's description: names, order and types of the columns are those of the log; what
// the log does not say (the key's order, NOT NULL, defaults, type names) is asked of the catalog as it is now.
func (c *catalog) describe(ctx context.Context, m *relationMessage) (*relation, error) {
	name := tableName{m.schema, m.name}
	now, err := c.info(ctx, name)
	if err != nil {
		return nil, err
	}
	columns := make([]columnInfo, len(m.columns))
	rel := &relation{ident: make([]bool, len(m.columns))}
	var unnamed []string
	var ident []string
	for i, col := range m.columns {
		rel.ident[i] = col.key
		if col.key {
			ident = append(ident, col.name)
		}
		columns[i] = columnInfo{name: col.name, oid: col.oid, mod: col.mod, nullable: true}
		if now != nil {
			for _, n := range now.columns {
				if n.name == col.name {
					columns[i].nullable, columns[i].def = n.nullable, n.def
					if n.oid == col.oid && n.mod == col.mod {
						columns[i].native = n.native
					}
				}
			}
		}
		if columns[i].native == "" {
			unnamed = append(unnamed, fmt.Sprintf("format_type(%d, %d)", col.oid, int32(col.mod)))
		}
	}
	if len(unnamed) > 0 {
		rows, err := c.s.ask(ctx, "SELECT "+strings.Join(unnamed, ", "))
		if err != nil {
			return nil, err
		}
		for i := range columns {
			if columns[i].native == "" && len(rows) == 1 && len(rows[0]) > 0 {
				columns[i].native, rows[0] = string(rows[0][0]), rows[0][1:]
			}
		}
	}
	var key []string
	if now != nil {
		key = now.key
	}
	if m.identity == 'd' && !sameSet(key, ident) {
		key = ident // the default identity is the primary key as it was then
	}
	rel.table, rel.forms, err = c.shape(ctx, name, columns, key, m.identity)
	return rel, err
}

func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		found := false
		for _, y := range b {
			found = found || x == y
		}
		if !found {
			return false
		}
	}
	return true
}
