package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Page is one page of the kinds reference.
type Page struct {
	Kind string // "model.logistic"; "flow" for the keys of the flow file itself
	File string // "model-logistic.md"
	Text string // Markdown
}

// Reference is the documentation of every kind and of the flow file's own keys, made from the definitions that Parse
// reads by. The last page is the index.
func Reference(kinds Kinds) []Page {
	index := "# Kinds\n\nWhat a flow file can name. Generated from the code; `tidemill kinds <name>` prints the " +
		"same.\n\n" +
		"- [The flow file](flow.md)\n"
	pages := []Page{flowPage(&kinds)}
	for _, r := range kinds.rooms() {
		if len(r.names) == 0 {
			continue
		}
		index += "\n## " + strings.ToUpper(r.plain[:1]) + r.plain[1:] + "\n\n"
		for _, name := range r.names {
			p := kindPage(&kinds, r, name)
			pages = append(pages, p)
			index += fmt.Sprintf("- [%s](%s): %s\n", name, p.File, kinds.Docs[r.word+"."+name])
		}
	}
	return append(pages, Page{Kind: "index", File: "README.md", Text: index})
}

func kindPage(kinds *Kinds, r room, name string) Page {
	v := reflect.ValueOf(r.make(name)).Elem()
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s\n\n", r.word, name)
	if doc := kinds.Docs[r.word+"."+name]; doc != "" {
		b.WriteString(doc + "\n\n")
	}
	b.WriteString("```yaml\n" + Example(r.word, name, r.make(name)) + "```\n\n")
	table(&b, v)
	return Page{Kind: r.word + "." + name, File: r.word + "-" + name + ".md", Text: b.String()}
}

// Example is a piece of a flow file that names the kind with its required keys and its defaults.
func Example(word, name string, cfg any) string {
	v := reflect.ValueOf(cfg).Elem()
	fillRequired(v)
	shown := showConfig(filled(cfg), reflect.Value{})
	item := any(pairs{{name, shown}})
	if shown == nil {
		item = name
	}
	var b strings.Builder
	switch word {
	case "feature", "encoder", "score", "sink", "transform":
		printYAML(&b, pairs{{word + "s", []any{item}}}, "")
	case "format":
		printYAML(&b, pairs{{"sinks", []any{pairs{{"stdout", pairs{{"format", item}}}}}}}, "")
	case "store":
		if shown == nil {
			item = pairs{{name, pairs{}}}
		}
		printYAML(&b, pairs{{"checkpoint", item}}, "")
	default:
		printYAML(&b, pairs{{word, item}}, "")
	}
	return b.String()
}

// ExampleOf makes a thing of a kind's example: the required keys, and the defaults.
func ExampleOf[T any](kind New[T]) (T, error) {
	cfg := kind()
	fillRequired(reflect.ValueOf(cfg).Elem())
	return cfg.Build("example")
}

// fillRequired puts words where a value must be given or an example gives one.
func fillRequired(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		x := v.FieldByIndex(f.index)
		if !f.required && f.like == "" || !x.IsZero() {
			continue
		}
		switch {
		case f.like != "" && x.Kind() == reflect.String:
			x.SetString(f.like)
		case f.like != "" && x.CanInt() && x.Type() != durationType:
			n, _ := strconv.ParseInt(f.like, 10, 64)
			x.SetInt(n)
		case f.like != "" && x.Type() == reflect.TypeFor[[]string]():
			x.Set(reflect.ValueOf(strings.Split(f.like, ",")))
		case x.Kind() == reflect.String && len(f.enum) > 0:
			x.SetString(f.enum[0])
		case x.Kind() == reflect.String:
			x.SetString(f.key)
		case x.Type() == durationType:
			x.SetInt(3600e9)
		case x.CanInt():
			x.SetInt(10)
		case x.CanUint():
			x.SetUint(10)
		case x.CanFloat():
			x.SetFloat(1)
		case x.Kind() == reflect.Slice:
			item := reflect.New(x.Type().Elem()).Elem()
			switch {
			case item.Kind() == reflect.String && len(f.enum) > 0:
				item.SetString(f.enum[0])
			case item.Kind() == reflect.String:
				item.SetString("a")
			case item.Kind() == reflect.Struct:
				fillRequired(item)
			}
			x.Set(reflect.Append(x, item))
		case x.Kind() == reflect.Struct:
			fillRequired(x)
		}
	}
}

// table lists the keys of a struct, and of the structs in it.
func table(b *strings.Builder, v reflect.Value) {
	fields := fieldsOf(v.Type())
	if len(fields) == 0 {
		b.WriteString("It takes no keys.\n")
		return
	}
	b.WriteString("| key | takes | what it is |\n|---|---|---|\n")
	var nested []field
	for _, f := range fields {
		note := f.doc
		if f.required {
			note = "**Required.** " + note
		}
		if f.short {
			note += " May stand alone, without its key."
		}
		takes := typeName(f)
		if isShaped(f.typ) {
			takes = shapedName(f)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.key, takes, cell(note))
		if s := structOf(f.typ); s != nil && !isShaped(f.typ) {
			nested = append(nested, f)
		}
	}
	for _, f := range nested {
		fmt.Fprintf(b, "\n## %s\n\n", f.key)
		x := reflect.New(structOf(f.typ))
		if d, ok := x.Interface().(defaulted); ok {
			d.defaults()
		}
		table(b, x.Elem())
	}
}

func cell(s string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;", "\n", " ").Replace(s) }

func structOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct {
		return t
	}
	return nil
}

// shapedName links to the kinds that a key takes.
func shapedName(f field) string {
	switch f.key {
	case "source", "model":
		return "a [" + f.key + "](README.md#" + f.key + "s)"
	case "format":
		return "a [format](README.md#formats)"
	case "transforms":
		return "list of [transforms](README.md#transforms)"
	case "classes":
		return "list of labels"
	case "rejects":
		return "halt, or a [sink](README.md#sinks)"
	case "checkpoint":
		return "a [store](README.md#stores) and every"
	case "serve":
		return "mapping"
	}
	return "list of [" + f.key + "](README.md#" + f.key + ")"
}

func flowPage(kinds *Kinds) Page {
	var b strings.Builder
	b.WriteString("# The flow file\n\nThe keys of a flow file. Values may hold `${NAME}` and `${NAME:-default}` " +
		"from the environment; a duration is written\n" +
		"10s, 30m, 2d or 1w; a list of one item needs no brackets; an expression is a piece of SQL over the row, " +
		"like\n`arr_delay > 15`.\n\n")
	table(&b, reflect.ValueOf(newFlowShape()).Elem())
	if kinds.Serve != nil {
		b.WriteString("\n## serve\n\n")
		table(&b, reflect.ValueOf(kinds.Serve()).Elem())
	}
	return Page{Kind: "flow", File: "flow.md", Text: b.String()}
}
