package file

import (
	"bytes"

	"github.com/tidemill/tidemill"
)

// field is one field of a CSV row: its bytes without quotes.
type field struct {
	bytes  []byte
	at     int // in the row
	quoted bool
}

// fields is the scratch for one row.
type fields struct {
	list    []field
	members []member
	extra   []byte // texts without their escapes; when it is full a new one is made, since rows keep the old
}

// endOfCSV is the length of the row at the beginning of b with its line's end, and its lines; 0 if it is not whole. A
// quote opens a quoted field only at the field's beginning.
func endOfCSV(b []byte, separator byte) (n int, lines uint64) {
	n = bytes.IndexByte(b, '\n') + 1
	if n > 0 && bytes.IndexByte(b[:n], '"') < 0 {
		return n, 1
	}
	start := true
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"' && start:
			for i++; ; i++ {
				k := bytes.IndexByte(b[i:], '"')
				if k < 0 {
					return 0, 0
				}
				lines += uint64(bytes.Count(b[i:i+k], []byte("\n")))
				i += k
				if i+1 == len(b) || b[i+1] != '"' {
					break
				}
				i++
			}
			start = false
		case c == '\n':
			return i + 1, lines + 1
		default:
			start = c == separator
		}
	}
	return 0, 0
}

// split cuts a row without its line's end into fields.
func (f *fields) split(b []byte, separator byte) *badLine {
	f.list = f.list[:0]
	i := 0
	for {
		if i < len(b) && b[i] == '"' {
			n, bad := f.quoted(b, i)
			if bad != nil {
				return bad
			}
			if i = n; i < len(b) && b[i] != separator {
				return &badLine{at: i,
					reason: "text after the closing quote; write a quote inside a quoted field as two"}
			}
		} else {
			from := i
			for i < len(b) && b[i] != separator {
				i++
			}
			f.list = append(f.list, field{bytes: b[from:i:i], at: from})
		}
		if i == len(b) {
			return nil
		}
		i++
	}
}

// quoted takes the quoted field at b[i] and gives the place after its closing quote.
func (f *fields) quoted(b []byte, i int) (int, *badLine) {
	from := i + 1
	k := bytes.IndexByte(b[from:], '"')
	if k < 0 {
		return 0, &badLine{at: i, reason: "a quote is not closed"}
	}
	end := from + k
	if end+1 == len(b) || b[end+1] != '"' {
		f.list = append(f.list, field{bytes: b[from:end:end], at: i, quoted: true})
		return end + 1, nil
	}
	f.reserve(len(b))
	begin := len(f.extra)
	for at := from; ; {
		k := bytes.IndexByte(b[at:], '"')
		if k < 0 {
			return 0, &badLine{at: i, reason: "a quote is not closed"}
		}
		f.extra = append(f.extra, b[at:at+k]...)
		at += k + 1
		if at == len(b) || b[at] != '"' {
			end := len(f.extra)
			f.list = append(f.list, field{bytes: f.extra[begin:end:end], at: i, quoted: true})
			return at, nil
		}
		f.extra = append(f.extra, '"')
		at++
	}
}

// reserve makes room for n bytes in extra.
func (f *fields) reserve(n int) {
	if cap(f.extra)-len(f.extra) < n {
		f.extra = make([]byte, 0, max(4096, n))
	}
}

func (u *run) isNull(f *field) bool {
	if f.quoted {
		return false
	}
	if len(f.bytes) == 0 {
		return true
	}
	for _, n := range u.plan.nulls {
		if string(f.bytes) == n {
			return true
		}
	}
	return false
}

// rowCSV appends the values of one row.
func (u *run) rowCSV(dst []tidemill.Value, rec []byte, f *fields) ([]tidemill.Value, *badLine) {
	if bad := f.split(rec, u.plan.separator); bad != nil {
		return dst, bad
	}
	cols := u.shape.columns
	if len(f.list) != len(cols) {
		return dst, &badLine{at: len(rec),
			reason: plural(len(f.list), "field") + ", the file has " + plural(len(cols), "column")}
	}
	for i := range f.list {
		x := &f.list[i]
		if u.isNull(x) {
			dst = append(dst, tidemill.Null())
			continue
		}
		v, ok := textValue(cols[i].Kind, x.bytes)
		if !ok {
			return dst, &badLine{at: x.at, column: cols[i].Name, reason: misfit(cols[i].Kind, x.bytes)}
		}
		dst = append(dst, v)
	}
	return dst, nil
}
