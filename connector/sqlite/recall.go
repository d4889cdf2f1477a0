package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	_ tidemill.Recaller = (*Predictions)(nil)
	_ tidemill.Finder   = (*Capture)(nil)
)

// Recall implements tidemill.Recaller. A table that holds no truth gives nothing.
func (p *Predictions) Recall(ctx context.Context, task string, limit int) ([]tidemill.Recalled, error) {
	t := p.table
	if !t.truth {
		return nil, nil
	}
	d, err := look(t.path)
	if err != nil {
		return nil, err
	}
	defer d.close()
	d.watch(ctx)
	var out []tidemill.Recalled
	err = d.retry(ctx, func() error {
		out = nil
		return d.query(fmt.Sprintf(`SELECT id, prediction, truth, score, probabilities, asked_at, answered_at FROM main.%s
			WHERE task=? AND truth IS NOT NULL ORDER BY answered_at DESC LIMIT ?`, quoting.Name(t.name)), func(s *stmt) error {
			r := tidemill.Recalled{ID: s.text(0), Label: s.text(1), Truth: s.text(2), Score: math.NaN(), Asked: timeOf(s.text(5)), Answered: timeOf(s.text(6))}
			if s.kind(3) != sqlite3.SQLITE_NULL {
				r.Score = s.float(3)
			}
			if b := s.raw(4); len(b) > 0 && b[0] == '{' {
				if err := json.Unmarshal(b, &r.Probabilities); err != nil {
					return fmt.Errorf("sqlite: %s: table %s, row %s: probabilities: %w", t.path, t.name, r.ID, err)
				}
			}
			out = append(out, r)
			return nil
		}, task, limit)
	})
	return out, explain(t.path, err)
}

func timeOf(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t
}

// Find implements tidemill.Finder.
func (c *Capture) Find(ctx context.Context, table, column string, ids []string) (map[string]tidemill.Value, error) {
	d, err := look(c.path)
	if err != nil {
		return nil, err
	}
	defer d.close()
	d.watch(ctx)
	found := map[string]tidemill.Value{}
	err = d.retry(ctx, func() error {
		l, err := d.layout(table[strings.LastIndexByte(table, '.')+1:])
		if err != nil {
			return err
		}
		t := l.table()
		if len(t.Key) != 1 || t.Col(column) < 0 {
			return nil
		}
		key := quoting.Name(t.Columns[t.Key[0]].Name)
		for _, id := range ids {
			// The key's affinity turns the text into what the column holds.
			if err := d.query(fmt.Sprintf("SELECT %s FROM main.%s WHERE %s=?", quoting.Name(column), quoting.Name(t.Name), key), func(s *stmt) error {
				found[id] = s.value(0, &slab{}).Clone()
				return nil
			}, id); err != nil {
				return err
			}
		}
		return nil
	})
	return found, explain(c.path, err)
}
