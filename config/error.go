package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Error is one thing that is wrong in a flow file.
type Error struct {
	File   string
	Line   int    // from 1
	Col    int    // in characters, from 1
	Path   string // "tasks[0].model.logistic.l2"; "" where the YAML itself is broken
	Reason string // what is wrong and what would be right
	Text   string // the line of the file, secrets starred
	Caret  int    // where in Text, from 1
	Width  int    // of the word, in characters
}

// Error is "flow.yaml:3:5: reason".
func (e *Error) Error() string {
	return e.File + ":" + strconv.Itoa(e.Line) + ":" + strconv.Itoa(e.Col) + ": " + e.Reason
}

// Render is the error with its line and a caret under the word, over several lines; with colours if colour is true.
func (e *Error) Render(colour bool) string {
	bold, red, blue, off := "", "", "", ""
	if colour {
		bold, red, blue, off = "\x1b[1m", "\x1b[31m", "\x1b[34m", "\x1b[0m"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s:%d:%d:%s %s%s%s\n", bold, e.File, e.Line, e.Col, off, red, e.Reason, off)
	if strings.TrimSpace(e.Text) == "" {
		return b.String()
	}
	no := strconv.Itoa(e.Line)
	fmt.Fprintf(&b, "%s%5s |%s %s\n", blue, no, off, strings.ReplaceAll(e.Text, "\t", " "))
	fmt.Fprintf(&b, "%s%5s |%s %s%s%s%s\n", blue, "", off, strings.Repeat(" ", e.Caret-1), red,
		strings.Repeat("^", max(1, e.Width)), off)
	return b.String()
}

// Errors are all that is wrong in a flow file, in the order of its lines.
type Errors []*Error

// Error is one error per line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Render is every error with its line and a caret.
func (e Errors) Render(colour bool) string {
	var b strings.Builder
	for _, x := range e {
		b.WriteString(x.Render(colour))
	}
	return b.String()
}
