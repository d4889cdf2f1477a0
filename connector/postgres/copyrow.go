package postgres

import (
	"bytes"
	"fmt"

	"github.com/tidemill/tidemill"
)

// copyDecoder reads the rows of COPY ... TO STDOUT in text format (PostgreSQL documentation, COPY, "Text Format").
type copyDecoder struct {
	forms   []form
	scratch []byte // a field without its escapes
}

// row decodes one line, without its newline, into memory of s.
func (d *copyDecoder) row(s *slab, line []byte) ([]tidemill.Value, error) {
	if len(d.forms) == 0 { // a table without columns
		return []tidemill.Value{}, nil
	}
	row := s.row(len(d.forms))
	plain := bytes.IndexByte(line, '\\') < 0
	last := len(d.forms) - 1
	for i, f := range d.forms {
		field := line
		if n := bytes.IndexByte(line, '\t'); n >= 0 {
			if i == last {
				return nil, fmt.Errorf("postgres: COPY sent a row of more than %d columns", last+1)
			}
			field, line = line[:n], line[n+1:]
		} else if i != last {
			return nil, fmt.Errorf("postgres: COPY sent a row of %d columns, not %d", i+1, last+1)
		}
		switch {
		case plain:
			row[i] = s.decode(f, field)
		case len(field) == 2 && field[0] == '\\' && field[1] == 'N':
			row[i] = tidemill.Null()
		default:
			row[i] = s.decode(f, d.unescape(field))
		}
	}
	return row, nil
}

func (d *copyDecoder) unescape(b []byte) []byte {
	n := bytes.IndexByte(b, '\\')
	if n < 0 {
		return b
	}
	out := d.scratch[:0]
	for n >= 0 && n+1 < len(b) {
		out = append(out, b[:n]...)
		c := b[n+1]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'v':
			c = '\v'
		}
		out = append(out, c)
		b = b[n+2:]
		n = bytes.IndexByte(b, '\\')
	}
	out = append(out, b...)
	d.scratch = out
	return out
}
