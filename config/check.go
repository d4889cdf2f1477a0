package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// check reports what is wrong although every key is right.
func (b *builder) check() {
	names := map[string]string{}
	for _, t := range b.file.tasks {
		name, path := t.shape.Name, join(t.path, "name")
		if name != "" && !goodName.MatchString(name) {
			b.path(path, "name: %q is no name; use letters, digits, - and _, up to 63", name)
		}
		if first, twice := names[name]; twice && name != "" {
			b.path(path, "two tasks are called %q; the first is in line %d", name, b.find(first).line)
		}
		names[name] = path
		b.checkTask(t)
	}
	b.checkTables()
	b.checkCycle()
}

func (b *builder) checkTask(t *builtTask) {
	s := t.shape
	at := func(key string) string { return join(t.path, key) }
	if len(s.Predict)+len(s.Learn)+len(s.Evaluate) == 0 && !b.given(at("predict")) && !b.given(at("learn")) &&
		!b.given(at("evaluate")) {
		b.path(t.path, "task %s neither predicts, learns nor evaluates: give it predict, learn or evaluate", s.Name)
	}
	if b.given(at("features")) && len(s.Features) == 0 {
		b.path(at("features"), "features is empty; name at least one")
	}
	switch {
	case s.Epochs < 1:
		b.path(at("epochs"), "epochs takes a number from 1 on")
	case s.Epochs > 1 && s.Snapshot != "learn":
		b.path(at("epochs"), "epochs passes over what the snapshot learned; snapshot is %s here", s.Snapshot)
	}
	if !(s.Threshold > 0 && s.Threshold < 1) {
		b.path(at("threshold"), "threshold takes a probability between 0 and 1")
	}
	if len(s.Classes) > 0 && s.Positive != "" && !slices.Contains(s.Classes, s.Positive) {
		b.path(at("positive"), "positive: %q is none of the classes %s", s.Positive, strings.Join(s.Classes, ", "))
	}
	if s.Keep == "first" && len(s.Predict) == 0 {
		b.path(at("keep"), "keep says which question counts; without predict there are none")
	}
	if s.Wait.For > 0 && len(s.Predict) == 0 {
		b.path(at("wait"), "wait says how long a question stays open; without predict there are none")
	}
	b.checkSnapshot(t)
	b.checkModel(t)
	b.checkLeak(t)
}

func (b *builder) checkSnapshot(t *builtTask) {
	at := join(t.path, "snapshot")
	switch w := t.window(); {
	case t.shape.Snapshot == "replay" && !t.timed():
		b.path(at, "snapshot: replay asks and answers rows in the order of their own times: give predict, learn and "+
			"evaluate an at: column")
	case t.shape.Snapshot == "learn" && w != "" && len(t.shape.Learn) > 0:
		b.path(w, "a window cannot be learned from a snapshot, it would see later rows: write snapshot: replay (which "+
			"needs at: in predict and learn) or snapshot: skip")
	case t.shape.Snapshot == "learn" && t.elsewhere(b) != "":
		b.path(t.elsewhere(b),
			"the snapshot cannot join answers from another table: write snapshot: replay (which needs at: in predict and "+
				"learn) or snapshot: skip")
	}
}

// checkModel checks what the model's kind asks of the task, and binds a copy of it to the features' columns.
func (b *builder) checkModel(t *builtTask) {
	if t.model == nil {
		return
	}
	s, kind, name := t.shape, t.model.Kind(), t.shape.Model.name
	if kind == tidemill.Classify || kind == tidemill.Regress {
		for i, l := range s.Learn {
			if l.Label == "" && l.Table != "" {
				b.path(b.item(t.path, "learn", i),
					"model %s learns from answers: give learn a label, like label: \"arr_delay > 15\"", name)
			}
		}
	}
	if kind != tidemill.Classify {
		for key, given := range map[string]bool{"classes": len(s.Classes) > 0, "positive": s.Positive != "",
			"threshold": s.Threshold != 0.5} {
			if given {
				b.path(join(t.path, key), "%s is for models that predict classes; %s does not", key, name)
			}
		}
		if s.Weight == "balanced" {
			b.path(join(t.path, "weight"), "weight: balanced is for models that predict classes; %s does not", name)
		}
	}
	b.checkScores(t)
	if t.features == nil {
		return
	}
	cols := t.columns()
	seen := map[string]int{}
	for i, f := range t.features {
		dense, _ := f.Columns()
		for _, c := range dense {
			if _, twice := seen[c.Name]; twice {
				b.path(t.paths[i], "two features are called %q; the first is in line %d", c.Name,
					b.find(t.paths[seen[c.Name]]).line)
				return
			}
			seen[c.Name] = i
		}
	}
	b.bind(t, cols)
}

// checkScores refuses scores that would never have a figure.
func (b *builder) checkScores(t *builtTask) {
	for i := range t.shape.Scores {
		one := &t.shape.Scores[i]
		if one.cfg == nil {
			continue
		}
		if s, err := one.cfg.Build(b.shape.Name); err != nil || s.Suits(t.model.Kind()) {
			continue
		}
		var others []string
		for _, name := range slices.Sorted(maps.Keys(b.kinds.Scores)) {
			if s, err := b.kinds.Scores[name]().Build(b.shape.Name); err == nil && s.Suits(t.model.Kind()) {
				others = append(others, name)
			}
		}
		does := map[tidemill.ModelKind]string{tidemill.Classify: "predicts classes", tidemill.Regress: "predicts numbers",
			tidemill.Cluster: "groups rows", tidemill.Anomaly: "finds what is strange"}[t.model.Kind()]
		b.path(one.path, "%s has no figure for %s, which %s; scores for it: %s", one.name, t.shape.Model.name, does,
			strings.Join(others, ", "))
	}
}

func (b *builder) bind(t *builtTask, cols []tidemill.FeatureColumn) {
	m := t.model.New()
	own := b.file.Flow.Tasks[slices.Index(b.file.tasks, t)].Encoders
	var encoders []tidemill.Encoder
	if own != nil {
		for _, e := range own {
			encoders = append(encoders, e.New())
		}
	} else if p, ok := m.(tidemill.Preparer); ok {
		encoders = p.Encoders(cols)
	}
	in := tidemill.Input{Columns: cols, Classes: len(t.shape.Classes)}
	if in.Classes == 0 && m.Kind() == tidemill.Classify && t.booleanLabels() {
		in.Classes = 2
	}
	for _, f := range t.features {
		_, terms := f.Columns()
		in.Terms = in.Terms || terms
	}
	for i, e := range encoders {
		var err error
		if in, err = e.Bind(in); err != nil {
			path := join(t.path, "model")
			if len(t.shape.Encoders) > 0 {
				path = fmt.Sprintf("%s.encoders[%d]", t.path, i)
			}
			b.path(path, "%v", err)
			return
		}
	}
	if err := m.Bind(in); err != nil {
		b.path(t.shape.Model.path, "%v", err)
	}
}

// item is the path of the i-th of what may be one or a list.
func (b *builder) item(path, key string, i int) string {
	if at := fmt.Sprintf("%s.%s[%d]", path, key, i); b.given(at) {
		return at
	}
	return join(path, key)
}

// labels are the task's labels, with the tables that carry them and their paths.
func (t *builtTask) labels(b *builder) (list []labelled) {
	for i, l := range t.shape.Learn {
		list = append(list, labelled{l.Label, l.Table, b.item(t.path, "learn", i) + ".label"})
	}
	for i, e := range t.shape.Evaluate {
		list = append(list, labelled{e.Label, e.Table, b.item(t.path, "evaluate", i) + ".label"})
	}
	return list
}

type labelled struct{ label, table, path string }

// booleanLabels reports whether every label is true or false whatever its columns hold.
func (t *builtTask) booleanLabels() bool {
	var labels []string
	for _, l := range t.shape.Learn {
		labels = append(labels, l.Label)
	}
	for _, e := range t.shape.Evaluate {
		labels = append(labels, e.Label)
	}
	for _, l := range labels {
		x, err := expr.Parse(l)
		if err != nil {
			return false
		}
		bound, err := x.Bind(columnsTable("", x.Columns()))
		if err != nil || bound.Kind() != tidemill.KindBool {
			return false
		}
	}
	return len(labels) > 0
}

// columnsTable is a table of which only the columns' names are known.
func columnsTable(name string, names []string) *tidemill.Table {
	var cols []tidemill.Column
	for _, n := range names {
		cols = append(cols, tidemill.Column{Name: n, Nullable: true})
	}
	return tidemill.NewTable("", name, cols, nil)
}

// checkLeak refuses features that read what the label reads, in the same row.
func (b *builder) checkLeak(t *builtTask) {
	for _, l := range t.labels(b) {
		x, err := expr.Parse(l.label)
		if err != nil || !t.asks(l.table) && len(t.shape.Predict) > 0 {
			continue // without predict, a row is learned as it is
		}
		hidden := x.Columns()
		for i, f := range t.features {
			columns, _ := f.Needs(columnsTable(l.table, hidden), tidemill.Asks) // a window leaves its own row out
			for _, c := range columns {
				if slices.Contains(hidden, c) {
					b.word(t.paths[i], c, "column %s is read by the label in line %d: a feature must not know the answer", c,
						b.find(l.path).line)
				}
			}
		}
	}
}

// asks reports whether rows of the table are those that features look at.
func (t *builtTask) asks(table string) bool {
	for _, p := range t.shape.Predict {
		if sameTable(p.Table, table) {
			return true
		}
	}
	for _, e := range t.shape.Evaluate {
		if sameTable(e.Table, table) {
			return true
		}
	}
	return len(t.shape.Predict)+len(t.shape.Evaluate) == 0
}

// sameTable compares two words for a table, of which either may leave the schema out.
func sameTable(a, b string) bool {
	return a == b || strings.HasSuffix(a, "."+b) || strings.HasSuffix(b, "."+a)
}

// checkTables compares the tables of tasks and features with those that the source says it reads.
func (b *builder) checkTables() {
	if b.shape.Source.cfg == nil {
		return
	}
	tables := stringsOf(reflect.ValueOf(b.shape.Source.cfg).Elem(), "tables", "table")
	if len(tables) == 0 {
		return
	}
	tables, sure := b.transformed(tables)
	check := func(table, path string) {
		if table == "" || !sure || slices.ContainsFunc(tables, func(t string) bool { return sameTable(t, table) }) {
			return
		}
		if near := expr.Nearest(table, tables); near != "" {
			b.word(path, table, "the source does not read table %q; the nearest that it reads is %q", table, near)
			return
		}
		b.word(path, table, "the source does not read table %q; it reads %s (line %d)", table, strings.Join(tables, ", "),
			b.find(b.shape.Source.path).line)
	}
	for _, t := range b.file.tasks {
		for i, p := range t.shape.Predict {
			check(p.Table, b.item(t.path, "predict", i)+".table")
		}
		for i, l := range t.shape.Learn {
			check(l.Table, b.item(t.path, "learn", i)+".table")
		}
		for i, e := range t.shape.Evaluate {
			check(e.Table, b.item(t.path, "evaluate", i)+".table")
		}
		for i := range t.shape.Features {
			if f := &t.shape.Features[i]; f.cfg != nil {
				cfg := reflect.ValueOf(f.cfg).Elem()
				for _, x := range fieldsOf(cfg.Type()) {
					if x.table && x.typ.Kind() == reflect.String {
						check(cfg.FieldByIndex(x.index).String(), join(f.path, x.key))
					}
				}
			}
		}
	}
}

// stringsOf is the content of the text fields with these keys.
func stringsOf(cfg reflect.Value, keys ...string) (list []string) {
	for _, f := range fieldsOf(cfg.Type()) {
		if !slices.Contains(keys, f.key) || len(f.enum) > 0 {
			continue
		}
		switch v := cfg.FieldByIndex(f.index).Interface().(type) {
		case string:
			if v != "" {
				list = append(list, v)
			}
		case []string:
			list = append(list, v...)
		}
	}
	return list
}

// checkCycle refuses a sink that writes a table which the source reads.
func (b *builder) checkCycle() {
	source, ok := b.file.Flow.Source.(tidemill.Namer)
	if !ok {
		return
	}
	captured := source.TableNames()
	for _, part := range b.file.Parts {
		sink, ok := part.Built.(tidemill.Namer)
		if !ok || !strings.HasPrefix(part.Kind, "sink ") {
			continue
		}
		for _, name := range sink.TableNames() {
			if slices.Contains(captured, name) {
				b.path(part.Path,
					"the source reads the table that this sink writes: the flow would feed on its own predictions; name another table")
			}
		}
	}
}

// CheckTables checks the flow against the tables as they are: that columns are there and that expressions and features
// make sense for their kinds. The error is an Errors.
func (f *File) CheckTables(tables []*tidemill.Table) error {
	r := *f.report
	r.errs = nil
	b := &builder{decoder: &decoder{report: &r}, file: f, shape: f.shape}
	if tables = b.through(tables); len(r.errs) > 0 {
		return r.finish()
	}
	for _, t := range f.tasks {
		for i, p := range t.shape.Predict {
			b.bindOn(t, b.item(t.path, "predict", i), p.Table, p.At, p.Unix, map[string]string{"id": p.ID, "where": p.Where},
				true, tables)
		}
		for i, l := range t.shape.Learn {
			b.bindOn(t, b.item(t.path, "learn", i), l.Table, l.At, l.Unix,
				map[string]string{"id": l.ID, "where": l.Where, "label": l.Label}, len(t.shape.Predict) == 0, tables)
		}
		for i, e := range t.shape.Evaluate {
			b.bindOn(t, b.item(t.path, "evaluate", i), e.Table, e.At, e.Unix,
				map[string]string{"id": e.ID, "where": e.Where, "label": e.Label}, true, tables)
		}
		for i, f := range t.features {
			for _, table := range tables {
				if err := f.Bind(table, tidemill.Folds); err != nil {
					b.column(t.paths[i], err)
				}
			}
		}
	}
	return r.finish()
}

// bindError shows the place inside of the expression.
func (b *builder) bindError(path string, err error) {
	e, ok := err.(*expr.Error)
	if n := b.scalars[path]; ok && n != nil {
		b.exprError(n, path, e)
		return
	}
	b.path(path, "%s: %v", lastKey(path), err)
}

func (b *builder) bindOn(t *builtTask, path, word, at, unix string, exprs map[string]string, asks bool,
	tables []*tidemill.Table) {
	i := slices.IndexFunc(tables, func(t *tidemill.Table) bool { return t.Is(word) })
	if i < 0 {
		var names []string
		for _, t := range tables {
			names = append(names, t.Name)
		}
		near := expr.Nearest(word, names)
		if near != "" {
			near = fmt.Sprintf("; the nearest is %q", near)
		}
		b.word(path+".table", word, "the database has no table %q%s", word, near)
		return
	}
	table := tables[i]
	if at != "" && table.Col(at) < 0 {
		x, err := expr.Parse(expr.QuoteName(at))
		if err == nil {
			_, err = x.Bind(table)
		}
		if e, ok := err.(*expr.Error); ok {
			b.word(path+".at", at, "at: %s", e.Reason)
		}
	}
	if i := table.Col(at); i >= 0 {
		if err := expr.CheckTime(&table.Columns[i], unix); err != nil {
			b.word(path+".at", at, "at: %v", err)
		}
	}
	for key, src := range exprs {
		if src == "" {
			continue
		}
		x, err := expr.Parse(src)
		if err != nil {
			continue // reported by Parse
		}
		bind := x.Bind
		if key == "where" {
			bind = x.BindCondition
		}
		if _, err := bind(table); err != nil {
			b.bindError(join(path, key), err)
		}
	}
	if asks {
		for i, f := range t.features {
			if err := f.Bind(table, tidemill.Asks); err != nil {
				b.column(t.paths[i], err)
			}
		}
	}
}
