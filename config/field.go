package config

import (
	"reflect"
	"strings"
)

// field is one key of a config struct.
type field struct {
	index    []int
	key, doc string
	enum     []string
	unit     string
	required bool
	secret   bool
	short    bool
	table    bool   // names a table that the source has to read
	like     string // what stands for it in an example
	expr     string // of an expression: the word that is none, or "true"
	typ      reflect.Type
}

// fieldsOf lists the keys of a struct in their order; fields of embedded and inlined structs count as its own.
func fieldsOf(t reflect.Type) []field {
	var list []field
	for i := range t.NumField() {
		f := t.Field(i)
		key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if inner := structOf(f.Type); key == "" && inner != nil && (f.Anonymous || option == "inline") {
			for _, in := range fieldsOf(inner) {
				in.index = append([]int{i}, in.index...)
				list = append(list, in)
			}
			continue
		}
		if key == "" || key == "-" || !f.IsExported() {
			continue
		}
		x := field{index: []int{i}, key: key, doc: f.Tag.Get("doc"), unit: f.Tag.Get("unit"), typ: f.Type,
			required: f.Tag.Get("required") == "true", secret: f.Tag.Get("secret") == "true",
			short: f.Tag.Get("short") == "true", table: f.Tag.Get("table") == "true", like: f.Tag.Get("like"),
			expr: f.Tag.Get("expr")}
		if e := f.Tag.Get("enum"); e != "" {
			x.enum = strings.Split(e, ",")
		}
		list = append(list, x)
	}
	return list
}

func shortField(fields []field) (field, bool) {
	for _, f := range fields {
		if f.short {
			return f, true
		}
	}
	return field{}, false
}

func keysOf(fields []field) []string {
	keys := make([]string, len(fields))
	for i := range fields {
		keys[i] = fields[i].key
	}
	return keys
}

// single is true for a list that reads better without brackets where it has one item.
func (f field) single() bool {
	return len(f.enum) > 0 || f.typ.Elem().Kind() == reflect.Struct && f.key != "tasks" &&
		reflect.PointerTo(f.typ.Elem()).Implements(reflect.TypeFor[defaulted]())
}

// defaulted is a struct that has defaults in a list.
type defaulted interface{ defaults() }
