package config

import (
	"encoding/json"
	"reflect"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
)

// SchemaID is the schema's own address, and what a flow file's first line can name for editors:
//
//	# yaml-language-server: $schema=tidemill.schema.json
const SchemaID = "https://raw.githubusercontent.com/tidemill/tidemill/main/docs/tidemill.schema.json"

// Schema is a JSON Schema (draft 7, which editors know) of the flow file that kinds make: every file that Parse accepts
// is valid by it. What only Parse can see, such as an expression's words, it leaves open.
func Schema(kinds Kinds) ([]byte, error) {
	s := &schemer{kinds: &kinds, definitions: map[string]any{}}
	root := s.object(reflect.ValueOf(newFlowShape()).Elem())
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["$id"] = SchemaID
	root["title"] = "A Tidemill flow"
	root["definitions"] = s.definitions
	return json.MarshalIndent(root, "", "  ")
}

// schemer collects the kinds' definitions.
type schemer struct {
	kinds       *Kinds
	definitions map[string]any
}

type object = map[string]any

// fromEnv is what any value may be instead.
func fromEnv() object { return object{"type": "string", "pattern": `\$\{`} }

func anyOf(of ...any) object { return object{"anyOf": of} }

// object is the schema of a struct's mapping; v holds the defaults.
func (s *schemer) object(v reflect.Value) object {
	properties, required := object{}, []string{}
	for _, f := range fieldsOf(v.Type()) {
		p := s.value(f.typ, f)
		if f.doc != "" {
			p["description"] = f.doc
		}
		if d := defaultOf(v.FieldByIndex(f.index), f); d != nil {
			p["default"] = d
		}
		properties[f.key] = p
		if f.required {
			required = append(required, f.key)
		}
	}
	o := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// config is the schema of a kind's config: its mapping, its short form, and nothing where no key is required.
func (s *schemer) config(v reflect.Value) object {
	fields := fieldsOf(v.Type())
	forms := []any{s.object(v)}
	needed := ""
	for _, f := range fields {
		if f.required {
			needed += f.key + " "
		}
	}
	if short, ok := shortField(fields); ok && (needed == "" || needed == short.key+" ") {
		forms = append(forms, s.value(short.typ, short))
	}
	if needed == "" {
		forms = append(forms, object{"type": "null"})
	}
	if len(forms) == 1 {
		return forms[0].(object)
	}
	return anyOf(forms...)
}

func defaultOf(v reflect.Value, f field) any {
	if f.secret || f.required || isShaped(f.typ) || v.IsZero() {
		return nil
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		return formatDuration(x)
	case []string, string, bool, float64, int, uint64:
		if f.unit == "bytes" {
			return formatBytes(v.Int())
		}
		return x
	}
	return nil
}

func (s *schemer) value(t reflect.Type, f field) object {
	if x, ok := reflect.New(t).Interface().(shaped); ok {
		return x.schema(s)
	}
	switch {
	case len(f.enum) > 0 && t.Kind() == reflect.String:
		return anyOf(object{"enum": f.enum}, fromEnv())
	case t == durationType:
		return object{"type": []string{"string", "integer"}, "pattern": `^([0-9.]+(w|d|h|m|s|ms|us|ns))+$|^0$|\$\{`}
	case f.unit == "bytes":
		return object{"type": []string{"string", "integer"}, "pattern": `^[0-9._]+ ?(GiB|MiB|KiB|GB|MB|kB|B)?$|\$\{`}
	}
	switch t.Kind() {
	case reflect.String:
		return object{"type": []string{"string", "number", "boolean"}}
	case reflect.Bool:
		return anyOf(object{"type": "boolean"}, fromEnv())
	case reflect.Float32, reflect.Float64:
		return anyOf(object{"type": "number"}, fromEnv())
	case reflect.Pointer:
		return s.value(t.Elem(), f)
	case reflect.Struct:
		v := reflect.New(t)
		if d, ok := v.Interface().(defaulted); ok {
			d.defaults()
			s.definitions[f.key] = s.config(v.Elem())
			return object{"$ref": "#/definitions/" + f.key}
		}
		return s.config(v.Elem())
	case reflect.Slice:
		item := s.value(t.Elem(), f)
		list := object{"type": "array", "items": item}
		if t.Elem().Kind() == reflect.Slice {
			return list
		}
		return anyOf(list, item)
	case reflect.Uint, reflect.Uint32, reflect.Uint64:
		return anyOf(object{"type": "integer", "minimum": 0}, fromEnv())
	}
	return anyOf(object{"type": "integer"}, fromEnv())
}

// kind is the schema of a place that names one kind of a room.
func (s *schemer) kind(r room) object {
	key := "any." + r.word
	if s.definitions[key] == nil {
		properties, bare := object{}, []string{}
		for _, name := range r.names {
			v := reflect.ValueOf(r.make(name)).Elem()
			c := s.config(v)
			if doc := s.kinds.Docs[r.word+"."+name]; doc != "" {
				c["description"] = doc
			}
			s.definitions[r.word+"."+name] = c
			properties[name] = object{"$ref": "#/definitions/" + r.word + "." + name}
			if takesNothing(v.Type()) {
				bare = append(bare, name)
			}
		}
		forms := []any{object{"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1,
			"maxProperties": 1}}
		if len(bare) > 0 {
			forms = append(forms, object{"enum": bare})
		}
		s.definitions[key] = anyOf(forms...)
	}
	return object{"allOf": []any{object{"$ref": "#/definitions/" + key}}}
}

func takesNothing(t reflect.Type) bool {
	for _, f := range fieldsOf(t) {
		if f.required {
			return false
		}
	}
	return true
}

func (*one[T]) schema(s *schemer) object { return s.kind(wordOf[T](s.kinds)) }

func (*many[T]) schema(s *schemer) object {
	k := s.kind(wordOf[T](s.kinds))
	return anyOf(object{"type": "array", "items": k}, k, object{"type": "null"})
}

func (*labels) schema(*schemer) object {
	label := object{"type": []string{"string", "number", "boolean"}}
	return anyOf(object{"type": "array", "items": label}, label)
}

func (*rejects) schema(s *schemer) object {
	return anyOf(object{"const": "halt"}, s.kind(wordOf[tidemill.Sink](s.kinds)))
}

func (*served) schema(s *schemer) object {
	if s.kinds.Serve == nil {
		return object{"not": object{}}
	}
	return s.config(reflect.ValueOf(s.kinds.Serve()).Elem())
}

func (*checkpoint) schema(s *schemer) object {
	every := s.value(durationType, field{})
	every["description"], every["default"] = everyDoc, "10s"
	properties := object{"every": every}
	r := wordOf[tidemill.Store](s.kinds)
	for _, name := range r.names {
		c := s.config(reflect.ValueOf(r.make(name)).Elem())
		if doc := s.kinds.Docs["store."+name]; doc != "" {
			c["description"] = doc
		}
		properties[name] = c
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false, "maxProperties": 2}
}

// typeName is what a field takes, in a few words: for the reference.
func typeName(f field) string {
	if len(f.enum) > 0 {
		return strings.Join(f.enum, ", ")
	}
	if f.expr != "" {
		return "expression"
	}
	switch t := f.typ; {
	case t == durationType:
		return "duration"
	case f.unit == "bytes":
		return "size"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Slice:
		return "list of lists of " + plural(t.Elem().Elem())
	case t.Kind() == reflect.Slice:
		return "list of " + plural(t.Elem())
	default:
		return singular(t)
	}
}

func singular(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Struct:
		return "mapping"
	case reflect.Pointer:
		return singular(t.Elem())
	}
	return "whole number"
}

func plural(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "texts"
	case reflect.Float32, reflect.Float64:
		return "numbers"
	case reflect.Struct:
		return "mappings"
	}
	return "whole numbers"
}
