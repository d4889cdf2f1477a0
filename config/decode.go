package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidemill/tidemill/expr"
)

// decoder fills config structs from nodes by their tags.
type decoder struct {
	*report
	kinds  *Kinds
	broken int // values that the environment should have given
}

// shaped is a field type that reads, shows and describes itself: a kind, a list of kinds.
type shaped interface {
	decode(d *decoder, n *node, path string)
	schema(s *schemer) map[string]any
	show() any // a scalar, []any or pairs: what YAML prints; nil to leave it out
}

func (d *decoder) mark(path string, n *node) { d.places[path] = place{n.line, n.col, max(1, n.width)} }

// object fills the struct v (settable). what names it in messages: "the flow", "model logistic".
func (d *decoder) object(n *node, v reflect.Value, path, what string) {
	fields := fieldsOf(v.Type())
	switch n.kind {
	case nullNode:
		d.missing(n, fields, nil, path, what)
		return
	case scalarNode, listNode:
		short, ok := shortField(fields)
		if !ok {
			d.node(n, path, "%s takes a mapping%s, not %s", what, listing(" with the keys ", keysOf(fields)), n.what())
			return
		}
		d.field(n, v, short, path)
		d.missing(n, fields, []string{short.key}, path, what)
		return
	}
	var given []string // or meant
	left := slices.DeleteFunc(keysOf(fields), func(key string) bool {
		return slices.ContainsFunc(n.entries, func(e entry) bool { return e.key.text == key })
	})
	for _, e := range n.entries {
		i := slices.IndexFunc(fields, func(f field) bool { return f.key == e.key.text })
		if i < 0 {
			given = append(given, d.unknown(e, left, fields, path, what))
			continue
		}
		given = append(given, e.key.text)
		at := join(path, e.key.text)
		d.mark(at, e.key)
		if e.value.kind == nullNode && !isShaped(fields[i].typ) {
			d.node(e.key, at, "%s has no value; leave the key out for its default", e.key.text)
			continue
		}
		d.field(e.value, v, fields[i], at)
	}
	d.missing(n, fields, given, path, what)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func listing(before string, words []string) string {
	if len(words) == 0 {
		return ""
	}
	return before + strings.Join(words, ", ")
}

// unknown reports a key that is none of the struct's; left are the keys that are not given yet. It returns the nearest.
func (d *decoder) unknown(e entry, left []string, fields []field, path, what string) (near string) {
	if near = expr.Nearest(e.key.text, left); near == "" {
		near = expr.Nearest(e.key.text, keysOf(fields))
	}
	for _, f := range fields {
		if f.key == near && f.secret {
			d.hide(e.value)
		}
	}
	switch {
	case near != "":
		d.node(e.key, path, "%s has no key %q; the nearest is %q", what, e.key.text, near)
	case len(fields) == 0:
		d.node(e.key, path, "%s has no key %q; it takes none", what, e.key.text)
	default:
		d.node(e.key, path, "%s has no key %q; its keys are %s", what, e.key.text, strings.Join(keysOf(fields), ", "))
	}
	return near
}

func (d *decoder) missing(n *node, fields []field, given []string, path, what string) {
	for _, f := range fields {
		if f.required && !slices.Contains(given, f.key) {
			d.node(n, join(path, f.key), "%s needs %s: %s", what, f.key, lowerFirst(firstSentence(f.doc)))
		}
	}
}

// hide keeps a value out of every message.
func (d *decoder) hide(n *node) {
	for _, s := range []string{n.text, n.raw} {
		if s != "" && !(strings.HasPrefix(s, "${") && strings.IndexByte(s, '}') == len(s)-1 && !strings.Contains(s, ":-")) {
			d.secrets = append(d.secrets, s)
		}
	}
	for _, i := range n.items {
		d.hide(i)
	}
	for _, e := range n.entries {
		d.hide(e.value)
	}
}

func (d *decoder) field(n *node, v reflect.Value, f field, path string) {
	if f.secret {
		d.hide(n)
	}
	before := len(d.errs)
	d.value(n, v.FieldByIndex(f.index), f, path)
	if len(d.errs) != before {
		return
	}
	switch {
	case len(f.enum) > 0 && n.kind == scalarNode:
		d.enum(n, f, path)
	case len(f.enum) > 0:
		for i, item := range n.items {
			d.enum(item, f, fmt.Sprintf("%s[%d]", path, i))
		}
	case f.expr != "" && n.kind == scalarNode && n.text != f.expr:
		d.expression(n, path)
	}
}

func (d *decoder) enum(n *node, f field, path string) {
	if slices.Contains(f.enum, n.text) {
		return
	}
	if near := expr.Nearest(n.text, f.enum); near != "" {
		d.node(n, path, "%s: there is no %q; the nearest is %q", f.key, n.text, near)
		return
	}
	d.node(n, path, "%s: there is no %q; it is one of %s", f.key, n.text, strings.Join(f.enum, ", "))
}

// expression parses, and shows the place inside of the scalar where it stands in the file as it is.
func (d *decoder) expression(n *node, path string) {
	d.scalars[path] = n
	_, err := expr.Parse(n.text)
	if e, ok := err.(*expr.Error); ok {
		d.exprError(n, path, e)
	}
}

func (r *report) exprError(n *node, path string, e *expr.Error) {
	if !n.exact {
		r.node(n, path, "%s: %v", lastKey(path), e)
		return
	}
	col := n.col + e.Col - 1
	if n.quoted {
		col++
	}
	r.at(n.line, col, path, 1, "%s: %s", lastKey(path), e.Reason)
}

func lastKey(path string) string {
	path = path[strings.LastIndexByte(path, '.')+1:]
	key, _, _ := strings.Cut(path, "[")
	return key
}

func isShaped(t reflect.Type) bool { return reflect.PointerTo(t).Implements(reflect.TypeFor[shaped]()) }

var durationType = reflect.TypeFor[time.Duration]()

// value sets v from n.
func (d *decoder) value(n *node, v reflect.Value, f field, path string) {
	if s, ok := v.Addr().Interface().(shaped); ok {
		s.decode(d, n, path)
		return
	}
	if v.Type() != durationType && v.Kind() == reflect.Slice {
		d.slice(n, v, f, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), f, path)
		return
	case reflect.Struct:
		what := lastKey(path)
		if i := strings.LastIndexByte(path, '['); i >= 0 && strings.IndexByte(path[i:], '.') < 0 {
			what = path[strings.LastIndexByte(path, '.')+1:]
		}
		d.object(n, v, path, what)
		return
	}
	if n.broken {
		d.broken++
		return
	}
	if n.kind != scalarNode {
		d.node(n, path, "%s takes %s, not %s", lastKey(path), wants(v.Type(), f), n.what())
		return
	}
	old := reflect.ValueOf(v.Interface())
	if hint, ok := setScalar(n, v, f); !ok {
		v.Set(old)
		d.node(n, path, "%s takes %s, not %s%s", lastKey(path), wants(v.Type(), f), n.what(), hint)
	}
}

func (d *decoder) slice(n *node, v reflect.Value, f field, path string) {
	items := n.items
	if n.kind != listNode {
		if v.Type().Elem().Kind() == reflect.Slice {
			d.node(n, path, "%s takes a list of lists, not %s", lastKey(path), n.what())
			return
		}
		items = []*node{n} // one item needs no brackets
	} else if len(items) == 0 && len(f.enum) > 0 {
		d.node(n, path, "%s is empty; name at least one of %s", lastKey(path), strings.Join(f.enum, ", "))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		at := path
		if n.kind == listNode {
			at = fmt.Sprintf("%s[%d]", path, i)
			d.mark(at, item)
		}
		if x, ok := out.Index(i).Addr().Interface().(defaulted); ok {
			x.defaults()
		}
		d.value(item, out.Index(i), f, at)
	}
	v.Set(out)
}

// wants is what a field of type t takes, for messages.
func wants(t reflect.Type, f field) string {
	if t == durationType {
		return "a duration like 10s, 30m, 2d or 1w"
	}
	if f.unit == "bytes" {
		return "a size like 64MiB"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Int32:
		return "a whole number"
	case reflect.Uint, reflect.Uint64, reflect.Uint32:
		return "a whole number from 0 on"
	case reflect.Float64, reflect.Float32:
		return "a number"
	case reflect.Slice:
		return "a list"
	case reflect.Struct:
		return "a mapping"
	}
	if len(f.enum) > 0 {
		return "one of " + strings.Join(f.enum, ", ")
	}
	return "text"
}

// setScalar sets v; where it cannot, hint may say why.
func setScalar(n *node, v reflect.Value, f field) (hint string, ok bool) {
	if v.Kind() == reflect.String {
		v.SetString(n.text)
		return "", true
	}
	if n.quoted && !n.env {
		return "; leave the quotes out", false
	}
	number := strings.ReplaceAll(n.text, "_", "")
	switch {
	case v.Type() == durationType:
		dur, ok := ParseDuration(n.text)
		v.SetInt(int64(dur))
		return "", ok
	case f.unit == "bytes":
		size, ok := parseBytes(n.text)
		v.SetInt(size)
		return "", ok
	case v.Kind() == reflect.Bool:
		v.SetBool(n.text == "true")
		return "", n.text == "true" || n.text == "false"
	case v.CanInt():
		i, ok := parseInt(number)
		v.SetInt(i)
		return "", ok && v.Int() == i
	case v.CanUint():
		u, err := strconv.ParseUint(number, 10, 64)
		v.SetUint(u)
		return "", err == nil && v.Uint() == u
	case v.CanFloat():
		x, err := strconv.ParseFloat(number, 64)
		v.SetFloat(x)
		return "", err == nil && !math.IsNaN(x) && !math.IsInf(x, 0)
	}
	return "; its type " + v.Type().String() + " is not one that a flow file can give", false
}

// parseInt reads a whole number, also as 1e6.
func parseInt(s string) (int64, bool) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, true
	}
	if x, err := strconv.ParseFloat(s, 64); err == nil && x == math.Trunc(x) && math.Abs(x) < 1<<53 &&
		!strings.ContainsAny(s, "xXpP") {
		return int64(x), true
	}
	return 0, false
}

func firstSentence(doc string) string {
	s, _, cut := strings.Cut(doc, ". ")
	if cut {
		return s
	}
	return strings.TrimSuffix(doc, ".")
}

func lowerFirst(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if next, _ := utf8.DecodeRuneInString(s[size:]); next >= 'A' && next <= 'Z' {
		return s // an abbreviation
	}
	return strings.ToLower(string(r)) + s[size:]
}
