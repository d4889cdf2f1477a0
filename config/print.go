package config

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// pair is a key with what it shows; pairs keep their order.
type pair struct {
	key   string
	value any // string, bare, []any, pairs
}

type pairs []pair

// bare is a scalar that is printed as it is.
type bare string

// Filler is an upgrade of a config struct of which some keys depend on others where they are not given: Filled is a
// copy, by pointer, with what they are then. What is shown of it is the copy.
type Filler interface{ Filled() any }

// filled is a config struct as it is shown.
func filled(cfg any) reflect.Value {
	if f, ok := cfg.(Filler); ok {
		cfg = f.Filled()
	}
	return reflect.ValueOf(cfg).Elem()
}

// showConfig shows a struct with all its defaults: keys without a value are left out unless their default (in fresh, if
// that is valid) has one; secrets are starred. It is nil where nothing is left.
func showConfig(v, fresh reflect.Value) any {
	var p pairs
	fields := fieldsOf(v.Type())
	for _, f := range fields {
		x := v.FieldByIndex(f.index)
		if f.secret && !x.IsZero() {
			p = append(p, pair{f.key, "***"})
			continue
		}
		s := showValue(x, f)
		if s == nil && (f.required && !isShaped(f.typ) || fresh.IsValid() && !fresh.FieldByIndex(f.index).IsZero()) {
			s = showZero(x)
		}
		if s != nil {
			p = append(p, pair{f.key, s})
		}
	}
	if short, ok := shortField(fields); ok && len(p) == 1 && p[0].key == short.key {
		return p[0].value
	}
	if p == nil {
		return nil
	}
	return p
}

// showZero is what stands for nothing where leaving the key out would mean its default.
func showZero(v reflect.Value) any {
	switch {
	case v.Type() == durationType:
		return bare("0s")
	case v.Kind() == reflect.String:
		return ""
	case v.Kind() == reflect.Slice:
		return []any{}
	}
	return nil
}

func showValue(v reflect.Value, f field) any {
	if s, ok := addressable(v).Interface().(shaped); ok {
		return s.show()
	}
	if v.Type() == durationType {
		if v.Int() == 0 {
			return nil
		}
		return bare(formatDuration(time.Duration(v.Int())))
	}
	switch v.Kind() {
	case reflect.String:
		if v.Len() == 0 {
			return nil
		}
		return v.String()
	case reflect.Bool:
		return bare(strconv.FormatBool(v.Bool()))
	case reflect.Float64, reflect.Float32:
		text := strconv.FormatFloat(v.Float(), 'g', -1, 64)
		if mantissa, exponent, ok := strings.Cut(text, "e"); ok && !strings.Contains(mantissa, ".") {
			text = mantissa + ".0e" + exponent // without the point, YAML 1.1 reads text
		}
		return bare(text)
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return showValue(v.Elem(), f)
	case reflect.Struct:
		if v.IsZero() {
			return nil
		}
		return showConfig(v, reflect.Value{})
	case reflect.Slice:
		if v.Len() == 0 {
			return nil
		}
		if v.Len() == 1 && f.single() {
			return showValue(v.Index(0), f)
		}
		var list []any
		for i := range v.Len() {
			x := showValue(v.Index(i), f)
			if x == nil {
				x = ""
			}
			list = append(list, x)
		}
		return list
	}
	if f.unit == "bytes" {
		return bare(formatBytes(v.Int()))
	}
	if v.CanUint() {
		return bare(strconv.FormatUint(v.Uint(), 10))
	}
	return bare(strconv.FormatInt(v.Int(), 10))
}

func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v.Addr()
	}
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p
}

// lineWidth is how long a mapping may be to be printed in one line.
const lineWidth = 96

// printYAML writes a mapping, one key a line; what fits goes into { } and [ ].
func printYAML(b *strings.Builder, p pairs, indent string) {
	for i, x := range p {
		if i > 0 {
			b.WriteString(indent)
		}
		b.WriteString(x.key + ":")
		printValue(b, x.value, indent, len(indent)+len(x.key)+1)
	}
}

func printValue(b *strings.Builder, v any, indent string, used int) {
	if flow, ok := inline(v); ok && used+1+len(flow) <= lineWidth || isScalar(v) {
		b.WriteString(" " + flow + "\n")
		return
	}
	switch v := v.(type) {
	case pairs:
		b.WriteString("\n" + indent + "  ")
		printYAML(b, v, indent+"  ")
	case []any:
		b.WriteString("\n")
		for _, item := range v {
			b.WriteString(indent + "  -")
			if p, ok := item.(pairs); ok {
				if flow, fits := inline(p); !fits || len(indent)+5+len(flow) > lineWidth || len(p) > 1 {
					b.WriteString(" ")
					printYAML(b, p, indent+"    ")
					continue
				}
				b.WriteString(" " + p[0].key + ":")
				printValue(b, p[0].value, indent+"    ", len(indent)+4)
				continue
			}
			printValue(b, item, indent+"  ", len(indent)+4)
		}
	}
}

func isScalar(v any) bool {
	switch v.(type) {
	case string, bare:
		return true
	}
	return false
}

// inline is a value in one line; ok is false for what reads better over several: a list of mappings.
func inline(v any) (s string, ok bool) {
	switch v := v.(type) {
	case bare:
		return string(v), true
	case string:
		return quoteYAML(v), true
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			if _, mapping := x.(pairs); mapping {
				return "", false
			}
			if parts[i], ok = inline(x); !ok {
				return "", false
			}
		}
		return "[" + strings.Join(parts, ", ") + "]", true
	case pairs:
		parts := make([]string, len(v))
		for i, x := range v {
			text, ok := inline(x.value)
			if !ok {
				return "", false
			}
			parts[i] = x.key + ": " + text
		}
		return "{" + strings.Join(parts, ", ") + "}", true
	}
	return "", false
}

// plainYAML is text that needs no quotes anywhere.
var plainYAML = regexp.MustCompile(`^[A-Za-z_](?:[A-Za-z0-9_./+-]| [A-Za-z0-9_])*$`)

func quoteYAML(s string) string {
	s = strings.ReplaceAll(s, "${", "$${")
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return `"` + s + `"`
	}
	if plainYAML.MatchString(s) {
		return s
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return strconv.Quote(s)
	}
	return strings.TrimSpace(b.String())
}
