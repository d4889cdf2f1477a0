package sqltable

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"image"
	_ "image/jpeg" // pictures are recognised
	_ "image/png"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// Sampler looks at a table through database/sql, for a first flow. One goroutine uses it.
type Sampler struct {
	DB    *sql.DB
	Table *tidemill.Table
	From  string // the table in SQL
	Limit int    // rows
	// Loose says that a column holds anything whatever its type says, so that typeof(x) tells.
	Loose bool

	Sample *tidemill.Sample
}

// NewSampler begins a sample with the kinds that the table gives.
func NewSampler(db *sql.DB, t *tidemill.Table, from string, limit int) *Sampler {
	s := &Sampler{DB: db, Table: t, From: from, Limit: limit}
	s.Sample = &tidemill.Sample{Columns: make([]tidemill.ColumnSample, len(t.Columns))}
	for i := range t.Columns {
		s.Sample.Columns[i].Kind = t.Columns[i].Kind
	}
	return s
}

// Name is a column in SQL.
func (s *Sampler) Name(i int) string { return Standard.Name(s.Table.Columns[i].Name) }

func (s *Sampler) native(i int) string { return strings.ToLower(s.Table.Columns[i].Native) }

// Count has the database count rows, NULLs and different values.
func (s *Sampler) Count(ctx context.Context) error {
	var list []string
	columns := s.Sample.Columns
	for i := range columns {
		c, name := &columns[i], s.Name(i)
		distinct := "count(DISTINCT " + name + ")"
		if c.Kind == tidemill.KindBytes || c.Kind == tidemill.KindOther {
			distinct = "0"
		} else if native := s.native(i); strings.HasPrefix(native, "json") || native == "xml" {
			distinct, c.Odd = "0", native
		}
		length := "0"
		if c.Kind == tidemill.KindBytes {
			length = "CASE WHEN min(length(" + name + ")) = max(length(" + name + ")) THEN min(length(" + name + ")) ELSE 0 END"
		}
		list = append(list, "count("+name+")", distinct, "coalesce("+length+", 0)")
	}
	counts, err := s.Ints(ctx, append([]string{"count(*)"}, list...))
	if err != nil {
		return err
	}
	s.Sample.Rows = counts[0]
	for i := range columns {
		c := &columns[i]
		c.Nulls, c.Distinct, c.Bytes = counts[0]-counts[1+3*i], counts[2+3*i], counts[3+3*i]
	}
	return nil
}

// Ints has the database compute whole numbers over the sample's rows.
func (s *Sampler) Ints(ctx context.Context, of []string) ([]int, error) {
	counts, into := make([]int, len(of)), make([]any, len(of))
	for i := range counts {
		into[i] = &counts[i]
	}
	query := fmt.Sprintf("SELECT %s FROM (SELECT * FROM %s LIMIT %d) AS some_rows", strings.Join(of, ", "), s.From,
		s.Limit)
	return counts, s.DB.QueryRowContext(ctx, query).Scan(into...)
}

var unixNames = regexp.MustCompile(`(?i)(_at|_ts|_time|_on|date|timestamp|^at|^ts|^time|created|updated)$`)

// Times tells what the columns hold that may be times without being called so by their type: ISO text, seconds or
// milliseconds since 1970, or, where types are loose and say time, something that cannot be read.
func (s *Sampler) Times(ctx context.Context) error {
	for i := range s.Sample.Columns {
		c, native := &s.Sample.Columns[i], s.native(i)
		plain := strings.HasPrefix(native, "text") || strings.HasPrefix(native, "char") ||
			strings.HasPrefix(native, "varchar")
		text := c.Kind == tidemill.KindText && (s.Loose || plain)
		maybe := text || c.Kind == tidemill.KindInt && unixNames.MatchString(s.Table.Columns[i].Name)
		sure := c.Kind == tidemill.KindTime && s.Loose
		if !maybe && !sure || c.Nulls == s.Sample.Rows || c.Odd != "" {
			continue
		}
		if err := s.time(ctx, i, text, maybe); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sampler) time(ctx context.Context, i int, text, maybe bool) error {
	var low, high, kind, other string
	into, types := []any{&low, &high}, ""
	switch {
	case s.Loose:
		into, types = append(into, &kind, &other), ", min(typeof(x)), max(typeof(x))"
	case text:
		kind, other = "text", "text"
	default:
		kind, other = "integer", "integer"
	}
	query := fmt.Sprintf("SELECT min(x), max(x)%[1]s FROM (SELECT %[2]s AS x FROM %[3]s WHERE %[2]s IS NOT NULL "+
		"LIMIT %[4]d) AS some_rows",
		types, s.Name(i), s.From, s.Limit)
	if err := s.DB.QueryRowContext(ctx, query).Scan(into...); err != nil {
		return err
	}
	_, ok1 := expr.ParseTime(low)
	_, ok2 := expr.ParseTime(high)
	from, err1 := strconv.ParseInt(low, 10, 64)
	to, err2 := strconv.ParseInt(high, 10, 64)
	numbers := kind == "integer" && other == "integer" && err1 == nil && err2 == nil
	c := &s.Sample.Columns[i]
	switch {
	case kind == "text" && other == "text" && ok1 && ok2:
		c.Kind = tidemill.KindTime
	case numbers && from > 1e8 && to < 1e10: // 1973 to 2286
		c.Kind, c.Unix = tidemill.KindTime, "s"
	case numbers && from > 1e11 && to < 1e13:
		c.Kind, c.Unix = tidemill.KindTime, "ms"
	case maybe:
	default:
		c.Odd = "neither ISO text nor seconds or milliseconds since 1970"
	}
	return nil
}

// Pictures finds the columns of bytes whose values are PNG or JPEG files, and how large they are.
func (s *Sampler) Pictures(ctx context.Context) error {
	for i := range s.Sample.Columns {
		c := &s.Sample.Columns[i]
		if c.Kind != tidemill.KindBytes {
			continue
		}
		size, err := s.picture(ctx, s.Name(i))
		if err != nil {
			return err
		}
		c.Width, c.Height = size.Width, size.Height
	}
	return nil
}

// picture is the size of a column's first picture, zero where not all values are pictures.
func (s *Sampler) picture(ctx context.Context, name string) (first image.Config, err error) {
	const some = 20 // values
	rows, err := s.DB.QueryContext(ctx,
		fmt.Sprintf("SELECT substr(%[1]s, 1, 262144) FROM %[2]s WHERE %[1]s IS NOT NULL LIMIT %[3]d", name, s.From, some))
	if err != nil {
		return first, err
	}
	defer rows.Close()
	for rows.Next() {
		var head []byte
		if err := rows.Scan(&head); err != nil {
			return first, err
		}
		got, _, err := image.DecodeConfig(bytes.NewReader(head)) // the size stands at the beginning
		if err != nil || got.Width < 1 || got.Height < 1 {
			return image.Config{}, nil
		}
		if first.Width == 0 {
			first = got
		}
	}
	return first, rows.Err()
}

// References marks the columns that name rows of other tables, which query names: their numbers are names.
func (s *Sampler) References(ctx context.Context, query string, args ...any) error {
	rows, err := s.DB.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		for i := range s.Table.Columns {
			if strings.EqualFold(s.Table.Columns[i].Name, name) {
				s.Sample.Columns[i].Refers = true
			}
		}
	}
	return rows.Err()
}
