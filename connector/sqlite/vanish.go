package sqlite

import (
	"fmt"
	"strings"
)

// maxKey is how many columns a key may have for its rows to be noticed when REPLACE deletes them.
const maxKey = 8

// REPLACE deletes every row that stands in the new one's way, and fires no trigger for it unless the writer's
// connection has set recursive_triggers. A row of the same key is no matter: the insert is an upsert to whoever reads
// it. A row that another unique index forbids would go unseen. So a trigger before the write notes the keys of the rows
// that stand in the way, and one after it logs those that are gone; the rows of INSERT OR IGNORE and
// of an upsert are still there.

// vanishes reports whether REPLACE can delete rows of the table unseen.
func (l *layout) vanishes() bool {
	return len(l.Unique) > 0 && len(l.Key) > 0 && len(l.Key) <= maxKey
}

// uniqueColumns are the columns of all unique indexes, once each.
func (l *layout) uniqueColumns() string {
	var cols []string
	seen := map[int]bool{}
	for _, index := range l.Unique {
		for _, x := range index {
			if !seen[x.Column] {
				seen[x.Column] = true
				cols = append(cols, quoting.Name(l.Columns[x.Column].Name))
			}
		}
	}
	return strings.Join(cols, ", ")
}

// stand notes the keys of the rows that stand in the way of the new row.
func (l *layout) stand(m *meta, shape int64, but string) string {
	var any []string
	for _, index := range l.Unique {
		var all []string
		for _, x := range index {
			name := quoting.Name(l.Columns[x.Column].Name)
			eq := fmt.Sprintf("%s=new.%s", name, name)
			if x.Collate != "" {
				eq += " COLLATE " + quoting.Name(x.Collate)
			}
			all = append(all, eq)
		}
		any = append(any, "("+strings.Join(all, " AND ")+")")
	}
	gone := quoting.Name(goneTable(m.log))
	var to []string
	for i := range l.Key {
		to = append(to, goneKeys(i))
	}
	return fmt.Sprintf("DELETE FROM %s WHERE shape=%d; INSERT INTO %s(shape, %s) SELECT %d, %s FROM %s WHERE (%s)%s; ",
		gone, shape, gone, strings.Join(to, ", "), shape, l.list("", l.Key), quoting.Name(l.Name),
		strings.Join(any, " OR "), but)
}

// gone logs the noted rows that are not there any more.
func (l *layout) gone(m *meta, shape int64) string {
	values := make([]string, len(l.Key))
	for i := range l.Key {
		values[i] = goneKeys(i)
	}
	table := quoting.Name(goneTable(m.log))
	return m.inserts(shape<<opBits+opGone, values, fmt.Sprintf(" FROM %s WHERE shape=%d AND NOT EXISTS (SELECT 1 FROM "+
		"%s AS t WHERE %s)",
		table, shape, quoting.Name(l.Name), l.sameKey("t.", "", goneKeys)))
}

func goneKeys(i int) string { return fmt.Sprintf("k%d", i) }

// sameKey compares the key's columns, with the prefix left, to themselves with the prefix right; where named is not nil
// it names the columns of the side without a prefix.
func (l *layout) sameKey(left, right string, named func(i int) string) string {
	eq := make([]string, len(l.Key))
	for i, k := range l.Key {
		a, b := left+quoting.Name(l.Columns[k].Name), right+quoting.Name(l.Columns[k].Name)
		if named != nil && left == "" {
			a = named(i)
		}
		if named != nil && right == "" {
			b = named(i)
		}
		eq[i] = a + " IS " + b + " COLLATE BINARY"
	}
	return strings.Join(eq, " AND ")
}
