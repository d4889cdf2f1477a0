package file

import (
	"fmt"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/jsontext"
)

// member is one key of an object with its value.
type member struct {
	key   []byte
	kind  byte   // 'n' null, 't' a boolean, '0' a number, '"' a string, '{' an object or array
	bytes []byte // a string without quotes and escapes; all else as it is written
	at    int    // of the value, in the row
}

// nestedMax is how deep a value may nest, as in encoding/json.
const nestedMax = 10_000

// faults are the reasons of what is no JSON.
var faults = map[jsontext.Fault]string{
	jsontext.NoValue:  "a value is expected",
	jsontext.NoNumber: "what begins here is no number",
	jsontext.Unclosed: "a string is not closed",
	jsontext.Control:  "a control character in a string; write it as \\u00XX",
	jsontext.Escape:   "an escape that JSON does not know",
}

// scan takes a JSON object apart into members. RFC 8259 says what an object is; this accepts the same.
func (f *fields) scan(b []byte) *badLine {
	f.members = f.members[:0]
	i := jsontext.Space(b, 0)
	if i == len(b) || b[i] != '{' {
		return &badLine{at: i, reason: "a JSON object is expected: {\"column\": value, ...}"}
	}
	i = jsontext.Space(b, i+1)
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
		i = jsontext.Space(b, n)
		if i == len(b) || b[i] != ':' {
			return &badLine{at: i, reason: "a colon is expected"}
		}
		m := member{key: key, at: jsontext.Space(b, i+1)}
		if i, bad = f.value(b, &m); bad != nil {
			return bad
		}
		f.members = append(f.members, m)
		i = jsontext.Space(b, i)
		if i < len(b) && b[i] == '}' {
			return end(b, i+1)
		}
		if i == len(b) || b[i] != ',' {
			return &badLine{at: i, reason: "a comma or } is expected"}
		}
		i = jsontext.Space(b, i+1)
	}
}

func end(b []byte, i int) *badLine {
	if i = jsontext.Space(b, i); i < len(b) {
		return &badLine{at: i, reason: "text after the object; write one object per line"}
	}
	return nil
}

// value reads the value at m.at and gives the place after it.
func (f *fields) value(b []byte, m *member) (n int, bad *badLine) {
	i := m.at
	if i < len(b) && b[i] == '"' {
		m.kind = '"'
		m.bytes, n, bad = f.text(b, i)
		return n, bad
	}
	n, why := jsontext.Value(b, i, nestedMax)
	if why != jsontext.None {
		reason := "what begins here is no JSON"
		if i == len(b) || b[i] != '{' && b[i] != '[' {
			reason = faults[why]
		}
		return 0, &badLine{at: i, reason: reason}
	}
	switch c := b[i]; c {
	case '{', '[':
		m.kind = '{'
	case 'n':
		m.kind = 'n'
	case 't', 'f':
		m.kind = 't'
	default:
		m.kind = '0'
	}
	m.bytes = b[i:n:n]
	return n, nil
}

// text reads the string at i, which is a quote, and gives the place after its end.
func (f *fields) text(b []byte, i int) (s []byte, n int, bad *badLine) {
	n, escaped, why := jsontext.Quoted(b, i)
	switch {
	case why == jsontext.Unclosed:
		return nil, 0, &badLine{at: i, reason: faults[why]}
	case why != jsontext.None:
		return nil, 0, &badLine{at: n, reason: faults[why]}
	case !escaped:
		return b[i+1 : n-1 : n-1], n, nil
	}
	f.reserve(len(b))
	begin := len(f.extra)
	f.extra = jsontext.AppendUnescaped(f.extra, b[i+1:n-1])
	end := len(f.extra)
	return f.extra[begin:end:end], n, nil
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
				return dst, &badLine{at: m.at, reason: fmt.Sprintf(
					"a key %q that no earlier row has; declare it under columns: [%s text]", m.key, m.key)}
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
