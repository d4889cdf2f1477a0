package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// isNameByte is true for the bytes of a name without quotes; all of UTF-8 beyond ASCII counts as letters.
func isNameByte(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || c-'0' < 10 || c|0x20-'a' < 26
}

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokWord
	tokName // in double quotes
	tokText
	tokNumber
	tokSign
)

type token struct {
	kind tokenKind
	pos  int
	text string // a word in lower case if it is a keyword; the content of quotes; a number or sign as it stands
	raw  string // as written, for messages
}

// advance reads the next token.
func (p *exprParser) advance() error {
	s, i := p.src, p.next
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	p.tok = token{pos: i}
	if i == len(s) {
		p.next = i
		return nil
	}
	c := s[i]
	switch {
	case c == '\'' || c == '"':
		return p.quoted(i, c)
	case c-'0' < 10, c == '.' && i+1 < len(s) && s[i+1]-'0' < 10:
		return p.number(i)
	case isNameByte(c):
		j := i
		for j < len(s) && isNameByte(s[j]) {
			j++
		}
		p.tok.kind, p.tok.text, p.tok.raw, p.next = tokWord, s[i:j], s[i:j], j
		if isExprWord(p.tok.text) {
			p.tok.text = strings.ToLower(p.tok.text)
		}
		if r, _ := utf8.DecodeRuneInString(s[i:]); r >= 0x80 && !unicode.IsLetter(r) {
			return p.errorf(i, "%q has no meaning here; text goes in 'single quotes'", string(r))
		}
		return nil
	}
	for _, op := range [...]string{"<>", "!=", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "(", ")", ","} {
		if strings.HasPrefix(s[i:], op) {
			p.tok.kind, p.tok.text, p.tok.raw, p.next = tokSign, op, op, i+len(op)
			return p.checkSign(i)
		}
	}
	switch c {
	case '&':
		return p.errorf(i, "%q has no meaning here; write and", s[i:i+1])
	case '|':
		return p.errorf(i, "%q has no meaning here; write or", s[i:i+1])
	case '!':
		return p.errorf(i, "%q has no meaning here; write not", s[i:i+1])
	case '.':
		return p.errorf(i, "an expression reads one row: write the column's name without a table")
	}
	return p.errorf(i, "%q has no meaning here", s[i:i+1])
}

// checkSign refuses what other languages would write.
func (p *exprParser) checkSign(i int) error {
	switch two := p.src[i:min(i+2, len(p.src))]; two {
	case "==":
		return p.errorf(i, `"==" is written = here`)
	case "--", "/*":
		return p.errorf(i, "a comment has no place in an expression")
	}
	return nil
}

func (p *exprParser) quoted(i int, quote byte) error {
	var b strings.Builder
	for j := i + 1; j < len(p.src); j++ {
		if p.src[j] != quote {
			b.WriteByte(p.src[j])
			continue
		}
		if j+1 < len(p.src) && p.src[j+1] == quote {
			b.WriteByte(quote)
			j++
			continue
		}
		p.tok.kind, p.tok.text, p.tok.raw, p.next = tokText, b.String(), p.src[i:j+1], j+1
		if quote == '"' {
			p.tok.kind = tokName
			if b.Len() == 0 {
				return p.errorf(i, `"" is no column's name; empty text is ''`)
			}
		}
		return nil
	}
	return p.errorf(i, "the quote is not closed")
}

func (p *exprParser) number(i int) error {
	s, j := p.src, i
	digits := func() {
		for j < len(s) && s[j]-'0' < 10 {
			j++
		}
	}
	digits()
	if j < len(s) && s[j] == '.' {
		j++
		digits()
	}
	if j < len(s) && s[j]|0x20 == 'e' {
		k := j + 1
		if k < len(s) && (s[k] == '+' || s[k] == '-') {
			k++
		}
		if k < len(s) && s[k]-'0' < 10 {
			j = k
			digits()
		}
	}
	if j < len(s) && (isNameByte(s[j]) || s[j] == '.') {
		return p.errorf(i, "%q is no number", s[i:j+1])
	}
	p.tok.kind, p.tok.text, p.tok.raw, p.next = tokNumber, s[i:j], s[i:j], j
	return nil
}
