package sqltable

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

var _ tidemill.Recaller = (*Sink)(nil)

// Recall implements tidemill.Recaller, over a connection of its own. A table that holds no truth gives nothing.
func (s *Sink) Recall(ctx context.Context, task string, limit int) (out []tidemill.Recalled, err error) {
	if !s.c.Truth {
		return nil, nil
	}
	sys := s.c.Reader()
	defer func() { err = errors.Join(err, sys.Close()) }()
	if err := sys.Open(ctx); err != nil {
		return nil, err
	}
	_, err = sys.Query(ctx, s.statements.Recall+" LIMIT "+strconv.Itoa(limit), func(columns []string) error {
		r, err := s.recalled(columns)
		out = append(out, r)
		return err
	}, task)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// recalled reads a row of Statements.Recall.
func (s *Sink) recalled(columns []string) (tidemill.Recalled, error) {
	r := tidemill.Recalled{ID: columns[0], Label: columns[1], Truth: columns[2], Score: math.NaN(),
		Asked: s.c.Dialect.time(columns[5]), Answered: s.c.Dialect.time(columns[6])}
	if x, err := strconv.ParseFloat(columns[3], 64); err == nil {
		r.Score = x
	}
	if p := columns[4]; p != "" && p[0] == '{' {
		if err := json.Unmarshal([]byte(p), &r.Probabilities); err != nil {
			return r, fmt.Errorf("%s, row %s: probabilities: %w", s.c.Where, r.ID, err)
		}
	}
	return r, nil
}

// time reads a time of Statements.Recall, zero where there is none.
func (d *Dialect) time(text string) time.Time {
	if d.ParseTime != nil {
		return d.ParseTime(text)
	}
	micros, ok := expr.ParseTime(text)
	if !ok {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
