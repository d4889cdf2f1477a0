package feature

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
	"github.com/tidemill/tidemill/statebytes"
)

// shapes remembers what was resolved for each shape of a table, newest first. Two tables with the same Sum are the
// same. It may be read beside set.
type shapes[T any] struct{ kept atomic.Pointer[[]shape[T]] }

func (s *shapes[T]) list() []shape[T] {
	if p := s.kept.Load(); p != nil {
		return *p
	}
	return nil
}

type shape[T any] struct {
	table *tidemill.Table
	at    T
}

// keptShapes bounds the shapes: a table that is altered ever again does not grow the list.
const keptShapes = 64

func (s *shapes[T]) set(t *tidemill.Table, at T) {
	list := []shape[T]{{t, at}}
	for _, old := range s.list() {
		if old.table.Sum != t.Sum && len(list) < keptShapes {
			list = append(list, old)
		}
	}
	s.kept.Store(&list)
}

// get is what was resolved for t, nil if nothing was.
func (s *shapes[T]) get(t *tidemill.Table) *T {
	list := s.list()
	for i := range list {
		if list[i].table == t {
			return &list[i].at
		}
	}
	if t != nil {
		for i := range list {
			if list[i].table.Sum == t.Sum {
				return &list[i].at
			}
		}
	}
	return nil
}

// stateless is the half of a Feature that remembers nothing.
type stateless struct{}

// Folds implements tidemill.Feature: no table.
func (stateless) Folds() []string { return nil }

// Update implements tidemill.Feature: nothing is remembered.
func (stateless) Update(*tidemill.Change, int64) {}

// AppendBinary implements tidemill.State: the version alone.
func (stateless) AppendBinary(b []byte) ([]byte, error) { return append(b, 1), nil }

// UnmarshalBinary implements tidemill.State.
func (stateless) UnmarshalBinary(b []byte) error {
	r := statebytes.Read(b)
	r.Version(1)
	return r.Done("feature: a feature without memory")
}

// columnar is the part of a Feature that reads named columns of the asking row.
type columnar struct {
	stateless
	kind  string // for messages: "numeric"
	cols  []string
	out   []tidemill.FeatureColumn
	terms bool                         // it appends sparse terms
	fits  func(k tidemill.Kind) string // why a column of that kind can never fit, "" if it can; nil: all fit
	bound shapes[[]int]
}

// Columns implements tidemill.Feature.
func (f *columnar) Columns() ([]tidemill.FeatureColumn, bool) { return f.out, f.terms }

// Needs implements tidemill.Feature.
func (f *columnar) Needs(_ *tidemill.Table, role tidemill.Role) (columns []string, before bool) {
	if role != tidemill.Asks {
		return nil, false
	}
	return f.cols, false
}

// Bind implements tidemill.Feature: it finds the columns of a table whose rows are asked about.
func (f *columnar) Bind(t *tidemill.Table, role tidemill.Role) error {
	if role != tidemill.Asks {
		return nil
	}
	if len(f.cols) == 0 {
		return fmt.Errorf("%s: no column is named", f.kind)
	}
	at := make([]int, len(f.cols))
	for i, name := range f.cols {
		k, err := column(t, name)
		if err != nil {
			return fmt.Errorf("%s: %w", f.kind, err)
		}
		if f.fits != nil {
			if why := f.fits(t.Columns[k].Kind); why != "" {
				return fmt.Errorf("%s: column %q of table %s %s", f.kind, name, t, why)
			}
		}
		at[i] = k
	}
	f.bound.set(t, at)
	return nil
}

// row is c's row and the places of the columns in it.
func (f *columnar) row(c *tidemill.Change) ([]tidemill.Value, []int, error) {
	at := f.bound.get(c.Table)
	if at == nil {
		return nil, nil, unbound(f.kind, c.Table)
	}
	row := c.Row()
	for _, i := range *at {
		if i >= len(row) {
			return nil, nil, &tidemill.RowError{Table: c.Table.String(), Column: c.Table.Columns[i].Name,
				Reason: "the change carries no such value"}
		}
	}
	return row, *at, nil
}

func unbound(kind string, t *tidemill.Table) error {
	if t == nil {
		return fmt.Errorf("%s: the change names no table", kind)
	}
	return fmt.Errorf("%s: table %s was never bound", kind, t)
}

// column is the index of a table's column by name.
func column(t *tidemill.Table, name string) (int, error) {
	if i := t.Col(name); i >= 0 {
		return i, nil
	}
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	if near := expr.Nearest(name, names); near != "" {
		return 0, fmt.Errorf("table %s has no column %q; did you mean %q?", t, name, near)
	}
	return 0, fmt.Errorf("table %s has no column %q; it has %s", t, name, strings.Join(names, ", "))
}

// Reasons why a value cannot be used. They are fixed errors, so that a row costs nothing until it is rejected.
var (
	errNotSent = errors.New("the source did not send the value (it did not change and is stored out of line); run " +
		"ALTER TABLE … REPLICA IDENTITY FULL on the table")
	errInfinite = errors.New("the number is infinite; correct the row, or use another column")
	errBytes    = errors.New("bytes are no number; use pixels or image for pictures")
)

// reject is err as the row's error, with table and column.
func reject(c *tidemill.Change, i int, err error) error {
	return &tidemill.RowError{Table: c.Table.String(), Column: c.Table.Columns[i].Name, Reason: err.Error()}
}

// number is the value as a float64: NaN for NULL and for a number that is NaN itself.
func number(v tidemill.Value) (float64, error) {
	switch v.Kind() {
	case tidemill.KindInt:
		return float64(v.Int()), nil
	case tidemill.KindFloat:
		return finite(v.Float())
	case tidemill.KindNull:
		return math.NaN(), nil
	case tidemill.KindUnknown:
		return 0, errNotSent
	case tidemill.KindBytes:
		return 0, errBytes
	case tidemill.KindDecimal, tidemill.KindText, tidemill.KindOther:
		f, err := strconv.ParseFloat(strings.TrimSpace(v.Str()), 64)
		if err != nil && !math.IsInf(f, 0) {
			return 0, fmt.Errorf("%s is no number", quoted(v))
		}
		return finite(f)
	}
	f, _ := v.Number()
	return finite(f)
}

func finite(f float64) (float64, error) {
	if math.IsInf(f, 0) {
		return 0, errInfinite
	}
	return f, nil
}

// quoted is the value for a message, shortened.
func quoted(v tidemill.Value) string {
	s := v.String()
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return strconv.Quote(s)
}

// fitsNumber refuses columns that can never hold a number.
func fitsNumber(k tidemill.Kind) string {
	if k == tidemill.KindBytes {
		return "holds bytes, which are no number; use pixels or image for pictures"
	}
	return ""
}
