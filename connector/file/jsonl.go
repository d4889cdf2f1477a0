package file

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
)

// member is one key of an object with its value.
type member struct {
	key   []byte
	kind  byte   // 'n' null, 't' a boolean, '0' a number, '"' a string, '{' an object or array
	bytes []byte // a string without quotes and escapes; all else as it is written
	at    int    // of the value, in the row
}

// scan takes a JSON object apart into members. RFC 8259 says what an object is; this accepts the same.
func (f *fields) scan(b []byte) *badLine {
	f.members = f.members[:0]
	i := space(b, 0)
	if i == len(b) || b[i] != '{' {
		return &badLine{at: i, reason: "a JSON object is expected: {\"column\": value, ...}"}
	}
	i = space(b, i+1)
	if i < len(b) && b[i] == '}' {
		return end(b, i+1)
	}
	for {
		if i == len(b) || b[i] != '"' {
			return &badLine{at: i, reason: "a key in quotes is expected"}
		}
		key, n, bad := f.text(b, i)
		if bad != nil {
			return bad
		}
		i = space(b, n)
		if i == len(b) || b[i] != ':' {
			return &badLine{at: i, reason: "a colon is expected"}
		}
		m := member{key: key, at: space(b, i+1)}
		if i, bad = f.value(b, &m); bad != nil {
			return bad
		}
		f.members = append(f.members, m)
		i = space(b, i)
		if i < len(b) && b[i] == '}' {
			return end(b, i+1)
		}
		if i == len(b) || b[i] != ',' {
			return &badLine{at: i, reason: "a comma or } is expected"}
		}
		i = space(b, i+1)
	}
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

func end(b []byte, i int) *badLine {
	if i = space(b, i); i < len(b) {
		return &badLine{at: i, reason: "text after the object; write one object per line"}
	}
	return nil
}

// value reads the value at m.at and gives the place after it.
func (f *fields) value(b []byte, m *member) (n int, bad *badLine) {
	i := m.at
	if i == len(b) {
		return 0, &badLine{at: i, reason: "a value is expected"}
	}
	switch c := b[i]; {
	case c == '"':
		m.kind = '"'
		m.bytes, n, bad = f.text(b, i)
		return n, bad
	case c == '{' || c == '[':
		m.kind, n = '{', nested(b, i)
		if !json.Valid(b[i:n]) {
			return 0, &badLine{at: i, reason: "what begins here is no JSON"}
		}
	case c == '-' || c >= '0' && c <= '9':
		m.kind, n = '0', number(b, i)
		if n < 0 {
			return 0, &badLine{at: i, reason: "what begins here is no number"}
		}
	default:
		for _, word := range [...]string{"null", "true", "false"} {
			if bytes.HasPrefix(b[i:], []byte(word)) {
				m.kind, n = word[0], i+len(word)
				if word == "false" {
					m.kind = 't'
				}
			}
		}
		if n == 0 {
			return 0, &badLine{at: i, reason: "a value is expected"}
		}
	}
	m.bytes = b[i:n:n]
	return n, nil
}

// number is the end of the number at i, or -1.
func number(b []byte, i int) int {
	run := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if b[i] == '-' {
		i++
	}
	zero := i < len(b) && b[i] == '0'
	from := i
	if !run() || zero && i > from+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i++; !run() {
			return -1
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !run() {
			return -1
		}
	}
	return i
}

// nested is the end of the object or array at i, as far as brackets and quotes tell.
func nested(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
	}
	return len(b)
}

// text reads the string at i, which is a quote, and gives the place after its end.
func (f *fields) text(b []byte, i int) (s []byte, n int, bad *badLine) {
	from := i + 1
	for k := from; k < len(b); k++ {
		switch c := b[k]; {
		case c == '"':
			return b[from:k:k], k + 1, nil
		case c == '\\':
			return f.escaped(b, i)
		case c < ' ':
			return nil, 0, &badLine{at: k, reason: "a control character in a string; write it as \\u00XX"}
		}
	}
	return nil, 0, &badLine{at: i, reason: "a string is not closed"}
}

// escaped is text for a string with escapes.
func (f *fields) escaped(b []byte, i int) (s []byte, n int, bad *badLine) {
	f.reserve(len(b))
	begin := len(f.extra)
	for k := i + 1; k < len(b); {
		c := b[k]
		switch {
		case c == '"':
			end := len(f.extra)
			return f.extra[begin:end:end], k + 1, nil
		case c < ' ':
			return nil, 0, &badLine{at: k, reason: "a control character in a string; write it as \\u00XX"}
		case c != '\\':
			f.extra = append(f.extra, c)
			k++
			continue
		}
		if k+1 == len(b) {
			break
		}
		if at := bytes.IndexByte([]byte(`"\/bfnrt`), b[k+1]); at >= 0 {
			f.extra = append(f.extra, "\"\\/\b\f\n\r\t"[at])
			k += 2
			continue
		}
		r, ok := unit(b, k)
		if !ok {
			return nil, 0, &badLine{at: k, reason: "an escape that JSON does not know"}
		}
		k += 6
		if utf16.IsSurrogate(r) {
			if low, ok := unit(b, k); ok && utf16.DecodeRune(r, low) != utf8.RuneError {
				r = utf16.DecodeRune(r, low)
				k += 6
			} else {
				r = utf8.RuneError
			}
		}
		f.extra = utf8.AppendRune(f.extra, r)
	}
	return nil, 0, &badLine{at: i, reason: "a string is not closed"}
}

// unit reads \uXXXX at k.
func unit(b []byte, k int) (r rune, ok bool) {
	if k+6 > len(b) || b[k] != '\\' || b[k+1] != 'u' {
		return 0, false
	}
	for _, c := range b[k+2 : k+6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// rowJSON appends the values of one object; an absent key is NULL.
func (u *run) rowJSON(dst []tidemill.Value, rec []byte, f *fields) ([]tidemill.Value, *badLine) {
	if bad := f.scan(rec); bad != nil {
		return dst, bad
	}
	s := u.shape
	row := len(dst)
	for range s.columns {
		dst = append(dst, tidemill.Null())
	}
	for i := range f.members {
		m := &f.members[i]
		col := i // keys mostly come in the same order
		if col >= len(s.columns) || s.columns[col].Name != string(m.key) {
			var ok bool
			if col, ok = s.index[string(m.key)]; !ok {
				return dst, &badLine{at: m.at, reason: fmt.Sprintf("a key %q that no earlier row has; declare it under columns: [%s text]", m.key, m.key)}
			}
		}
		if m.kind == 'n' {
			continue
		}
		v, ok := jsonValue(s.columns[col].Kind, m, rec)
		if !ok {
			return dst, &badLine{at: m.at, column: s.columns[col].Name, reason: misfit(s.columns[col].Kind, m.bytes)}
		}
		dst[row+col] = v
	}
	return dst, nil
}

func jsonValue(k tidemill.Kind, m *member, rec []byte) (tidemill.Value, bool) {
	switch {
	case k == tidemill.KindOther && m.kind == '"': // as it is written, with its quotes
		_, n, _ := (&fields{}).text(rec, m.at)
		return tidemill.OtherBytes(rec[m.at:n:n]), utf8.Valid(m.bytes)
	case k == tidemill.KindOther:
		return tidemill.OtherBytes(m.bytes), utf8.Valid(m.bytes)
	case m.kind == '{' && k != tidemill.KindText:
		return tidemill.Value{}, false
	}
	return textValue(k, m.bytes)
}
