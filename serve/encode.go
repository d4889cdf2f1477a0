package serve

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/jsontext"
)

// style is how every answer is written: strings as encoding/json does, so that an answer may stand in a page.
const style = jsontext.Script | jsontext.HTML

func appendString(dst []byte, s string) []byte { return style.AppendString(dst, s) }

// appendNumber appends f, or null for NaN and the infinities, which JSON cannot say.
func appendNumber(dst []byte, f float64) []byte { return style.AppendNumber(dst, f) }

func appendOptional(dst []byte, f *float64) []byte {
	if f == nil {
		return append(dst, "null"...)
	}
	return appendNumber(dst, *f)
}

// AppendPrediction appends the JSON object that POST /predict answers for one row: the prediction is a number where
// the task's answers are numbers, else a text, and null where there is none. What JSON cannot say, NaN and infinity,
// is null too.
func AppendPrediction(dst []byte, t *engine.TaskStatus, p *engine.Prediction) []byte {
	dst = append(dst, `{"prediction":`...)
	dst = appendAnswer(dst, t, p)
	if p.Score != nil {
		dst = appendNumber(append(dst, `,"score":`...), *p.Score)
	}
	if p.Probabilities != nil {
		dst = append(dst, `,"probabilities":`...)
		dst = appendProbabilities(dst, t, p)
	}
	if p.Values != nil {
		dst = style.AppendNumbers(append(dst, `,"values":`...), p.Values)
	}
	dst = append(dst, `,"missing":[`...)
	for i, m := range p.Missing {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, m)
	}
	dst = appendString(append(dst, `],"model_version":`...), p.Version)
	dst = appendString(append(dst, `,"trained_through":`...), string(p.Through))
	if !p.ThroughTime.IsZero() {
		dst = append(dst, `,"trained_through_time":"`...)
		dst = append(p.ThroughTime.UTC().AppendFormat(dst, time.RFC3339Nano), '"')
	}
	return append(dst, '}')
}

// appendAnswer appends the answer alone: the label as a text, or a number where the task's answers are numbers.
func appendAnswer(dst []byte, t *engine.TaskStatus, p *engine.Prediction) []byte {
	switch t.Kind {
	case "regress", "anomaly":
		return appendOptional(dst, p.Score)
	}
	if p.Label == "" && p.Score == nil {
		return append(dst, "null"...)
	}
	return appendString(dst, p.Label)
}

// appendProbabilities appends an object by class, in the order of the task's classes.
func appendProbabilities(dst []byte, t *engine.TaskStatus, p *engine.Prediction) []byte {
	dst = append(dst, '{')
	n := len(dst)
	for _, c := range classes(t, p) {
		if f, ok := p.Probabilities[c]; ok {
			if len(dst) > n {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, c), ':')
			dst = appendNumber(dst, f)
		}
	}
	return append(dst, '}')
}

// classes is the order of the prediction's classes: the task's, and by name where the model has learned another one
// since the status was taken.
func classes(t *engine.TaskStatus, p *engine.Prediction) []string {
	if len(p.Probabilities) <= len(t.Classes) {
		return t.Classes
	}
	all := slices.Clone(t.Classes)
	for c := range p.Probabilities {
		if !slices.Contains(t.Classes, c) {
			all = append(all, c)
		}
	}
	slices.Sort(all[len(t.Classes):])
	return all
}

// appendJSON appends v as encoding/json would, except that a number which JSON cannot say is null instead of an error.
// Interfaces, embedded structs, marshalers other than
// time.Time and the string option do not occur in a Status and are not known here.
func appendJSON(dst []byte, v reflect.Value) []byte {
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		return append(v.Interface().(time.Time).AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
	case reflect.TypeFor[[]byte]():
		if v.IsNil() {
			return append(dst, "null"...)
		}
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), v.Bytes()), '"')
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(dst, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(dst, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		return appendNumber(dst, v.Float())
	case reflect.String:
		return appendString(dst, v.String())
	case reflect.Pointer:
		if v.IsNil() {
			return append(dst, "null"...)
		}
		return appendJSON(dst, v.Elem())
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			return append(dst, "null"...)
		}
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSON(dst, v.Index(i))
		}
		return append(dst, ']')
	case reflect.Map:
		if v.IsNil() {
			return append(dst, "null"...)
		}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		dst = append(dst, '{')
		for i, k := range keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, k.String()), ':')
			dst = appendJSON(dst, v.MapIndex(k))
		}
		return append(dst, '}')
	case reflect.Struct:
		return appendStruct(dst, v)
	}
	return append(dst, "null"...)
}

func appendStruct(dst []byte, v reflect.Value) []byte {
	dst = append(dst, '{')
	return append(appendFields(dst, len(dst), v), '}')
}

// appendFields appends the fields of an object that began at n; those of an embedded struct stand among them.
func appendFields(dst []byte, n int, v reflect.Value) []byte {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct {
			dst = appendFields(dst, n, v.Field(i))
			continue
		}
		if x := v.Field(i); option == "omitempty" && empty(x) || option == "omitzero" && x.IsZero() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		if len(dst) > n {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		dst = appendJSON(dst, v.Field(i))
	}
	return dst
}

// empty is what omitempty leaves out.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}
