package feature

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
	"github.com/tidemill/tidemill/statebytes"
)

// window is figures over a table's rows by time and key; see Window's kinds (Count, Mean, …) and WindowConfig.
//
// A row's value enters at the time of the change that made it known, once per row id (the primary key): for rows that
// is the INSERT, for a column the first change after which it is not NULL. A correction takes the old value out and
// lets the new one in at its own time; NULL, DELETE and TRUNCATE take it out. A change of the key moves the row in the
// same way. The asking row's own change is not in its window, as the engine asks before it folds a change in. A row
// whose key is NULL is in no window, and the figures of an asking row with such a key are NaN.
//
// What left every window is forgotten, also which rows it came from. So an UPDATE of a row whose value has left already
// is told from a first value only by the change's Before: Postgres sends it with REPLICA IDENTITY FULL, and without it
// the engine stops at such an UPDATE.
type window struct {
	config  WindowConfig
	where   *expr.Expr // nil: all rows
	mistake error      // of a constructor; returned by Bind
	figures []windowed
	streams []valueStream
	out     []tidemill.FeatureColumn
	asks    shapes[[]int]
	folds   shapes[folding]
}

// windowed is one figure and the stream that it reads.
type windowed struct {
	agg    aggregation
	column string
	stream int
}

// valueStream is a stream and the values that it takes: of an expression, as a number or as a category; of rows where
// there is no expression.
type valueStream struct {
	*stream
	column string // the expression as it was written
	expr   *expr.Expr
	nature nature
}

type nature uint8

const (
	natureRows   nature = iota // every row is a value
	natureAny                  // every value that is not NULL, whatever it is
	natureNumber               // a number
)

// folding is a table's columns in a window: by and key, the time, which rows, and an expression per stream (nil for
// rows).
type folding struct {
	seed    uint64 // of the row ids: tables of the same name in several schemas share no rows
	by, key []int
	at      int
	where   *expr.Bound
	values  []*expr.Bound
}

func newWindow(c WindowConfig) (*window, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.Late = min(c.Late, c.Over)
	w := &window{config: c}
	if c.Where != "" {
		var err error
		if w.where, err = expr.Parse(c.Where); err != nil {
			return nil, fmt.Errorf("window: where: %w", err)
		}
	}
	for _, f := range c.figures() {
		if f.column == "rows" {
			continue
		}
		if _, err := expr.Parse(f.column); err != nil {
			return nil, fmt.Errorf("window: %s: %w", aggregationNames[f.agg], err)
		}
	}
	w.add(c.figures())
	return w, nil
}

// add adds figures, each on the stream of its expression, and starts the streams. The expressions parse.
func (w *window) add(figures []windowed) {
	type plan struct {
		column string
		nature nature
		want   wants
	}
	plans := []plan{}
	w.figures = append(w.figures, figures...)
	w.out = w.out[:0:0]
	for i := range w.figures {
		f := &w.figures[i]
		w.out = append(w.out, tidemill.FeatureColumn{Name: aggregationNames[f.agg] + " " + f.column + w.config.span()})
		p := plan{column: f.column}
		switch f.agg {
		case aggCount, aggSince:
			p.nature = natureAny
			if f.column == "rows" {
				p.nature, p.column = natureRows, ""
			}
		case aggDistinct:
			p.nature = natureAny
		default:
			p.nature = natureNumber
		}
		f.stream = slices.IndexFunc(plans, func(q plan) bool { return q.column == p.column && q.nature == p.nature })
		if f.stream < 0 {
			f.stream = len(plans)
			plans = append(plans, p)
		}
		want := &plans[f.stream].want
		want.sum = want.sum || f.agg == aggSum || f.agg == aggMean
		want.extremes = want.extremes || f.agg == aggMin || f.agg == aggMax
		want.distinct = want.distinct || f.agg == aggDistinct
	}
	w.streams = nil
	for _, p := range plans {
		s := newStream(w.config.Over.Microseconds(), w.config.Every.Microseconds(), w.config.Late.Microseconds(), p.want)
		v := valueStream{stream: s, column: p.column, nature: p.nature}
		if p.nature != natureRows {
			v.expr, _ = expr.Parse(p.column)
		}
		w.streams = append(w.streams, v)
	}
}

// Merge joins windows over the same rows (table, keys, lengths and times are the same) into the first of them, so that
// their figures share one store; other features stay as and where they are. For features that no change has reached
// yet.
func Merge(features []tidemill.Feature) []tidemill.Feature {
	var out []tidemill.Feature
	joined := map[*window]bool{}
next:
	for _, f := range features {
		w, ok := f.(*window)
		if !ok || w.mistake != nil {
			out = append(out, f)
			continue
		}
		for i, g := range out {
			first, ok := g.(*window)
			if !ok || first.mistake != nil || !first.config.same(&w.config) {
				continue
			}
			if !joined[first] { // the caller's own stays as it is
				first = &window{config: first.config, where: first.where}
				first.add(g.(*window).figures)
				joined[first], out[i] = true, first
			}
			first.add(w.figures)
			continue next
		}
		out = append(out, f)
	}
	return out
}

// Describe implements tidemill.Feature.
func (w *window) Describe() string {
	if w.mistake != nil {
		return "window"
	}
	c := &w.config
	var names []string
	for _, f := range w.figures {
		names = append(names, aggregationNames[f.agg]+" "+f.column)
	}
	s := "window " + strings.Join(names, ", ") + c.span() + " late " + length(c.Late)
	if len(c.Match) > 0 {
		s += " match " + strings.Join(c.Match, ", ")
	}
	if c.At != "" {
		s += " at " + c.At + " " + c.Unix
	}
	return s
}

// Columns implements tidemill.Feature.
func (w *window) Columns() ([]tidemill.FeatureColumn, bool) { return w.out, false }

// Folds implements tidemill.Feature.
func (w *window) Folds() []string { return []string{w.config.Of} }

// match is the asking row's columns.
func (w *window) match() []string {
	if len(w.config.Match) > 0 {
		return w.config.Match
	}
	return w.config.By
}

// Needs implements tidemill.Feature: values that can be corrected after they left the window need Before.
func (w *window) Needs(t *tidemill.Table, role tidemill.Role) (columns []string, before bool) {
	if role == tidemill.Asks {
		return w.match(), false
	}
	if !t.Is(w.config.Of) {
		return nil, false
	}
	columns = slices.Clone(w.config.By)
	for _, s := range w.streams {
		if s.expr != nil {
			columns = append(columns, s.expr.Columns()...)
			before = true
		}
	}
	if w.where != nil {
		columns = append(columns, w.where.Columns()...)
		before = true
	}
	if w.config.At != "" {
		columns = append(columns, w.config.At)
	}
	for _, k := range t.Key {
		columns = append(columns, t.Columns[k].Name)
	}
	slices.Sort(columns)
	return slices.Compact(columns), before
}

// bindAsks finds the columns of the row that asks.
func (w *window) bindAsks(t *tidemill.Table) error {
	var at []int
	for _, name := range w.match() {
		i, err := column(t, name)
		if err != nil {
			return fmt.Errorf("window%s: the row that asks: %w; name its column with match", w.config.span(), err)
		}
		at = append(at, i)
	}
	w.asks.set(t, at)
	return nil
}

// Bind implements tidemill.Feature.
func (w *window) Bind(t *tidemill.Table, role tidemill.Role) error {
	if w.mistake != nil {
		return w.mistake
	}
	if role == tidemill.Asks {
		return w.bindAsks(t)
	}
	if !t.Is(w.config.Of) {
		return nil
	}
	if len(t.Key) == 0 {
		return fmt.Errorf("window%s: table %s has no primary key, so that corrections and deletes could not find their "+
			"rows; give it one", w.config.span(), t)
	}
	f := folding{seed: tidemill.Hash("row", t.Schema, t.Name), key: t.Key, at: -1}
	place := func(name string) (int, error) {
		i, err := column(t, name)
		if err != nil {
			err = fmt.Errorf("window%s: %w", w.config.span(), err)
		}
		return i, err
	}
	for _, name := range w.config.By {
		i, err := place(name)
		if err != nil {
			return err
		}
		f.by = append(f.by, i)
	}
	for _, s := range w.streams {
		var b *expr.Bound
		if s.nature != natureRows {
			var err error
			if b, err = s.expr.Bind(t); err != nil {
				return fmt.Errorf("window%s: table %s: %w", w.config.span(), t, err)
			}
			if why := fitsNumber(b.Kind()); why != "" && s.nature == natureNumber {
				return fmt.Errorf("window%s: %s of table %s %s", w.config.span(), s.column, t, why)
			}
		}
		f.values = append(f.values, b)
	}
	if w.where != nil {
		b, err := w.where.BindCondition(t)
		if err != nil {
			return fmt.Errorf("window%s: where: table %s: %w", w.config.span(), t, err)
		}
		f.where = b
	}
	if w.config.At != "" {
		i, err := place(w.config.At)
		if err != nil {
			return err
		}
		if err := expr.CheckTime(&t.Columns[i], w.config.Unix); err != nil {
			return fmt.Errorf("window%s: at: table %s: %w", w.config.span(), t, err)
		}
		f.at = i
	}
	w.folds.set(t, f)
	return nil
}

// keyHash names the key that the columns of a row make. known is false where one was not sent, null where one is NULL.
func keyHash(row []tidemill.Value, cols []int, seed uint64) (hash uint64, known, null bool) {
	var scratch [64]byte
	hash, known = seed, true
	for _, i := range cols {
		if i >= len(row) || !row[i].Known() {
			return 0, false, null
		}
		null = null || row[i].IsNull()
		hash = tidemill.HashBytes(hash, text(row[i], &scratch))
	}
	return hash, known, null
}

// keySeed starts every key's hash; that of a window without keys is it.
const keySeed = 0x7469646d696c6c00

// Append implements tidemill.Feature: the figures of the windows that end at time at.
func (w *window) Append(dst *tidemill.Vector, c *tidemill.Change, at int64) error {
	cols := w.asks.get(c.Table)
	if cols == nil {
		return unbound("window"+w.config.span(), c.Table)
	}
	row := c.Row()
	hash, known, null := keyHash(row, *cols, keySeed)
	if null {
		appendNaN(dst, len(w.out))
		return nil
	}
	if !known {
		for _, i := range *cols {
			if i >= len(row) || !row[i].Known() {
				return reject(c, i, errNotSent)
			}
		}
	}
	for i := range w.figures {
		f := &w.figures[i]
		dst.Dense = append(dst.Dense, w.streams[f.stream].figure(f.agg, hash, at))
	}
	return nil
}

// AppendBinary implements tidemill.State.
func (w *window) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, 1)
	b = binary.AppendUvarint(b, uint64(len(w.streams)))
	for _, s := range w.streams {
		b = s.appendState(b)
	}
	return b, nil
}

// Capture implements tidemill.Capturer: a pause of about a millisecond for a million values.
func (w *window) Capture() func(b []byte) ([]byte, error) {
	var parts []func(b []byte) []byte
	for _, s := range w.streams {
		parts = append(parts, s.capture())
	}
	return func(b []byte) ([]byte, error) {
		b = append(b, 1)
		b = binary.AppendUvarint(b, uint64(len(parts)))
		for _, part := range parts {
			b = part(b)
		}
		return b, nil
	}
}

// UnmarshalBinary implements tidemill.State.
func (w *window) UnmarshalBinary(data []byte) error {
	r := statebytes.Read(data)
	r.Version(1)
	if n := r.Uvarint(); r.Err() == nil && n != uint64(len(w.streams)) {
		r.Fail(fmt.Errorf("it has %d streams of values, the window has %d", n, len(w.streams)))
	}
	var read []*stream
	for _, s := range w.streams {
		n := newStream(s.over, s.every, s.late, s.want)
		if n.readState(r, s.nature == natureNumber); r.Err() != nil {
			break
		}
		read = append(read, n)
	}
	if err := r.Done("feature: window" + w.config.span()); err != nil {
		return err
	}
	for i := range w.streams {
		w.streams[i].stream = read[i]
	}
	return nil
}

// Warnings implements tidemill.Warner: what is not in the window although it came.
func (w *window) Warnings() []string {
	var out []string
	if n := w.missed(); n > 0 {
		out = append(out, fmt.Sprintf("feature %s: %d values came too late for any window", w.Describe(), n))
	}
	if n := w.skipped(); n > 0 {
		out = append(out, fmt.Sprintf("feature %s: %d rows left out: what it reads is no number, "+
			"or its time is unreadable or more than a day after the commit", w.Describe(), n))
	}
	return out
}

// missed counts the values that came so late that no window can ask about them any more.
func (w *window) missed() (n uint64) {
	for _, s := range w.streams {
		n += s.missed
	}
	return n
}

// skipped counts the rows whose value is no number where one is needed, or whose time is unreadable or more than a day
// after their commit (after they were read, where the source tells no commit time), as often as they came.
func (w *window) skipped() (n uint64) {
	for _, s := range w.streams {
		n += s.unfit
	}
	return n
}

// errSkip: the value takes no part. errUnfit: nor can it, and it is counted.
var (
	errSkip  = errors.New("no part of the window")
	errUnfit = errors.New("no value for the window")
)

// valueOf is what a stream takes from a value: bits of a number, or a hash. err is errNotSent, errSkip for NULL, or
// errUnfit for what is no number.
func (s *valueStream) valueOf(v tidemill.Value) (uint64, error) {
	switch {
	case !v.Known():
		return 0, errNotSent
	case v.IsNull():
		return 0, errSkip
	case s.nature == natureAny:
		var scratch [64]byte
		return tidemill.HashBytes(0, text(v, &scratch)), nil
	}
	f, err := number(v)
	if err != nil || f != f {
		return 0, errUnfit
	}
	return math.Float64bits(f + 0), nil // -0 is 0
}
