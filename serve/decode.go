package serve

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/jsontext"
)

// maxDepth bounds how deep values may nest: a row is flat, and what lies inside a column is kept as text.
const maxDepth = 32

// scanner reads JSON (RFC 8259) from a string without reflection. Strings that it returns share s's memory where they
// have no escapes. NaN and Infinity, which some clients write bare, are refused: null is how JSON says unknown.
type scanner struct {
	s string
	i int
}

// fail is an error that says where.
func (p *scanner) fail(format string, a ...any) error {
	return fmt.Errorf("body, byte %d: %s", p.i, fmt.Sprintf(format, a...))
}

func (p *scanner) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		default:
			return
		}
	}
}

// peek is the next byte that is not white space, 0 at the end.
func (p *scanner) peek() byte {
	p.space()
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// take consumes c if it is next.
func (p *scanner) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.i++
	return true
}

func (p *scanner) want(c byte, where string) error {
	if !p.take(c) {
		return p.unexpected(fmt.Sprintf("%q %s", string(c), where))
	}
	return nil
}

func (p *scanner) unexpected(wanted string) error {
	if p.peek() == 0 && p.i >= len(p.s) {
		return p.fail("the body ends where %s belongs", wanted)
	}
	rest := p.s[p.i:]
	for _, w := range []string{"NaN", "Infinity", "-Infinity"} {
		if strings.HasPrefix(rest, w) {
			return p.fail("%s is no JSON; send null for a value that is not known", w)
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return p.fail("%q where %s belongs", r, wanted)
}

// end checks that nothing but white space is left.
func (p *scanner) end() error {
	if p.space(); p.i < len(p.s) {
		return p.unexpected("the end")
	}
	return nil
}

// each walks an object whose "{" is next: f is called with every name and must consume the value.
func (p *scanner) each(f func(name string) error) error {
	if err := p.want('{', "of an object"); err != nil {
		return err
	}
	if p.take('}') {
		return nil
	}
	for {
		if p.peek() != '"' {
			return p.unexpected("a name in quotes")
		}
		name, err := p.str()
		if err != nil {
			return err
		}
		if err := p.want(':', "after the name"); err != nil {
			return err
		}
		if err := f(name); err != nil {
			return err
		}
		if p.take(',') {
			continue
		}
		return p.want('}', "or a comma")
	}
}

// items walks an array whose "[" is next: f is called for every item and must consume it.
func (p *scanner) items(f func(i int) error) error {
	if err := p.want('[', "of an array"); err != nil {
		return err
	}
	if p.take(']') {
		return nil
	}
	for i := 0; ; i++ {
		if err := f(i); err != nil {
			return err
		}
		if p.take(',') {
			continue
		}
		return p.want(']', "or a comma")
	}
}

// value reads one column's value: nil, a bool, an int64 or float64, a json.Number for an integer that fits neither, a
// string; an object or an array comes back as its raw text.
func (p *scanner) value() (any, error) {
	switch c := p.peek(); {
	case c == '"':
		return p.str()
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	case c == '{' || c == '[':
		return p.raw()
	case p.word("null"):
		return nil, nil
	case p.word("true"):
		return true, nil
	case p.word("false"):
		return false, nil
	}
	return nil, p.unexpected("a value")
}

func (p *scanner) word(w string) bool {
	if strings.HasPrefix(p.s[p.i:], w) {
		p.i += len(w)
		return true
	}
	return false
}

// raw skips one value of any kind and returns its text.
func (p *scanner) raw() (string, error) {
	p.space()
	from := p.i
	if err := p.skip(); err != nil {
		return "", err
	}
	return p.s[from:p.i], nil
}

// skip reads over one value of any kind.
func (p *scanner) skip() error {
	p.space()
	end, why := jsontext.Value(p.s, p.i, maxDepth)
	from := p.i
	p.i = end
	switch why {
	case jsontext.None:
		if !utf8.ValidString(p.s[from:end]) {
			return p.fail("a text that is not UTF-8")
		}
		return nil
	case jsontext.TooDeep:
		return p.fail("nested more than %d deep", maxDepth)
	case jsontext.NoValue:
		return p.unexpected("a value")
	case jsontext.NoNumber:
		return p.unexpected("a number")
	case jsontext.NoName:
		return p.unexpected("a name in quotes")
	case jsontext.NoColon:
		return p.unexpected(`":" after the name`)
	case jsontext.NoComma:
		return p.unexpected("a comma or the closing bracket")
	}
	return p.text(why)
}

// number reads a number: an int64 where it is a whole one that fits, a json.Number where it is a larger whole one.
func (p *scanner) number() (any, error) {
	text, whole, err := p.numeral()
	if err != nil {
		return nil, err
	}
	if whole {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n, nil
		}
		return json.Number(text), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, p.fail("%s is too large for a number", clip(text))
	}
	return f, nil
}

// float reads a number as a float64.
func (p *scanner) float() (float64, error) {
	text, _, err := p.numeral()
	if err != nil {
		return 0, err
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return 0, p.fail("%s is too large for a number", clip(text))
	}
	return f, nil
}

// numeral is the text of the number that is next; whole says that it has neither fraction nor exponent.
func (p *scanner) numeral() (text string, whole bool, err error) {
	p.space()
	end, whole, ok := jsontext.Number(p.s, p.i)
	if !ok {
		return "", false, p.unexpected("a number")
	}
	text, p.i = p.s[p.i:end], end
	return text, whole, nil
}

// str reads the string whose quote is next.
func (p *scanner) str() (string, error) {
	end, escaped, why := jsontext.Quoted(p.s, p.i)
	from := p.i + 1
	p.i = end
	if why != jsontext.None {
		return "", p.text(why)
	}
	s := p.s[from : end-1]
	if !utf8.ValidString(s) {
		return "", p.fail("a text that is not UTF-8")
	}
	if escaped {
		s = string(jsontext.AppendUnescaped(make([]byte, 0, len(s)), s))
	}
	return s, nil
}

// text is what is wrong with a text, at the place that the scanner has come to.
func (p *scanner) text(why jsontext.Fault) error {
	switch why {
	case jsontext.Control:
		return p.fail("a control character in a text: write it as an escape")
	case jsontext.Escape:
		return p.fail("%q is no escape of JSON", p.s[p.i:min(p.i+2, len(p.s))])
	}
	p.i = len(p.s)
	return p.fail("the body ends inside a text")
}

// row reads one object into a Row. A picture column's value becomes what the column holds.
func (p *scanner) row(r tidemill.Row, pic *engine.PictureStatus) error {
	return p.each(func(name string) error {
		if _, twice := r[name]; twice {
			return p.fail("column %q twice", clip(name))
		}
		var v any
		var err error
		if pic != nil && name == pic.Column {
			v, err = p.picture(pic)
		} else {
			v, err = p.value()
		}
		r[name] = v
		return err
	})
}

// clip shortens a foreign text for an error.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
