package file

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
)

// shape is how the file's rows look.
type shape struct {
	columns []tidemill.Column // those of the file; Kind is Unknown until it is declared or found
	index   map[string]int    // of a JSON key
	table   *tidemill.Table   // nil until all kinds are known; _line comes last in it
	line    bool              // the key is _line
}

// badLine is what is wrong with a row: at which byte of it, counted from 0, and in which column.
type badLine struct {
	at     int
	column string
	reason string
}

// stop is the fatal error for a bad line at the current place.
func (u *run) stop(b badLine) error {
	line, col := u.line, b.at
	if rec := u.buf[u.at:]; b.at <= len(rec) {
		before := rec[:b.at]
		line += uint64(bytes.Count(before, []byte("\n")))
		col -= bytes.LastIndexByte(before, '\n') + 1
	}
	where := fmt.Sprintf("file: %s:%d:%d: ", u.plan.name, line, col+1)
	if b.column != "" {
		where += "column " + b.column + ": "
	}
	return tidemill.Fatalf("%s%s; mend the line, or drop such lines with bad_lines: skip", where, b.reason)
}

// whole reports whether a whole row begins at u.at. Blank lines before it are passed.
func (u *run) whole() bool {
	for {
		n, lines := u.next(u.at)
		if n == 0 {
			return false
		}
		if len(trimEnd(u.buf[u.at:u.at+n])) > 0 {
			return true
		}
		u.advance(n, lines)
	}
}

// next is the length of the row at buf[at:] with its line's end, and its lines; 0 if it is not whole yet.
func (u *run) next(at int) (n int, lines uint64) {
	b := u.buf[at:]
	if u.plan.json {
		n, lines = bytes.IndexByte(b, '\n')+1, 1
	} else {
		n, lines = endOfCSV(b, u.plan.separator)
	}
	if n == 0 && u.eof && !u.plan.follow && len(b) > 0 {
		return len(b), uint64(bytes.Count(b, []byte("\n"))) + 1
	}
	return n, lines
}

// trimEnd is a row without its line's end.
func trimEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b
}

// learnShape passes the header, and decides the kinds of the columns by at most limit rows. It reads as far as that
// takes and leaves the rows where they are. known is false as long as there are no rows to decide by.
func (u *run) learnShape(limit int) (known bool, err error) {
	if u.shape != nil && u.shape.table != nil {
		return true, nil
	}
	if u.shape == nil {
		s := &shape{}
		if u.plan.json || !u.plan.header {
			s.columns = slices.Clone(u.plan.declared)
		} else if s.columns, err = u.readHeader(); err != nil || s.columns == nil {
			return false, err
		}
		for _, d := range u.plan.declared {
			i := slices.IndexFunc(s.columns, func(c tidemill.Column) bool { return c.Name == d.Name })
			if i < 0 {
				return false, tidemill.Fatalf("file: columns: %s has no column %q; it has %s",
					u.plan.name, d.Name, names(s.columns))
			}
			s.columns[i].Kind = d.Kind
		}
		u.shape = s
	}
	s := u.shape
	open := u.plan.json // there may be further keys
	for _, c := range s.columns {
		open = open || c.Kind == tidemill.KindUnknown
	}
	if open {
		n, err := u.infer(limit)
		if err != nil || n == 0 {
			return false, err
		}
		u.sample = n
	}
	return true, u.makeTable()
}

// infer looks at the rows that follow, and says at how many.
func (u *run) infer(limit int) (n int, err error) {
	if limit == 0 {
		return 0, nil
	}
	s := u.shape
	guesses := make([]guess, len(s.columns))
	index := map[string]int{}
	for i, c := range s.columns {
		index[c.Name] = i
	}
	at := u.at
	var scratch fields
	for n < limit && at-u.at < sampleSize {
		size, _ := u.next(at)
		if size == 0 {
			if n > 0 && len(u.buf)-at > recordMax {
				break // reading it says what is wrong
			}
			if !u.eof {
				before := at - u.at
				if err := u.fill(); err != nil {
					return 0, err
				}
				at = u.at + before // fill may have moved the rest
				continue
			}
			break
		}
		rec := trimEnd(u.buf[at : at+size])
		at += size
		if len(rec) == 0 {
			continue
		}
		n++
		if u.plan.json {
			if scratch.scan(rec) != nil {
				continue // a bad row decides nothing; reading it says what is wrong
			}
			for _, m := range scratch.members {
				i, ok := index[string(m.key)]
				if !ok {
					i = len(s.columns)
					index[string(m.key)] = i
					s.columns = append(s.columns, tidemill.Column{Name: string(m.key)})
					guesses = append(guesses, guess{})
				}
				guesses[i].json(m)
			}
			continue
		}
		if bad := scratch.split(rec, u.plan.separator); bad != nil || len(scratch.list) != len(s.columns) {
			continue
		}
		for i := range scratch.list {
			if f := &scratch.list[i]; !u.isNull(f) {
				guesses[i].text(f.bytes)
			}
		}
	}
	for i := range s.columns {
		if s.columns[i].Kind == tidemill.KindUnknown && n > 0 {
			s.columns[i].Kind = guesses[i].kind()
		}
	}
	return n, nil
}

// makeTable makes the table of the columns.
func (u *run) makeTable() error {
	s := u.shape
	cols := make([]tidemill.Column, 0, len(s.columns)+1)
	s.index = map[string]int{}
	for i, c := range s.columns {
		if c.Kind == tidemill.KindUnknown {
			c.Kind = tidemill.KindText
		}
		c.Native, c.Nullable = c.Kind.String(), true
		if c.Kind == tidemill.KindOther {
			c.Native = "json"
		}
		s.columns[i] = c
		s.index[c.Name] = i
		cols = append(cols, c)
	}
	var key []int
	for _, k := range u.plan.key {
		i, ok := s.index[k]
		if !ok {
			return tidemill.Fatalf("file: key: %s has no column %q; it has %s", u.plan.name, k, names(s.columns))
		}
		key = append(key, i)
	}
	if len(key) == 0 {
		if _, ok := s.index[lineColumn]; ok {
			return tidemill.Fatalf("file: %s has a column %s of its own; name the key: [%s]",
				u.plan.name, lineColumn, lineColumn)
		}
		s.line = true
		key = []int{len(cols)}
		cols = append(cols, tidemill.Column{Name: lineColumn, Kind: tidemill.KindInt, Native: "int"})
	}
	s.table = tidemill.NewTable("", u.plan.table, cols, key)
	return nil
}

func names(cols []tidemill.Column) string {
	if len(cols) == 0 {
		return "none"
	}
	var s []string
	for _, c := range cols {
		s = append(s, c.Name)
	}
	return strings.Join(s, ", ")
}

// readHeader passes the header; nil as long as there is none. A column without a name is called column1, column2, … by
// its place.
func (u *run) readHeader() ([]tidemill.Column, error) {
	for !u.whole() {
		if u.eof {
			return nil, nil
		}
		if err := u.fill(); err != nil {
			return nil, err
		}
	}
	n, lines := u.next(u.at)
	rec := trimEnd(u.buf[u.at : u.at+n])
	if u.offset == 0 {
		rec = bytes.TrimPrefix(rec, []byte("\ufeff"))
	}
	var f fields
	if bad := f.split(rec, u.plan.separator); bad != nil {
		return nil, u.stop(*bad)
	}
	cols := make([]tidemill.Column, len(f.list))
	for i := range f.list {
		cols[i].Name = strings.TrimSpace(string(f.list[i].bytes))
		if cols[i].Name == "" {
			cols[i].Name = "column" + strconv.Itoa(i+1)
		}
		if slices.ContainsFunc(cols[:i], func(c tidemill.Column) bool { return c.Name == cols[i].Name }) {
			return nil, tidemill.Fatalf("file: %s:%d: two columns are called %q; rename one, or say header: false "+
				"and name them under columns", u.plan.name, u.line, cols[i].Name)
		}
	}
	u.advance(n, lines)
	return cols, nil
}

// guess is what the values of one column allow.
type guess struct {
	any                              bool
	notInt, notNumber, notBool       bool
	notTime, notText, number, nested bool
}

func (g *guess) text(b []byte) {
	g.any = true
	if len(b) == 0 { // a quoted one
		g.notInt, g.notNumber, g.notBool, g.notTime = true, true, true, true
	}
	if !g.notInt {
		_, ok := parseInt(b)
		g.notInt = !ok || len(b) > 1 && (b[0] == '0' || b[0] == '+' || b[0] == '-' && b[1] == '0')
	}
	if !g.notNumber {
		_, ok := parseFloat(b)
		digit := b[len(b)-1] // no words as inf and nan, no 0012 and no +49
		g.notNumber = !ok || digit < '0' && digit != '.' || digit > '9' || leadingZero(b)
	}
	if !g.notBool {
		_, ok := parseBool(b)
		g.notBool = !ok || len(b) == 1
	}
	if !g.notTime {
		_, ok := parseTime(b)
		g.notTime = !ok
	}
}

// leadingZero is true for what looks like a number and is a code: 0012, +49.
func leadingZero(b []byte) bool {
	if b[0] == '+' {
		return true
	}
	b = bytes.TrimPrefix(b, []byte("-"))
	return len(b) > 1 && b[0] == '0' && b[1] >= '0' && b[1] <= '9'
}

func (g *guess) json(v member) {
	switch v.kind {
	case 'n':
		return
	case '{':
		g.nested = true
	case '0':
		g.number = true
		g.notBool, g.notTime, g.notText = true, true, true
		if _, ok := parseInt(v.bytes); !ok {
			g.notInt = true
		}
	case 't':
		g.notInt, g.notNumber, g.notTime, g.notText = true, true, true, true
	case '"':
		g.notInt, g.notNumber, g.notBool = true, true, true
		if _, ok := parseTime(v.bytes); !ok {
			g.notTime = true
		}
	}
	g.any = true
}

func (g *guess) kind() tidemill.Kind {
	switch {
	case !g.any:
		return tidemill.KindText
	case g.nested:
		return tidemill.KindOther
	case !g.notInt:
		return tidemill.KindInt
	case !g.notNumber:
		return tidemill.KindFloat
	case !g.notBool:
		return tidemill.KindBool
	case !g.notTime:
		return tidemill.KindTime
	case g.notText: // numbers and booleans in one column of JSON
		return tidemill.KindOther
	}
	return tidemill.KindText
}
