package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	_ "image/jpeg" // pictures are recognised
	_ "image/png"
	"strings"

	"github.com/tidemill/tidemill"
)

// lookAtKinds tells what SQLite's columns hold, which may be anything whatever their types say: a column without a type
// gets that of its values, and one whose values a flow would stop at is no feature.
func (s *survey) lookAtKinds(ctx context.Context, d *database) error {
	for _, c := range s.columns {
		switch c.Kind {
		case tidemill.KindInt, tidemill.KindFloat, tidemill.KindDecimal, tidemill.KindUnknown:
		default:
			continue
		}
		var ints, reals, texts, blobs, infinite int
		query := fmt.Sprintf(`SELECT coalesce(sum(typeof(x) = 'integer'), 0), coalesce(sum(typeof(x) = 'real'), 0), coalesce(sum(typeof(x) = 'text'), 0),
			coalesce(sum(typeof(x) = 'blob'), 0), coalesce(sum(x IN (9e999, -9e999)), 0) FROM (SELECT %s AS x FROM %s LIMIT %d)`, quoting.Name(c.Name), tableSQL(s.table), sample)
		if err := d.db.QueryRowContext(ctx, query).Scan(&ints, &reals, &texts, &blobs, &infinite); err != nil {
			return err
		}
		numbers := ints + reals
		switch {
		case infinite > 0:
			c.odd = "infinite in some rows"
		case numbers > 0 && texts+blobs > 0, texts > 0 && blobs > 0:
			c.odd = "numbers, text or bytes by the row"
		case c.Kind != tidemill.KindUnknown:
			if numbers == 0 && texts+blobs > 0 {
				c.odd = "no numbers, whatever its type says"
			}
		case reals > 0:
			c.Kind = tidemill.KindFloat
		case ints > 0:
			c.Kind = tidemill.KindInt
		case texts > 0:
			c.Kind = tidemill.KindText
		case blobs > 0:
			c.Kind = tidemill.KindBytes
		}
	}
	return nil
}

// lookForInfinity finds the columns of PostgreSQL that hold what no feature takes.
func (s *survey) lookForInfinity(ctx context.Context, d *database) error {
	var list []string
	var of []*surveyed
	for _, c := range s.columns {
		switch c.Kind {
		case tidemill.KindFloat, tidemill.KindDecimal, tidemill.KindTime:
			list = append(list, "count(*) FILTER (WHERE lower("+quoting.Name(c.Name)+"::text) IN ('infinity', '-infinity'))")
			of = append(of, c)
		}
	}
	if len(of) == 0 {
		return nil
	}
	counts, into := make([]int, len(of)), make([]any, len(of))
	for i := range counts {
		into[i] = &counts[i]
	}
	query := fmt.Sprintf("SELECT %s FROM (SELECT * FROM %s LIMIT %d) AS some_rows", strings.Join(list, ", "), tableSQL(s.table), sample)
	if err := d.db.QueryRowContext(ctx, query).Scan(into...); err != nil {
		return err
	}
	for i, c := range of {
		if counts[i] > 0 {
			c.odd = "infinite in some rows"
		}
	}
	return nil
}

// lookForPictures finds the columns of bytes whose values are PNG or JPEG files, and how large they are.
func (s *survey) lookForPictures(ctx context.Context, d *database) error {
	const some = 20 // values
	for _, c := range s.columns {
		if c.Kind != tidemill.KindBytes {
			continue
		}
		name := quoting.Name(c.Name)
		rows, err := d.db.QueryContext(ctx, fmt.Sprintf("SELECT substr(%[1]s, 1, 262144) FROM %[2]s WHERE %[1]s IS NOT NULL LIMIT %[3]d", name, tableSQL(s.table), some))
		if err != nil {
			return err
		}
		var of image.Config
		seen := 0
		for rows.Next() {
			var head []byte
			if err = rows.Scan(&head); err != nil {
				break
			}
			got, _, failed := image.DecodeConfig(bytes.NewReader(head)) // the size stands at the beginning
			if seen++; failed != nil || got.Width < 1 || got.Height < 1 {
				of, seen = image.Config{}, 0
				break
			}
			if seen == 1 {
				of = got
			}
		}
		rows.Close()
		if err == nil {
			err = rows.Err()
		}
		if err != nil {
			return err
		}
		if seen > 0 {
			c.width, c.height = of.Width, of.Height
		}
	}
	return nil
}

// lookForReferences finds the columns that name rows of other tables: their numbers are names.
func (s *survey) lookForReferences(ctx context.Context, d *database) error {
	query, arg := `SELECT "from" FROM pragma_foreign_key_list(?)`, s.table.Name
	if d.kind == "postgres" {
		query = "SELECT a.attname FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) WHERE c.contype = 'f' AND c.conrelid = $1::regclass"
		arg = tableSQL(s.table)
	}
	rows, err := d.db.QueryContext(ctx, query, arg)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		for _, c := range s.columns {
			c.refers = c.refers || strings.EqualFold(c.Name, name)
		}
	}
	return rows.Err()
}
