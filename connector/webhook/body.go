package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math"
	"time"

	"github.com/tidemill/tidemill"
)

// said is an output as JSON; the fields are those of the file sink, and the key.
type said struct {
	Kind          string    `json:"kind"`
	Key           string    `json:"key"`
	Task          string    `json:"task,omitempty"`
	ID            string    `json:"id,omitempty"`
	NewID         string    `json:"new_id,omitempty"`
	Prediction    *string   `json:"prediction,omitempty"`
	Score         *any      `json:"score,omitempty"`
	Probabilities object    `json:"probabilities,omitempty"`
	Values        []any     `json:"values,omitempty"`
	Version       string    `json:"model_version,omitempty"`
	Asked         time.Time `json:"asked_at,omitzero"`
	Truth         *string   `json:"truth,omitempty"`
	Corrected     bool      `json:"corrected,omitempty"`
	Answered      time.Time `json:"answered_at,omitzero"`
	Table         string    `json:"table,omitempty"`
	Op            string    `json:"op,omitempty"`
	Position      string    `json:"position"`
	Reason        string    `json:"reason,omitempty"`
	Before        object    `json:"before,omitempty"`
	Row           object    `json:"row,omitempty"`
}

// object is a JSON object whose keys keep their order.
type object []pair

type pair struct {
	name  string
	value any
}

// MarshalJSON writes the pairs in order.
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, p := range o {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := plain(p.name)
		if err != nil {
			return nil, err
		}
		value, err := plain(p.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// plain is JSON without the escapes that are for HTML.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// number is f, or nil for those that JSON does not have.
func number(f float64) any {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return f
}

func say(o *tidemill.Output) said {
	s := said{Kind: o.Kind.String(), Key: o.Key(), Task: o.Task, ID: o.ID, NewID: o.NewID, Position: o.Position, Reason: o.Reason}
	switch o.Kind {
	case tidemill.Predicted:
		score := number(o.Score)
		s.Prediction, s.Score, s.Version, s.Asked = &o.Label, &score, o.Version.String(), stamp(o.Asked)
		if o.Truth != "" || !o.Answered.IsZero() { // the row brought it
			s.Truth, s.Answered = &o.Truth, stamp(o.Answered)
		}
		switch {
		case len(o.Labels) > 0 && len(o.Labels) <= len(o.Prediction):
			for i, l := range o.Labels {
				s.Probabilities = append(s.Probabilities, pair{l, number(o.Prediction[i])})
			}
		case len(o.Labels) == 0 && len(o.Prediction) > 1:
			for _, f := range o.Prediction {
				s.Values = append(s.Values, number(f))
			}
		}
	case tidemill.Truth:
		s.Truth, s.Corrected, s.Answered = &o.Truth, o.Corrected, stamp(o.Answered)
	case tidemill.RowPassed, tidemill.RowRejected:
		if c := o.Change; c != nil && c.Table != nil {
			s.Table = c.Table.String()
			if o.Kind == tidemill.RowPassed {
				s.Op, s.Before, s.Row = c.Op.String(), row(c.Table, c.Before), row(c.Table, c.After)
			} else {
				s.Row = row(c.Table, c.Row())
			}
		}
	}
	return s
}

// stamp is t in UTC to the microsecond; the zero time where the flow has no clock.
func stamp(t time.Time) time.Time {
	if t.Year() <= 1 {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

// row is a row by column name; values that the source did not send are left out.
func row(t *tidemill.Table, vs []tidemill.Value) object {
	var o object
	for i, v := range vs {
		if v.Known() && i < len(t.Columns) {
			o = append(o, pair{t.Columns[i].Name, value(v)})
		}
	}
	return o
}

func value(v tidemill.Value) any {
	switch v.Kind() {
	case tidemill.KindNull:
		return nil
	case tidemill.KindBool:
		return v.Bool()
	case tidemill.KindInt:
		return v.Int()
	case tidemill.KindFloat:
		return number(v.Float())
	case tidemill.KindBytes:
		return base64.StdEncoding.EncodeToString(v.Bytes())
	}
	return v.String()
}

// encode is the body of a request and its key.
func encode(batch []*tidemill.Output, array bool) (body []byte, key string, err error) {
	if !array {
		body, err = plain(say(batch[0]))
		return body, headerKey(batch[0].Key()), err
	}
	all := make([]said, len(batch))
	keys := ""
	for i, o := range batch {
		all[i] = say(o)
		keys += all[i].Key + "\n"
	}
	body, err = plain(all)
	return body, hashed(keys), err
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// headerKey is the key where a header can hold it, else its hash.
func headerKey(key string) string {
	if len(key) > 200 {
		return hashed(key)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f {
			return hashed(key)
		}
	}
	return key
}
