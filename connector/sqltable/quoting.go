package sqltable

import "strings"

// Quoting is how a system writes names and texts in SQL. Any goroutine may use it.
type Quoting uint8

const (
	// Standard is the SQL standard's: "name" and 'text', a quote inside doubled.
	Standard Quoting = iota
	// Escapes is Standard, but a text with a backslash is written E'…' and the backslash doubled: that reads the same
	// whether or not the server takes backslashes in plain texts for escapes.
	Escapes
)

// Name quotes an identifier; several are a path, as schema and table, joined by points.
func (q Quoting) Name(path ...string) string {
	var b strings.Builder
	for i, name := range path {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteByte('"')
		b.WriteString(strings.ReplaceAll(name, `"`, `""`))
		b.WriteByte('"')
	}
	return b.String()
}

// Text quotes a text literal.
func (q Quoting) Text(text string) string {
	s := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if q == Escapes && strings.Contains(text, `\`) {
		return "E" + strings.ReplaceAll(s, `\`, `\\`)
	}
	return s
}
