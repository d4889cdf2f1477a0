package postgres

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidemill/tidemill"
)

var (
	_ tidemill.Recaller = (*Predictions)(nil)
	_ tidemill.Finder   = (*Capture)(nil)
)

// Recall implements tidemill.Recaller. A table that holds no truth gives nothing.
func (w *Predictions) Recall(ctx context.Context, task string, limit int) ([]tidemill.Recalled, error) {
	t := w.table
	if t.problem != nil || !t.truth {
		return nil, t.problem
	}
	s, err := connect(ctx, t.url, false)
	if err != nil {
		return nil, err
	}
	defer s.shut()
	var out []tidemill.Recalled
	micros := func(column string) string {
		return "CASE WHEN isfinite(" + column + ") THEN (extract(epoch FROM " + column + ") * 1000000)::int8 END"
	}
	r := s.ExecParams(ctx, `SELECT id, coalesce(prediction, ''), truth, score, probabilities, `+micros("asked_at")+`, `+micros("answered_at")+`
		FROM `+t.name.sql()+` WHERE task = $1 AND truth IS NOT NULL ORDER BY answered_at DESC NULLS LAST LIMIT `+strconv.Itoa(limit), [][]byte{text(task)}, nil, nil, nil)
	for r.NextRow() {
		v := r.Values()
		x := tidemill.Recalled{ID: string(v[0]), Label: string(v[1]), Truth: string(v[2]), Score: math.NaN(), Asked: microsOf(v[5]), Answered: microsOf(v[6])}
		if f, err := strconv.ParseFloat(string(v[3]), 64); err == nil {
			x.Score = f
		}
		if len(v[4]) > 0 && v[4][0] == '{' {
			if err := json.Unmarshal(v[4], &x.Probabilities); err != nil {
				return nil, fmt.Errorf("postgres: table %s, row %s: probabilities: %w", t.name, x.ID, err)
			}
		}
		out = append(out, x)
	}
	if _, err := r.Close(); err != nil {
		return nil, fmt.Errorf("postgres: table %s: %w", t.name, err)
	}
	return out, nil
}

func microsOf(b []byte) time.Time {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// Find implements tidemill.Finder.
func (r *Capture) Find(ctx context.Context, table, column string, ids []string) (map[string]tidemill.Value, error) {
	name, err := parseTable(table)
	if err != nil {
		return nil, err
	}
	s, err := connect(ctx, r.url, false)
	if err != nil {
		return nil, err
	}
	defer s.shut()
	info, err := newCatalog(s).info(ctx, name)
	if err != nil || info == nil || len(info.key) != 1 {
		return nil, err
	}
	found := map[string]tidemill.Value{}
	native := ""
	for _, c := range info.columns {
		if c.name == column {
			native = c.native
		}
	}
	if native == "" || len(ids) == 0 {
		return found, nil
	}
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = quoting.Text(id)
	}
	rows, err := s.ask(ctx, `SELECT `+quoting.Name(info.key[0])+`::text, `+quoting.Name(column)+` FROM `+name.sql()+` WHERE `+quoting.Name(info.key[0])+`::text IN (`+strings.Join(list, ", ")+`)`)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		switch hexed, isHex := strings.CutPrefix(string(row[1]), `\x`); {
		case row[1] == nil:
			found[string(row[0])] = tidemill.Null()
		case native == "bytea" && isHex:
			b, err := hex.DecodeString(hexed)
			if err != nil {
				return nil, fmt.Errorf("postgres: table %s, row %s, column %s: %w", name, row[0], column, err)
			}
			found[string(row[0])] = tidemill.Blob(b)
		default:
			found[string(row[0])] = tidemill.Text(string(row[1]))
		}
	}
	return found, nil
}
