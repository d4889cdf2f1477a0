package file

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
)

// appendLine appends an output as one JSON object and a line's end. The order of the fields is fixed:
//
//	{"kind":"prediction","task":…,"id":…,"prediction":…,"score":…,"probabilities":{…},"model_version":…,"asked_at":…,"position":…}, and
//	"truth" and "answered_at" where the row brought the truth with it
//	{"kind":"truth","task":…,"id":…,"truth":…,"corrected":true,"answered_at":…,"position":…}
//	{"kind":"moved","task":…,"id":…,"new_id":…,"position":…}
//	{"kind":"row","table":…,"op":…,"position":…,"before":{…},"row":{…}}
//	{"kind":"reject","task":…,"id":…,"table":…,"position":…,"reason":…,"row":{…}}
//	{"kind":"event","task":…,"position":…,"reason":…}
//
// Numbers that JSON does not have are null. Instead of probabilities a cluster model has "values", its distances.
func appendLine(b []byte, o *tidemill.Output) []byte {
	b = append(b, `{"kind":`...)
	b = appendText(b, o.Kind.String())
	field := func(name, value string) {
		b = append(b, ',', '"')
		b = append(b, name...)
		b = append(b, '"', ':')
		b = appendText(b, value)
	}
	when := func(name string, t time.Time) {
		b = append(b, ',', '"')
		b = append(b, name...)
		b = append(b, '"', ':')
		if t.Year() <= 1 {
			b = append(b, "null"...)
			return
		}
		b = append(b, '"')
		b = t.UTC().AppendFormat(b, "2006-01-02T15:04:05.999999Z07:00")
		b = append(b, '"')
	}
	switch o.Kind {
	case tidemill.Predicted:
		field("task", o.Task)
		field("id", o.ID)
		field("prediction", o.Label)
		b = append(b, `,"score":`...)
		b = appendNumber(b, o.Score)
		b = appendPrediction(b, o)
		field("model_version", o.Version.String())
		when("asked_at", o.Asked)
		field("position", o.Position)
		if o.Truth != "" || !o.Answered.IsZero() { // the row brought it
			field("truth", o.Truth)
			when("answered_at", o.Answered)
		}
	case tidemill.Truth:
		field("task", o.Task)
		field("id", o.ID)
		field("truth", o.Truth)
		if o.Corrected {
			b = append(b, `,"corrected":true`...)
		}
		when("answered_at", o.Answered)
		field("position", o.Position)
	case tidemill.Retracted:
		field("task", o.Task)
		field("id", o.ID)
		field("new_id", o.NewID)
		field("position", o.Position)
	case tidemill.RowPassed:
		if c := o.Change; c != nil && c.Table != nil {
			field("table", c.Table.String())
			field("op", c.Op.String())
			field("position", o.Position)
			b = appendRow(b, "before", c.Table, c.Before)
			b = appendRow(b, "row", c.Table, c.After)
		} else {
			field("position", o.Position)
		}
	case tidemill.RowRejected:
		if o.Task != "" {
			field("task", o.Task)
		}
		if o.ID != "" {
			field("id", o.ID)
		}
		c := o.Change
		if c != nil && c.Table != nil {
			field("table", c.Table.String())
		}
		field("position", o.Position)
		field("reason", o.Reason)
		if c != nil && c.Table != nil {
			b = appendRow(b, "row", c.Table, c.Row())
		}
	default:
		if o.Task != "" {
			field("task", o.Task)
		}
		field("position", o.Position)
		field("reason", o.Reason)
	}
	return append(b, '}', '\n')
}

// appendPrediction appends the classes' probabilities, or the distances of a model that gives several numbers.
func appendPrediction(b []byte, o *tidemill.Output) []byte {
	switch {
	case len(o.Labels) > 0 && len(o.Labels) <= len(o.Prediction):
		b = append(b, `,"probabilities":{`...)
		for i, l := range o.Labels {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, l)
			b = append(b, ':')
			b = appendNumber(b, o.Prediction[i])
		}
		b = append(b, '}')
	case len(o.Labels) == 0 && len(o.Prediction) > 1:
		b = append(b, `,"values":[`...)
		for i, p := range o.Prediction {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendNumber(b, p)
		}
		b = append(b, ']')
	}
	return b
}

// appendRow appends a row by column name; values that the source did not send are left out.
func appendRow(b []byte, name string, t *tidemill.Table, row []tidemill.Value) []byte {
	if row == nil {
		return b
	}
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, `":{`...)
	first := true
	for i, v := range row {
		if !v.Known() || i >= len(t.Columns) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendText(b, t.Columns[i].Name)
		b = append(b, ':')
		b = appendValue(b, v)
	}
	return append(b, '}')
}

func appendValue(b []byte, v tidemill.Value) []byte {
	switch v.Kind() {
	case tidemill.KindNull:
		return append(b, "null"...)
	case tidemill.KindBool, tidemill.KindInt:
		return v.AppendText(b)
	case tidemill.KindFloat:
		return appendNumber(b, v.Float())
	case tidemill.KindBytes:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	case tidemill.KindTime:
		b = append(b, '"')
		b = v.AppendText(b)
		return append(b, '"')
	}
	return appendText(b, v.Str())
}

func appendNumber(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// appendText appends s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}
