package config

import (
	"strings"

	"github.com/tidemill/tidemill"
)

// through is the tables that leave the flow's transforms; what one of them says is wrong is reported at its place.
func (b *builder) through(tables []*tidemill.Table) []*tidemill.Table {
	for i := range b.shape.Transforms {
		x := &b.shape.Transforms[i]
		if x.cfg == nil {
			continue
		}
		tr, err := x.cfg.Build(b.shape.Name)
		if err != nil {
			continue // reported by Parse
		}
		var out []*tidemill.Table
		for _, t := range tables {
			shapes, err := tr.Shape(t)
			if err != nil {
				b.path(x.path, "%s: %v", x.name, err)
				shapes = []*tidemill.Table{t}
			}
			out = append(out, shapes...)
		}
		tables = out
	}
	return tables
}

// transformed is the words for the tables that leave the transforms; sure is false where that hangs on their columns,
// which are not known without the database.
func (b *builder) transformed(words []string) (names []string, sure bool) {
	sure = true
	var tables []*tidemill.Table
	for _, word := range words {
		schema, name, ok := strings.Cut(word, ".")
		if !ok {
			schema, name = "", word
		}
		tables = append(tables, tidemill.NewTable(schema, name, nil, nil))
	}
	for _, tr := range b.file.Flow.Transforms {
		var out []*tidemill.Table
		for _, t := range tables {
			shapes, err := tr.Shape(t)
			if err != nil {
				sure, shapes = false, []*tidemill.Table{t}
			}
			out = append(out, shapes...)
		}
		tables = out
	}
	for _, t := range tables {
		names = append(names, t.String())
	}
	return names, sure
}
