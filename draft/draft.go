// Package draft writes a first flow file from a database or a file: it looks at the tables, picks one, guesses which
// column is the answer and which ones can be features. The systems themselves say what a place of theirs is and holds.
package draft

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// Options are what Write draws on.
type Options struct {
	Systems Systems
	Schema  string // the address of the flow file's JSON schema, for editors
	Place   string // a URL or a file
	Table   string // "" is the one that suits best
	Label   string // the column that is the answer; "" is a guess
	// Passed is told of tables that cannot be read; nil tells nobody.
	Passed func(table *tidemill.Table, err error)
}

// sample is how many rows of a table are looked at.
const sample = 20000

// Write gives the text of a flow file, and what to do before its first run ("" is nothing). What another name mends is
// a *tidemill.UsageError; other errors are of the system. It may be called from any goroutine.
func Write(ctx context.Context, o Options) (text, hint string, err error) {
	kind, place, err := o.Systems.open(ctx, o.Place, o.Table)
	if err != nil {
		return "", "", err
	}
	defer place.Close()
	found, err := surveys(ctx, place, &o)
	if err != nil {
		return "", "", err
	}
	if len(found) == 0 {
		return "", "", fmt.Errorf("no table of %s can be used", place)
	}
	if o.Label != "" && found[0].label == nil {
		return "", "", noLabel(found[0].table, o.Label)
	}
	var first error
	for _, best := range found {
		best.others = append(best.others, others(found, best)...)
		text, hint, err := best.flow(kind, place, o.Schema)
		if err == nil {
			return text, hint, nil
		}
		if first == nil {
			first = err
		}
	}
	return "", "", first
}

// surveys are those of the tables that could be meant, the one that suits best first.
func surveys(ctx context.Context, place tidemill.Place, o *Options) (found []*survey, err error) {
	for _, t := range place.Tables() {
		seen, err := place.Sample(ctx, t, sample)
		if err != nil {
			if o.Table != "" || ctx.Err() != nil {
				return nil, fmt.Errorf("table %s: %w", t, err)
			}
			if o.Passed != nil {
				o.Passed(t, err)
			}
			continue
		}
		s := newSurvey(t, seen, o.Label)
		if o.Table != "" || s.suits() >= 0 {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(x, y *survey) int { return cmp.Compare(y.suits(), x.suits()) })
	if o.Label != "" && o.Table == "" { // the tables that have it, where one has
		with := slices.DeleteFunc(slices.Clone(found), func(s *survey) bool { return s.label == nil })
		if len(with) > 0 {
			found = with
		}
	}
	return found, nil
}

// others are the further tables that might be meant.
func others(found []*survey, best *survey) (names []string) {
	const most = 12
	for _, s := range found {
		if s != best && s.suits() > 0 && s.label != nil && s.label.looksLikeAnswer(s.rows) >= 1 && len(names) < most {
			names = append(names, s.table.String())
		}
	}
	return names
}

func noLabel(table *tidemill.Table, label string) error {
	var names []string
	for _, c := range table.Columns {
		names = append(names, c.Name)
	}
	mend := "its columns are " + strings.Join(names, ", ")
	if near := expr.Nearest(label, names); near != "" {
		mend = fmt.Sprintf("the nearest is %q", near)
	}
	return mistake("table %s has no column %q; %s", table, label, mend)
}

func mistake(format string, a ...any) error {
	return &tidemill.UsageError{Err: fmt.Errorf(format, a...)}
}
