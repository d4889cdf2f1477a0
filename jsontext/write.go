package jsontext

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
)

// Style is how JSON is written where JSON leaves a choice. Styles are joined by |.
type Style uint8

// Plain escapes only what has to be, writes bytes that are not UTF-8 as the character U+FFFD, and numbers as strconv's
// 'g' does: 1e+06.
const Plain Style = 0

// What a style may have beyond Plain.
const (
	// Script escapes what JavaScript once took for a line's end, U+2028 and U+2029, and writes U+FFFD, backspace and
	// form feed as escapes.
	Script Style = 1 << iota
	// HTML escapes <, > and &, so that the text can stand in a page.
	HTML
	// Decimals writes numbers as JavaScript does: without an exponent from 1e-6 up to 1e21.
	Decimals
	// Standard is byte for byte what encoding/json writes.
	Standard = Script | HTML | Decimals
)

const hexDigits = "0123456789abcdef"

// always is beside the styles in escapes: in every style.
const always Style = 1 << 7

// escapes are the styles in which a byte does not stand in a string as it is.
var escapes = func() (t [256]Style) {
	for c := range t {
		if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			t[c] = always
		}
	}
	t['<'], t['>'], t['&'] = HTML, HTML, HTML
	return t
}()

// AppendString appends t as a JSON string. What is not UTF-8 becomes U+FFFD.
func (s Style) AppendString(dst []byte, t string) []byte {
	dst = append(dst, '"')
	from, look := 0, s|always
	for i := 0; i < len(t); {
		c := t[i]
		if escapes[c]&look == 0 {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = s.appendEscape(append(dst, t[from:i]...), c)
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(t[i:])
		switch {
		case r == utf8.RuneError && n == 1 && s&Script == 0:
			dst = append(append(dst, t[from:i]...), "\ufffd"...)
			from = i + n
		case r == utf8.RuneError && n == 1:
			dst = append(append(dst, t[from:i]...), `\ufffd`...)
			from = i + n
		case (r == '\u2028' || r == '\u2029') && s&Script != 0:
			dst = append(append(dst, t[from:i]...), `\u202`...)
			dst = append(dst, hexDigits[r&15])
			from = i + n
		}
		i += n
	}
	return append(append(dst, t[from:]...), '"')
}

// appendEscape appends the escape of an ASCII character.
func (s Style) appendEscape(dst []byte, c byte) []byte {
	switch {
	case c == '"' || c == '\\':
		return append(dst, '\\', c)
	case c == '\n':
		return append(dst, '\\', 'n')
	case c == '\r':
		return append(dst, '\\', 'r')
	case c == '\t':
		return append(dst, '\\', 't')
	case c == '\b' && s&Script != 0:
		return append(dst, '\\', 'b')
	case c == '\f' && s&Script != 0:
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// AppendNumber appends f in the fewest digits that read back as f; null for NaN and the infinities, which JSON cannot
// say.
func (s Style) AppendNumber(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if s&Decimals == 0 {
		return strconv.AppendFloat(dst, f, 'g', -1, 64)
	}
	if size := math.Abs(f); size == 0 || size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	if n := len(dst); dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' { // e-07 is e-7
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// AppendNumbers appends fs as an array.
func (s Style) AppendNumbers(dst []byte, fs []float64) []byte {
	dst = append(dst, '[')
	for i, f := range fs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = s.AppendNumber(dst, f)
	}
	return append(dst, ']')
}

// AppendProbabilities appends a probability per class as an object in the order of the classes; what is in only one of
// the two lists is left out.
func (s Style) AppendProbabilities(dst []byte, classes []string, probabilities []float64) []byte {
	dst = append(dst, '{')
	for i := range min(len(classes), len(probabilities)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(s.AppendString(dst, classes[i]), ':')
		dst = s.AppendNumber(dst, probabilities[i])
	}
	return append(dst, '}')
}

// AppendTime appends t as a string in UTC to the microsecond, cut off, not rounded; null where the flow has no clock:
// the zero time, and whatever lies before year 2.
func (s Style) AppendTime(dst []byte, t time.Time) []byte {
	if t.Year() <= 1 {
		return append(dst, "null"...)
	}
	dst = t.UTC().AppendFormat(append(dst, '"'), "2006-01-02T15:04:05.999999Z07:00")
	return append(dst, '"')
}

// AppendValue appends a column's value: NULL as null, bytes as a string in base64, decimals, times and foreign types as
// strings of their text, so that no digit is lost. An unknown value is null too; whoever can leaves it out.
func (s Style) AppendValue(dst []byte, v tidemill.Value) []byte {
	switch v.Kind() {
	case tidemill.KindUnknown, tidemill.KindNull:
		return append(dst, "null"...)
	case tidemill.KindBool, tidemill.KindInt:
		return v.AppendText(dst)
	case tidemill.KindFloat:
		return s.AppendNumber(dst, v.Float())
	case tidemill.KindBytes:
		dst = base64.StdEncoding.AppendEncode(append(dst, '"'), v.Bytes())
		return append(dst, '"')
	case tidemill.KindTime:
		dst = v.AppendText(append(dst, '"'))
		return append(dst, '"')
	}
	return s.AppendString(dst, v.Str())
}

// AppendRow appends a row of t as an object by column name; values that the source did not send are left out.
func (s Style) AppendRow(dst []byte, t *tidemill.Table, row []tidemill.Value) []byte {
	dst = append(dst, '{')
	first := true
	for i, v := range row {
		if !v.Known() || i >= len(t.Columns) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(s.AppendString(dst, t.Columns[i].Name), ':')
		dst = s.AppendValue(dst, v)
	}
	return append(dst, '}')
}
