package serve

import (
	"encoding/base64"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// instances reads an array of rows: objects by column; or, for a task with one column or a picture column, the bare
// values of it.
func (s *server) instances(t *engine.TaskStatus, text string) ([]tidemill.Row, error) {
	p := &scanner{s: text}
	if p.peek() != '[' {
		return nil, p.unexpected("instances, an array of rows")
	}
	var rows []tidemill.Row
	err := p.items(func(i int) error {
		if i == s.cfg.MaxRows {
			return s.tooMany()
		}
		r := make(tidemill.Row, 4)
		var err error
		if p.peek() == '{' && !p.b64() {
			err = p.fields(r, t)
		} else if c := lone(t); c == "" {
			err = p.unexpected("a row {…} by column name")
		} else {
			r[c], err = p.field(c, t)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
		rows = append(rows, r)
		return nil
	})
	return rows, err
}

// fields reads one row.
func (p *scanner) fields(r tidemill.Row, t *engine.TaskStatus) error {
	return p.each(func(name string) (err error) {
		if _, twice := r[name]; twice {
			return p.fail("column %q twice", clip(name))
		}
		r[name], err = p.field(name, t)
		return err
	})
}

// scalar reads a value, or {"b64": "text"}, which is how TensorFlow Serving writes bytes: of a text column they are
// its text.
func (p *scanner) scalar(name string, t *engine.TaskStatus) (any, error) {
	if p.peek() != '{' || !p.b64() {
		return p.value()
	}
	at, text := p.i, ""
	err := p.each(func(key string) (err error) {
		if key != "b64" || p.peek() != '"' {
			return p.fail(`bytes in an object are {"b64": "text"}`)
		}
		text, err = p.str()
		return err
	})
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	for _, c := range t.Columns {
		if c.Name == name && c.Kind == "bytes" && err == nil {
			return b, nil
		}
	}
	if err == nil && !utf8.Valid(b) {
		err = errors.New("the bytes are not UTF-8, and the column holds text")
	}
	if err != nil {
		p.i = at
		return nil, p.fail("column %q: %v", clip(name), err)
	}
	return string(b), nil
}

// field reads one column's value. TensorFlow Serving's clients wrap a scalar as [x] where the signature has shape
// [-1, 1].
func (p *scanner) field(name string, t *engine.TaskStatus) (any, error) {
	if pic := pictureOf(t); pic != nil && name == pic.Column {
		return p.picture(pic)
	}
	if p.peek() != '[' {
		return p.scalar(name, t)
	}
	at := p.i
	var v any
	n := 0
	err := p.items(func(int) (err error) { n++; v, err = p.scalar(name, t); return err })
	if err == nil && n != 1 {
		p.i = at
		err = p.fail("column %q has %d values in one row", clip(name), n)
	}
	return v, err
}

// b64 is true if the object that is next is {"b64": …}, a value and no row.
func (p *scanner) b64() bool {
	q := &scanner{s: p.s, i: p.i}
	if !q.take('{') || q.peek() != '"' {
		return false
	}
	name, err := q.str()
	return err == nil && name == "b64"
}

// lone is the column that a bare value is of.
func lone(t *engine.TaskStatus) string {
	switch {
	case pictureOf(t) != nil:
		return t.Picture.Column
	case len(t.Columns) == 1:
		return t.Columns[0].Name
	}
	return ""
}

// columns reads an object of arrays by column, or the bare array of the one column there is.
func (s *server) columns(t *engine.TaskStatus, text string) ([]tidemill.Row, error) {
	p := &scanner{s: text}
	var rows []tidemill.Row
	column := func(name string, first bool) error {
		if p.peek() != '[' {
			return p.unexpected(fmt.Sprintf("an array with the values of column %q", clip(name)))
		}
		n := 0
		err := p.items(func(i int) error {
			if i == s.cfg.MaxRows {
				return s.tooMany()
			}
			if first {
				rows = append(rows, make(tidemill.Row, 4))
			} else if i >= len(rows) {
				return p.fail("column %q has more values than the first one, %d", clip(name), len(rows))
			}
			if _, twice := rows[i][name]; twice {
				return p.fail("column %q twice", clip(name))
			}
			n++
			var err error
			rows[i][name], err = p.field(name, t)
			return err
		})
		if err == nil && n < len(rows) {
			err = p.fail("column %q has %d values, the first one has %d", clip(name), n, len(rows))
		}
		return err
	}
	if p.peek() == '{' {
		first := true
		err := p.each(func(name string) error {
			err := column(name, first)
			first = false
			return err
		})
		return rows, err
	}
	c := lone(t)
	if c == "" {
		return nil, p.unexpected("an object with the values by column name")
	}
	return rows, column(c, true)
}
