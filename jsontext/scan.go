package jsontext

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Text is what is scanned. What the scanners return are places in it, so strings and bytes come from the same code.
type Text interface{ ~string | ~[]byte }

// Fault is why a token is none.
type Fault uint8

// The faults of a token. Each comes with the place where it lies.
const (
	None     Fault = iota
	NoValue        // no value begins here
	NoNumber       // what begins here is no number
	Unclosed       // the text ends inside a string
	Control        // a control character in a string
	Escape         // an escape that JSON does not know
	NoName         // a name in quotes is expected
	NoColon        // a colon is expected
	NoComma        // a comma or the closing bracket is expected
	TooDeep        // nested too deep
)

// Space is the first place from i on that is no white space.
func Space[T Text](s T, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// Number is the end of the number that begins at i; whole says that it has neither fraction nor exponent. ok is false
// for what is no number of JSON, such as 01, +1, 1. and NaN.
func Number[T Text](s T, i int) (end int, whole, ok bool) {
	if i < len(s) && s[i] == '-' {
		i++
	}
	from := i
	i = digits(s, i)
	if i == from || s[from] == '0' && i > from+1 {
		return i, false, false
	}
	whole = true
	if i < len(s) && s[i] == '.' {
		from, whole = i+1, false
		if i = digits(s, from); i == from {
			return i, false, false
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		whole = false
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		from = i
		if i = digits(s, from); i == from {
			return i, false, false
		}
	}
	return i, whole, true
}

func digits[T Text](s T, i int) int {
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	return i
}

// Quoted is the end of the string whose quote is at i, behind its closing quote: s[i+1:end-1] is what it holds, as it
// is where escaped is false, else to be read by AppendUnescaped. Where there is a fault, end is its place. Whether the
// string is UTF-8 is not looked at.
func Quoted[T Text](s T, i int) (end int, escaped bool, why Fault) {
	for k := i + 1; k < len(s); k++ {
		switch c := s[k]; {
		case c == '"':
			return k + 1, escaped, None
		case c == '\\':
			n := escapeLength(s, k)
			if n == 0 {
				return k, true, Unclosed
			}
			if n < 0 {
				return k, true, Escape
			}
			escaped = true
			k += n - 1
		case c < ' ':
			return k, escaped, Control
		}
	}
	return len(s), escaped, Unclosed
}

// escapeLength is how long the escape at k is: 2 or 6; 0 where the text ends inside of it, -1 where it is none.
func escapeLength[T Text](s T, k int) int {
	if k+1 >= len(s) {
		return 0
	}
	switch s[k+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		for n := 2; n < 6; n++ {
			if k+n >= len(s) {
				return 0
			}
			if _, ok := hexDigit(s[k+n]); !ok {
				return -1
			}
		}
		return 6
	}
	return -1
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0'), true
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}

// unit is the \uXXXX at k, whose digits were looked at.
func unit[T Text](s T, k int) (r rune) {
	for n := 2; n < 6; n++ {
		d, _ := hexDigit(s[k+n])
		r = r<<4 | d
	}
	return r
}

// AppendUnescaped appends what a string holds. s is what stands between its quotes, which Quoted has found without
// fault. Half a surrogate pair becomes U+FFFD.
func AppendUnescaped[T Text](dst []byte, s T) []byte {
	for k := 0; k < len(s); {
		from := k
		for k < len(s) && s[k] != '\\' {
			k++
		}
		if dst = append(dst, s[from:k]...); k == len(s) {
			break
		}
		switch c := s[k+1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := unit(s, k)
			k += 6
			if utf16.IsSurrogate(r) {
				low := rune(utf8.RuneError)
				if k+6 <= len(s) && s[k] == '\\' && s[k+1] == 'u' {
					low = unit(s, k)
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					k += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		default:
			dst = append(dst, c)
		}
		k += 2
	}
	return dst
}

// Word is the end of null, true or false at i; ok is false where none of them begins there.
func Word[T Text](s T, i int) (end int, ok bool) {
	if i >= len(s) {
		return i, false
	}
	word := ""
	switch s[i] {
	case 'n':
		word = "null"
	case 't':
		word = "true"
	case 'f':
		word = "false"
	}
	if word == "" || len(s)-i < len(word) || string(s[i:i+len(word)]) != word {
		return i, false
	}
	return i + len(word), true
}

// Value is the end of the value that begins at i, which is no white space: of any kind, nested at most depth deep.
// Where there is a fault, end is its place.
func Value[T Text](s T, i, depth int) (end int, why Fault) {
	if i >= len(s) {
		return i, NoValue
	}
	switch c := s[i]; {
	case c == '"':
		end, _, why = Quoted(s, i)
		return end, why
	case c == '-' || c >= '0' && c <= '9':
		end, _, ok := Number(s, i)
		if !ok {
			return i, NoNumber
		}
		return end, None
	case c == '{' || c == '[':
		if depth == 0 {
			return i, TooDeep
		}
		return nested(s, i, depth)
	}
	end, ok := Word(s, i)
	if !ok {
		return i, NoValue
	}
	return end, None
}

// nested is Value of an object or an array.
func nested[T Text](s T, i, depth int) (end int, why Fault) {
	closing := s[i] + 2 // ] and } follow [ and { by two
	object := closing == '}'
	if i = Space(s, i+1); i < len(s) && s[i] == closing {
		return i + 1, None
	}
	for {
		if object {
			if i >= len(s) || s[i] != '"' {
				return i, NoName
			}
			if i, _, why = Quoted(s, i); why != None {
				return i, why
			}
			if i = Space(s, i); i >= len(s) || s[i] != ':' {
				return i, NoColon
			}
			i = Space(s, i+1)
		}
		if i, why = Value(s, i, depth-1); why != None {
			return i, why
		}
		i = Space(s, i)
		if i < len(s) && s[i] == closing {
			return i + 1, None
		}
		if i >= len(s) || s[i] != ',' {
			return i, NoComma
		}
		i = Space(s, i+1)
	}
}
