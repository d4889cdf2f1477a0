package sqltable

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// MarksTable is the name of the table that holds how far each flow is in each table of predictions.
const MarksTable = "tidemill_marks"

// Dialect is how a SQL system spells what the sink says. The zero value is nearly the SQL standard; Types is always
// needed.
type Dialect struct {
	Quoting Quoting
	// Types are the columns' types.
	Types Types
	// Param is the i-th parameter of a statement, from 1. Default: ?
	Param func(i int) string
	// Upsert writes a row, or the columns set of the row that has its key already; it does nothing to such a row where
	// set is empty. Default: INSERT … ON CONFLICT.
	Upsert func(table string, columns, values, key, set []string) string
	// TableEnd comes after the parenthesis of CREATE TABLE.
	TableEnd string
	// Lock ends a SELECT whose row is to be held against other transactions, where a transaction alone does not do that.
	Lock string
	// MarksColumn is the column of the marks that names the table of predictions. Default: sink.
	MarksColumn string
	// ReadTime is an expression that gives a column of times as a text, which ParseTime reads. Default: the column itself,
	// as ISO text.
	ReadTime  func(column string) string
	ParseTime func(text string) time.Time
	// Server says that the database is another process, which may die with commits that did not wait for its disk: the
	// sink keeps what such commits wrote, and writes it again.
	Server bool
	// Refuses reports that the table does not take a row by an error of Database, however often it is tried.
	Refuses func(error) bool
}

// Types are the native types of columns. Key and Count come with NOT NULL added.
type Types struct{ Key, Text, Number, JSON, Time, Count string }

// Column is a column of the table of predictions.
type Column struct {
	Name  string
	Truth bool // filled in when the answer comes; absent where the sink does not write truths
}

// Columns are the table's columns in the order in which statements name them: a table that the sink makes has them
// so.
func Columns() []Column {
	return []Column{{"task", false}, {"id", false}, {"prediction", false}, {"score", false}, {"probabilities", false},
		{"model_version", false}, {"asked_at", false}, {"position", false}, {"truth", true}, {"answered_at", true}}
}

// ColumnNames are the names of Columns, with those of the truth or without.
func ColumnNames(truth bool) []string {
	var names []string
	for _, c := range Columns() {
		if truth || !c.Truth {
			names = append(names, c.Name)
		}
	}
	return names
}

// Type is a column's native type, as CREATE TABLE takes it.
func (d *Dialect) Type(column string) string {
	switch column {
	case "task", "id":
		return d.Types.Key + " NOT NULL"
	case "score":
		return d.Types.Number
	case "probabilities":
		return d.Types.JSON
	case "asked_at", "answered_at":
		return d.Types.Time
	}
	return d.Types.Text
}

func (d *Dialect) param(i int) string {
	if d.Param == nil {
		return "?"
	}
	return d.Param(i)
}

func (d *Dialect) params(n int) []string {
	p := make([]string, n)
	for i := range p {
		p[i] = d.param(i + 1)
	}
	return p
}

func (d *Dialect) marksColumn() string {
	if d.MarksColumn == "" {
		return "sink"
	}
	return d.MarksColumn
}

func (d *Dialect) upsert(table string, columns, values, key, set []string) string {
	if d.Upsert != nil {
		return d.Upsert(table, columns, values, key, set)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s) %s", table, strings.Join(columns, ", "),
		strings.Join(values, ", "), OnConflict(key, set))
}

// OnConflict is the clause that has an INSERT replace the columns set of the row that is there.
func OnConflict(key, set []string) string {
	if len(set) == 0 {
		return "ON CONFLICT (" + strings.Join(key, ", ") + ") DO NOTHING"
	}
	sets := make([]string, len(set))
	for i, c := range set {
		sets[i] = c + " = excluded." + c
	}
	return "ON CONFLICT (" + strings.Join(key, ", ") + ") DO UPDATE SET " + strings.Join(sets, ", ")
}

// Key is the primary key of the table of predictions.
func Key() []string { return []string{"task", "id"} }

// Statements are the statements of one table, with the parameters in the order of each.
type Statements struct {
	CreateTable string // where it is missing
	CreateMarks string
	Upsert      string // parameters: the columns of ColumnNames
	Truth       string // parameters: truth, answered_at, task, id
	Move        string // parameters: the new id, task, id. The row at the new id has to be deleted before, if there is one
	Delete      string // a row. Parameters: task, id
	DeleteTask  string // all of a task. Parameter: task
	Exists      string // a row. Parameters: task, id
	Recall      string // rows that have their truth, the newest first: see Sink.Recall. Parameter: task

	NewMark  string // makes the mark where it is missing. Parameters: flow, table
	LockMark string // gives term and seq, and holds the mark. Parameters: flow, table
	ReadMark string // gives term and seq. Parameters: flow, table
	TakeMark string // whatever term it has. Parameters: term, seq, flow, table
	SetMark  string // unless a higher term has it. Parameters: term, seq, flow, table, term
}

// Statements spells the statements for a table and its marks, both as SQL names them.
func (d *Dialect) Statements(table, marks string, truth bool) Statements {
	names := ColumnNames(truth)
	set := slices.DeleteFunc(slices.Clone(names), func(c string) bool { return slices.Contains(Key(), c) })
	var defs []string
	for _, c := range names {
		defs = append(defs, c+" "+d.Type(c))
	}
	target, count := d.marksColumn(), d.Types.Count+" NOT NULL"
	key, marksKey := strings.Join(Key(), ", "), []string{"flow", target}
	readTime := func(column string) string {
		if d.ReadTime == nil {
			return column
		}
		return d.ReadTime(column)
	}
	// say gives the statement the dialect's parameters: a name may hold a question mark, so names come after.
	say := func(format string, names ...any) string { return fmt.Sprintf(d.number(format), names...) }
	take := "UPDATE %s SET term = ?, seq = ? WHERE flow = ? AND %s = ?"
	return Statements{
		CreateTable: say("CREATE TABLE IF NOT EXISTS %s (%s, PRIMARY KEY (%s))%s",
			table, strings.Join(defs, ", "), key, d.TableEnd),
		CreateMarks: say("CREATE TABLE IF NOT EXISTS %s (flow %s NOT NULL, %s %[2]s NOT NULL, "+
			"term %[4]s, seq %[4]s, PRIMARY KEY (%[5]s))%s",
			marks, d.Types.Key, target, count, strings.Join(marksKey, ", "), d.TableEnd),
		Upsert:     d.upsert(table, names, d.params(len(names)), Key(), set),
		Truth:      say("UPDATE %s SET truth = ?, answered_at = ? WHERE task = ? AND id = ?", table),
		Move:       say("UPDATE %s SET id = ? WHERE task = ? AND id = ?", table),
		Delete:     say("DELETE FROM %s WHERE task = ? AND id = ?", table),
		DeleteTask: say("DELETE FROM %s WHERE task = ?", table),
		Exists:     say("SELECT id FROM %s WHERE task = ? AND id = ?", table),
		Recall: say("SELECT id, prediction, truth, score, probabilities, %s, %s FROM %s WHERE task = ? "+
			"AND truth IS NOT NULL ORDER BY answered_at IS NULL, answered_at DESC",
			readTime("asked_at"), readTime("answered_at"), table),
		NewMark:  d.upsert(marks, append(marksKey, "term", "seq"), append(d.params(2), "0", "0"), marksKey, nil),
		LockMark: say("SELECT term, seq FROM %s WHERE flow = ? AND %s = ?", marks, target) + d.Lock,
		ReadMark: say("SELECT term, seq FROM %s WHERE flow = ? AND %s = ?", marks, target),
		TakeMark: say(take, marks, target),
		SetMark:  say(take+" AND term <= ?", marks, target),
	}
}

// number spells the parameters of a statement, which are question marks.
func (d *Dialect) number(statement string) string {
	var b strings.Builder
	for i := 1; ; i++ {
		before, after, more := strings.Cut(statement, "?")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteString(d.param(i))
		statement = after
	}
}
