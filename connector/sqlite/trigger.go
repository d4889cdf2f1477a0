package sqlite

import (
	"fmt"
	"strings"
)

// What a log row's code says: eight times the shape's number, and one of these. 0 as a whole is a mark without a row;
// continued is a row that holds the values for which its predecessor had no more columns.
const (
	opRefresh = iota // the row as it is after a column was added
	opInsert
	opUpdate
	opDelete
	opGone // a row that REPLACE deleted: its key
	opBits = 3

	codeMark  = 0
	continued = -1
)

// trigger is one trigger's name and the statement that makes it.
type trigger struct{ name, sql string }

func triggerName(log, table, event string) string { return log + ":" + table + ":" + event }

// triggers are the statements that log every change of the layout's table, in the order in which they are made.
func (l *layout) triggers(m *meta, shape int64) []trigger {
	var ts []trigger
	add := func(name, event, body string) {
		name = triggerName(m.log, l.Name, name)
		// Without "main.": SQLite keeps the text, and it is compared later.
		ts = append(ts, trigger{name, fmt.Sprintf("CREATE TRIGGER %s %s ON %s BEGIN %sEND",
			quoting.Name(name), event, quoting.Name(l.Name), body)})
	}
	code := shape << opBits
	after := l.exprs("new.", nil)
	old := l.exprs("old.", nil)
	if l.Before == "key" {
		old = l.exprs("old.", l.Key)
	}
	insert := m.inserts(code+opInsert, after, "")
	remove := m.inserts(code+opDelete, old, "")
	if l.vanishes() {
		cols := l.uniqueColumns()
		add("before insert", "BEFORE INSERT", l.stand(m, shape, ""))
		add("before update", "BEFORE UPDATE OF "+cols, l.stand(m, shape, " AND NOT ("+l.sameKey("", "old.", nil)+")"))
		insert = l.gone(m, shape) + insert
		remove += fmt.Sprintf("DELETE FROM %s WHERE shape=%d AND %s; ",
			quoting.Name(goneTable(m.log)), shape, l.sameKey("", "old.", goneKeys))
		add("after update", "AFTER UPDATE OF "+cols, l.gone(m, shape))
	}
	add("insert", "AFTER INSERT", insert)
	add("update", "AFTER UPDATE", m.inserts(code+opUpdate, append(after, l.before()...), ""))
	add("delete", "AFTER DELETE", remove)
	return ts
}

func (l *layout) exprs(prefix string, only []int) (s []string) {
	if only != nil {
		for _, i := range only {
			s = append(s, prefix+quoting.Name(l.Columns[i].Name))
		}
		return s
	}
	for i := range l.Columns {
		s = append(s, prefix+quoting.Name(l.Columns[i].Name))
	}
	return s
}

// before is what an update logs of the row as it was. A value of a wide column that did not change is logged as NULL,
// so that a picture is not written twice because its label came. A NULL that changed is then logged as the new value,
// which cannot be taken for an old one: an old value equal to the new one did not change. restore reads it.
func (l *layout) before() []string {
	if l.Before == "key" {
		return l.exprs("old.", l.Key)
	}
	s := l.exprs("old.", nil)
	for i := range l.Columns {
		if l.Columns[i].wide() {
			o, n := s[i], "new."+quoting.Name(l.Columns[i].Name)
			// IS takes 1 for 1.0, and the column's collation may take 'a' for 'A'.
			s[i] = fmt.Sprintf("CASE WHEN %s IS NOT %s COLLATE BINARY OR typeof(%s)<>typeof(%s) THEN coalesce(%s,%s) END",
				o, n, o, n, o, n)
		}
	}
	return s
}

// inserts are the statements that log the values under the code, over as many log rows as they need. from is empty in a
// trigger; else the text after the values (FROM …).
func (m *meta) inserts(code int64, values []string, from string) string {
	var b strings.Builder
	open, end := " VALUES(", ")"
	if from != "" {
		open, end = " SELECT ", from
	}
	for first := true; first || len(values) > 0; first = false {
		n := min(len(values), m.Width)
		fmt.Fprintf(&b, "INSERT INTO %s(code, at", quoting.Name(m.log))
		for i := range n {
			fmt.Fprintf(&b, ", c%d", i)
		}
		if first {
			fmt.Fprintf(&b, ")%s%d, julianday('now')", open, code)
		} else {
			fmt.Fprintf(&b, ")%s%d, NULL", open, continued)
		}
		for _, v := range values[:n] {
			b.WriteString(", ")
			b.WriteString(v)
		}
		b.WriteString(end)
		b.WriteString("; ")
		values = values[n:]
	}
	return b.String()
}
