package engine_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// flowScript is one file of testdata/flows: a flow, the changes of its tables, and what must come of them. Its format is
// in testdata/flows/README.md.
type flowScript struct {
	path     string
	sections []section
	yaml     string
	full     bool // it is not run with the key alone before a change
	disk     bool // in the end, questions lie in segments
	snapshot []tidemill.Change
	stream   []tidemill.Change
}

type section struct{ name, text string }

func (f *flowScript) section(name string) string {
	for _, s := range f.sections {
		if s.name == name {
			return s.text
		}
	}
	return ""
}

func (f *flowScript) set(name, text string) {
	for i := range f.sections {
		if f.sections[i].name == name {
			f.sections[i].text = text
			return
		}
	}
	f.sections = append(f.sections, section{name, text})
}

func (f *flowScript) String() string {
	var b strings.Builder
	for _, s := range f.sections {
		if s.name != "" {
			fmt.Fprintf(&b, "== %s\n", s.name)
		}
		b.WriteString(s.text)
	}
	return b.String()
}

// noon is minute zero of every script.
var noon = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// readScript reads a file. before says what an update and a delete tell of the row as it was: full, or key.
func readScript(path, before string) (*flowScript, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &flowScript{path: path, sections: []section{{}}}
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "== "); ok {
			f.sections = append(f.sections, section{name: strings.TrimSpace(name)})
			continue
		}
		f.sections[len(f.sections)-1].text += line
	}
	f.yaml = "name: golden\nsource: {script: {}}\n" + f.section("flow")
	f.full = strings.Contains(f.sections[0].text, "before: full")
	f.disk = strings.Contains(f.sections[0].text, "disk: yes")
	keyOnly := strings.Contains(f.sections[0].text, "before: key")
	if keyOnly {
		before, f.full = "key", true
	}
	w := &world{before: before, keyOnly: keyOnly, tables: map[string]*scriptTable{}}
	for _, s := range f.sections {
		if name, ok := strings.CutPrefix(s.name, "table "); ok {
			if err := w.table(name, s.text); err != nil {
				return nil, fmt.Errorf("%s: table %s: %w", path, name, err)
			}
		}
	}
	for _, part := range []string{"snapshot", "stream"} {
		n := 0
		for line := range strings.Lines(f.section(part)) {
			n++
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if err := w.line(part == "snapshot", line); err != nil {
				return nil, fmt.Errorf("%s: %s, line %d: %q: %w", path, part, n, line, err)
			}
		}
	}
	f.snapshot, f.stream = w.snapshot, w.stream
	return f, nil
}

// world is the database of a script.
type world struct {
	before           string
	keyOnly          bool // and the tables say so
	tables           map[string]*scriptTable
	snapshot, stream []tidemill.Change
	order            uint64
	at               time.Duration
	tx               *tidemill.Tx
	n                uint64
}

type scriptTable struct {
	table *tidemill.Table
	rows  map[string][]tidemill.Value
	under map[string][][]tidemill.Value // rows whose key another one took, the first of them first
	order []string
}

func columnOf(words []string) (tidemill.Column, error) {
	if len(words) < 2 {
		return tidemill.Column{}, errors.New("a column is: name kind [key]")
	}
	for k := tidemill.KindBool; k <= tidemill.KindOther; k++ {
		if k.String() == words[1] {
			return tidemill.Column{Name: words[0], Kind: k, Native: words[1], Nullable: true}, nil
		}
	}
	return tidemill.Column{}, fmt.Errorf("there is no kind %q", words[1])
}

func (w *world) table(name, text string) error {
	var cols []tidemill.Column
	var key []int
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0][0] == '#' {
			continue
		}
		c, err := columnOf(words)
		if err != nil {
			return err
		}
		if len(words) == 3 && words[2] == "key" {
			key = append(key, len(cols))
		}
		cols = append(cols, c)
	}
	schema, plain, ok := strings.Cut(name, ".")
	if !ok {
		schema, plain = "", name
	}
	w.tables[name] = &scriptTable{table: tidemill.NewTable(schema, plain, cols, key), rows: map[string][]tidemill.Value{}, under: map[string][][]tidemill.Value{}}
	w.tables[name].table.KeyOnly = w.keyOnly
	return nil
}

// line is "<when> <op> <table> <column>=<value> ...", or "&" for when: the transaction of the line before. In the snapshot
// it is "<table> <column>=<value> ...". "repeat n to m:" before it makes a change for each number, which stands for $.
func (w *world) line(snapshot bool, line string) error {
	if rest, ok := strings.CutPrefix(line, "repeat "); ok {
		from, rest, _ := strings.Cut(rest, " to ")
		to, rest, ok := strings.Cut(rest, ": ")
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err := errors.Join(err1, err2); err != nil || !ok {
			return errors.New("it is: repeat 1 to 9: <line with $>")
		}
		for i := a; i <= b; i++ {
			if err := w.line(snapshot, strings.ReplaceAll(rest, "$", strconv.Itoa(i))); err != nil {
				return err
			}
		}
		return nil
	}
	words, err := wordsOf(line)
	if err != nil {
		return err
	}
	if snapshot {
		words = append([]string{"0s", "read"}, words...)
		if w.tx != nil {
			words[0] = "&"
		}
	}
	if len(words) < 3 {
		return errors.New("it is: <when> <op> <table> <column>=<value> ...")
	}
	if words[0] != "&" {
		if w.at, err = durationOf(words[0]); err != nil {
			return err
		}
		w.order++
		w.tx = &tidemill.Tx{Order: w.order, Commit: noon.Add(w.at)}
		w.n = 0
	} else if w.tx == nil {
		return errors.New("there is no transaction before it")
	}
	t := w.tables[words[2]]
	if t == nil {
		return errors.New("there is no such table")
	}
	if words[1] == "alter" {
		return t.alter(words[3:])
	}
	c := tidemill.Change{Table: t.table, Tx: w.tx, N: w.n}
	w.n++
	if err := t.change(&c, words[1], words[3:], w.before); err != nil {
		return err
	}
	if snapshot {
		w.snapshot = append(w.snapshot, c)
	} else {
		w.stream = append(w.stream, c)
	}
	return nil
}

// wordsOf cuts at spaces outside of quotes.
func wordsOf(line string) ([]string, error) {
	var words []string
	var b strings.Builder
	quoted := false
	for _, r := range line {
		switch {
		case r == '\'':
			quoted = !quoted
			b.WriteRune(r)
		case r == ' ' && !quoted:
			if b.Len() > 0 {
				words = append(words, b.String())
				b.Reset()
			}
		default:
			b.WriteRune(r)
		}
	}
	if b.Len() > 0 {
		words = append(words, b.String())
	}
	if quoted {
		return nil, errors.New("a quote is open")
	}
	return words, nil
}

// durationOf reads 90s, 1h30m, 2d or 2d3h.
func durationOf(s string) (time.Duration, error) {
	var days time.Duration
	if d, rest, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.Atoi(d)
		if err != nil {
			return 0, err
		}
		days = time.Duration(n) * 24 * time.Hour
		if s = rest; s == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(s)
	return days + d, err
}

func (t *scriptTable) alter(words []string) error {
	if len(words) < 2 {
		return errors.New("it is: alter <table> add|drop|retype <column> [kind]")
	}
	cols := slices.Clone(t.table.Columns)
	at := t.table.Col(words[1])
	keys := slices.Clone(t.table.Key)
	switch words[0] {
	case "add":
		c, err := columnOf(words[1:])
		if err != nil {
			return err
		}
		cols = append(cols, c)
		for id, row := range t.rows {
			t.rows[id] = append(slices.Clone(row), tidemill.Null())
		}
	case "drop":
		cols = slices.Delete(cols, at, at+1)
		for id, row := range t.rows {
			t.rows[id] = slices.Delete(slices.Clone(row), at, at+1)
		}
	case "retype":
		c, err := columnOf(words[1:])
		if err != nil {
			return err
		}
		cols[at] = c
	}
	t.table = tidemill.NewTable(t.table.Schema, t.table.Name, cols, keys)
	return nil
}

func (t *scriptTable) id(row []tidemill.Value) string {
	var parts []string
	for _, k := range t.table.Key {
		parts = append(parts, row[k].String())
	}
	if len(parts) == 0 {
		for _, v := range row {
			parts = append(parts, v.String())
		}
	}
	return strings.Join(parts, ",")
}

// change applies an operation. The key in update and delete names the row; "key: column=value" after it in an update is
// the new key. Of two rows that have one key inside a transaction the first is meant, or with "last:" the last that came.
func (t *scriptTable) change(c *tidemill.Change, op string, words []string, before string) error {
	if op == "truncate" {
		c.Op = tidemill.Truncate
		clear(t.rows)
		return nil
	}
	set := func(row []tidemill.Value, words []string) error {
		for _, w := range words {
			name, text, ok := strings.Cut(w, "=")
			col := t.table.Col(name)
			if !ok || col < 0 {
				return fmt.Errorf("%q sets no column", w)
			}
			v, err := scriptValue(text, t.table.Columns[col].Kind)
			if err != nil {
				return err
			}
			row[col] = v
		}
		return nil
	}
	named := make([]tidemill.Value, len(t.table.Columns))
	for i := range named {
		named[i] = tidemill.Null()
	}
	last := slices.Index(words, "last:")
	if last >= 0 {
		words = slices.Delete(slices.Clone(words), last, last+1)
	}
	moved := slices.Index(words, "key:")
	first := words
	if moved >= 0 {
		first = words[:moved]
	}
	if err := set(named, first); err != nil {
		return err
	}
	id := t.id(named)
	old, there := t.rows[id]
	if under := t.under[id]; len(under) > 0 && op != "insert" && last < 0 { // of two rows of one key, the first
		old = under[0]
	}
	leave := func() {
		under := t.under[id]
		switch {
		case len(under) == 0:
			delete(t.rows, id)
		case last < 0:
			t.under[id] = under[1:]
		default: // the one before is the last by now
			n := len(under) - 1
			t.rows[id], t.under[id] = under[n], under[:n]
		}
	}
	keyOnly := func(row []tidemill.Value) []tidemill.Value {
		if before == "full" {
			return slices.Clone(row)
		}
		out := make([]tidemill.Value, len(row))
		for _, k := range t.table.Key {
			out[k] = row[k]
		}
		return out
	}
	switch op {
	case "read", "insert":
		if there && len(t.table.Key) > 0 {
			return fmt.Errorf("row %s is there already", id)
		}
		c.Op = tidemill.Insert
		if op == "read" {
			c.Op = tidemill.Read
		}
		t.rows[id] = named
		c.After = slices.Clone(named)
		return nil
	case "update":
		if !there {
			return fmt.Errorf("there is no row %s", id)
		}
		row := slices.Clone(old)
		if err := set(row, words[:len(first)]); err != nil {
			return err
		}
		if moved >= 0 {
			if err := set(row, words[moved+1:]); err != nil {
				return err
			}
		}
		now := t.id(row)
		if before == "full" || now != id {
			c.Before = keyOnly(old)
		}
		c.Op, c.After = tidemill.Update, slices.Clone(row)
		if under := t.under[id]; now == id {
			if len(under) > 0 && last < 0 {
				under[0] = row
			} else {
				t.rows[id] = row
			}
			return nil
		}
		leave()
		if other, ok := t.rows[now]; ok {
			t.under[now] = append(t.under[now], other)
		}
		t.rows[now] = row
		return nil
	case "delete":
		if !there {
			return fmt.Errorf("there is no row %s", id)
		}
		leave()
		c.Op, c.Before = tidemill.Delete, keyOnly(old)
		return nil
	}
	return fmt.Errorf("there is no operation %q", op)
}

// scriptValue reads null, true, 1.5, inf, nan, 'text', and @1h30m for a time after the beginning.
func scriptValue(s string, kind tidemill.Kind) (tidemill.Value, error) {
	if s == "null" {
		return tidemill.Null(), nil
	}
	if s == "?" {
		return tidemill.Value{}, nil
	}
	if text, ok := strings.CutPrefix(s, "'"); ok {
		text = strings.TrimSuffix(text, "'")
		switch kind {
		case tidemill.KindDecimal:
			return tidemill.Decimal(text), nil
		case tidemill.KindBytes:
			return tidemill.Blob([]byte(text)), nil
		case tidemill.KindOther:
			return tidemill.Other(text), nil
		}
		return tidemill.Text(text), nil
	}
	if ago, ok := strings.CutPrefix(s, "@"); ok {
		d, err := durationOf(ago)
		return tidemill.TimeOf(noon.Add(d)), err
	}
	switch kind {
	case tidemill.KindBool:
		b, err := strconv.ParseBool(s)
		return tidemill.Bool(b), err
	case tidemill.KindInt:
		i, err := strconv.ParseInt(s, 10, 64)
		return tidemill.Int(i), err
	case tidemill.KindFloat:
		f, err := strconv.ParseFloat(s, 64)
		return tidemill.Float(f), err
	case tidemill.KindDecimal:
		return tidemill.Decimal(s), nil
	}
	return tidemill.Value{}, fmt.Errorf("%q is no value of a column of kind %s", s, kind)
}

// scriptSource yields a script's changes, cut into batches of some size. A position names a place between transactions;
// inside one there is none.
type scriptSource struct {
	f   *flowScript
	cut int
}

func (s *scriptSource) Describe() string { return "script" }

func (s *scriptSource) Locate(c *tidemill.Change) string {
	return fmt.Sprintf("%d/%d", c.Tx.Order, c.N)
}

func (s *scriptSource) Release(context.Context, tidemill.Position) error { return nil }

func (s *scriptSource) Changes(ctx context.Context, after tidemill.Position) iter.Seq2[tidemill.Batch, error] {
	return func(yield func(tidemill.Batch, error) bool) {
		at := 0
		if after == "" || after == tidemill.Begun {
			for i := 0; i < len(s.f.snapshot); i += s.cut {
				if !yield(tidemill.Batch{Changes: scriptCopy(s.f.snapshot[i:min(i+s.cut, len(s.f.snapshot))])}, nil) {
					return
				}
			}
			if !yield(tidemill.Batch{Upto: "script 0", Live: true}, nil) {
				return
			}
		} else if _, err := fmt.Sscanf(string(after), "script %d", &at); err != nil {
			yield(tidemill.Batch{}, tidemill.Fatal(err))
			return
		}
		all := s.f.stream
		for i := at; i < len(all); i += s.cut {
			j := min(i+s.cut, len(all))
			b := tidemill.Batch{Changes: scriptCopy(all[i:j]), Live: true}
			if j == len(all) || all[j].Tx != all[j-1].Tx {
				b.Upto = tidemill.Position(fmt.Sprintf("script %d", j))
			}
			if !yield(b, nil) {
				return
			}
		}
		if yield(tidemill.Batch{Upto: tidemill.Position(fmt.Sprintf("script %d", len(all))), Live: true, CaughtUp: true}, nil) {
			<-ctx.Done()
		}
	}
}

// scriptCopy is the changes with memory of their own, as the receiver of a batch has it.
func scriptCopy(cs []tidemill.Change) []tidemill.Change {
	out := slices.Clone(cs)
	for i := range out {
		out[i].Before, out[i].After = slices.Clone(out[i].Before), slices.Clone(out[i].After)
	}
	return out
}

// told is everything that a flow said, by its ordinal: what a sink holds after crashes and replays. Its memory outlives a
// crash, as a table does.
type told struct {
	name  string
	lines map[uint64]string
	mark  tidemill.Mark
	clash string // an ordinal that was told twice, differently
}

func (s *told) Describe() string { return s.name }
func (s *told) Close() error     { return nil }

func (s *told) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{}, errors.ErrUnsupported
}

func (s *told) Resume(_ context.Context, r tidemill.Resumption) error {
	if s.lines == nil {
		s.lines = map[uint64]string{}
	}
	if r.Term < s.mark.Term {
		return tidemill.ErrFenced
	}
	s.mark.Term = r.Term
	return nil
}

func (s *told) Flush(context.Context) (tidemill.Mark, error) { return s.mark, nil }

func (s *told) Write(_ context.Context, out []tidemill.Output) error {
	for i := range out {
		line := outputLine(&out[i])
		if was, ok := s.lines[out[i].Seq]; ok && was != line {
			s.clash = fmt.Sprintf("output %d was %q, and on replay %q", out[i].Seq, was, line)
		}
		s.lines[out[i].Seq] = line
		s.mark.Seq = out[i].Seq
	}
	return nil
}

// toldLines is what sinks were told, in the order of ordinals.
func toldLines(sinks ...*told) string {
	all := map[uint64]string{}
	for _, s := range sinks {
		maps.Copy(all, s.lines)
	}
	var b strings.Builder
	for _, seq := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%d %s\n", seq, all[seq])
	}
	return b.String()
}

func since(t time.Time) string {
	d := t.Sub(noon)
	s := ""
	if days := d / (24 * time.Hour); days != 0 {
		s = fmt.Sprintf("%dd", days)
		if d -= days * 24 * time.Hour; d == 0 {
			return s
		}
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return s + text
}

func short(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

func outputLine(o *tidemill.Output) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s/%s", o.Kind, o.Task, o.ID)
	switch o.Kind {
	case tidemill.Predicted:
		if o.Label == "" {
			b.WriteString(" not ready")
		} else if o.Model == tidemill.Regress || o.Model == tidemill.Anomaly {
			fmt.Fprintf(&b, " = %s", short(o.Prediction[0]))
		} else {
			fmt.Fprintf(&b, " = %s (%s)", o.Label, short(o.Score))
		}
		fmt.Fprintf(&b, " by %s, asked at %s", o.Version, since(o.Asked))
		if !o.Answered.IsZero() {
			fmt.Fprintf(&b, ", truth %s at %s", o.Truth, since(o.Answered))
		}
	case tidemill.Truth:
		fmt.Fprintf(&b, " is %s at %s", o.Truth, since(o.Answered))
		if o.Corrected {
			b.WriteString(", corrected")
		}
	case tidemill.Retracted:
		fmt.Fprintf(&b, " to %s", o.NewID)
	case tidemill.RowRejected:
		fmt.Fprintf(&b, ": %s", o.Reason)
	}
	return b.String()
}

// statusText is what people see of a flow in the end.
func statusText(s *engine.Status) string {
	var b strings.Builder
	for i := range s.Tasks {
		t := &s.Tasks[i]
		fmt.Fprintf(&b, "%s %s:", t.Name, t.Version)
		c := t.Counts
		for _, n := range []struct {
			n    uint64
			word string
		}{{c.Asked, "asked"}, {c.Open, "open"}, {c.Answered, "answered"}, {c.Corrected, "corrected"}, {c.Unasked, "unasked"}, {c.Replaced, "replaced"},
			{c.Dropped, "dropped"}, {c.Expired, "expired"}, {c.Late, "late"}, {c.Rejected, "rejected"}, {c.Learned, "learned"}, {c.Evaluated, "evaluated"},
			{c.Deleted, "deleted"}} {
			if n.n > 0 {
				fmt.Fprintf(&b, " %d %s", n.n, n.word)
			}
		}
		if t.Counts.Asked > 0 {
			fmt.Fprintf(&b, ", coverage %s", short(t.Coverage))
		}
		if t.LabelDelay != nil {
			fmt.Fprintf(&b, ", delay %ss", short(*t.LabelDelay))
		}
		if len(t.Classes) > 0 {
			fmt.Fprintf(&b, ", classes %s", strings.Join(t.Classes, " "))
		}
		b.WriteString("\n")
		for _, sc := range t.Scores {
			fmt.Fprintf(&b, "  %s %s over %d: %s", sc.Phase, sc.Name, sc.N, figureText(sc.Value))
			for _, name := range slices.Sorted(maps.Keys(sc.Baselines)) {
				fmt.Fprintf(&b, ", %s %s", name, figureText(sc.Baselines[name]))
			}
			b.WriteString("\n")
		}
		for _, w := range t.Warnings {
			fmt.Fprintf(&b, "  warning: %s\n", w)
		}
	}
	return b.String()
}

func figureText(v *float64) string {
	if v == nil {
		return "-"
	}
	return short(*v)
}
