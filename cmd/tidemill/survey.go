package main

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/connector/sqltable"
	"github.com/tidemill/tidemill/expr"
)

// survey is what init sees of a table.
type survey struct {
	table   *tidemill.Table
	rows    int // looked at
	columns []*surveyed
	label   *surveyed
	at      *surveyed // when a row came, and when its answer did; both or none
	later   *surveyed
	id      *surveyed // tells rows apart, where there is no primary key
	others  []string  // tables that might be meant as well
}

type surveyed struct {
	tidemill.Column
	key             bool
	nulls, distinct int
	bytes           int    // of a byte string, where all have the same length
	unix            string // how a number counts from 1970, where it is a time: s or ms
	odd             string // why it is no feature, where that is known early
	refers          bool   // to rows of another table
	width, height   int    // of a picture, where the bytes are PNG or JPEG files
}

// sample is how many rows are looked at.
const sample = 20000

// newSurvey looks at a sample of the table's rows, and guesses.
func newSurvey(ctx context.Context, d *database, t *tidemill.Table, label string) (*survey, error) {
	s := &survey{table: t}
	for i := range t.Columns {
		c := &surveyed{Column: t.Columns[i]}
		if native := strings.ToLower(c.Native); d.kind == "sqlite" && (strings.Contains(native, "date") || strings.Contains(native, "time")) {
			c.Kind = tidemill.KindTime // SQLite has no type of its own for times
		}
		for _, k := range t.Key {
			c.key = c.key || k == i
		}
		s.columns = append(s.columns, c)
	}
	looks := []func(context.Context, *database) error{s.countRows}
	switch d.kind {
	case "sqlite":
		looks = []func(context.Context, *database) error{s.lookAtKinds, s.countSQL, s.lookAtTimes, s.lookForPictures, s.lookForReferences}
	case "postgres":
		looks = []func(context.Context, *database) error{s.countSQL, s.lookAtTimes, s.lookForInfinity, s.lookForPictures, s.lookForReferences}
	}
	for _, look := range looks {
		if err := look(ctx, d); err != nil {
			return nil, err
		}
	}
	if len(t.Key) == 0 && d.kind == "postgres" {
		s.guessID()
	}
	s.guessLabel(label)
	s.guessTimes()
	return s, nil
}

// countSQL has the database count.
func (s *survey) countSQL(ctx context.Context, d *database) error {
	var list []string
	for _, c := range s.columns {
		name := quoting.Name(c.Name)
		distinct := "count(DISTINCT " + name + ")"
		if native := strings.ToLower(c.Native); c.Kind == tidemill.KindBytes || c.Kind == tidemill.KindOther {
			distinct = "0"
		} else if strings.HasPrefix(native, "json") || native == "xml" {
			distinct, c.odd = "0", native
		}
		length := "0"
		if c.Kind == tidemill.KindBytes {
			length = "CASE WHEN min(length(" + name + ")) = max(length(" + name + ")) THEN min(length(" + name + ")) ELSE 0 END"
		}
		list = append(list, "count("+name+")", distinct, "coalesce("+length+", 0)")
	}
	counts := make([]int, 1+len(list))
	into := make([]any, len(counts))
	for i := range counts {
		into[i] = &counts[i]
	}
	query := "SELECT count(*), " + strings.Join(list, ", ") + " FROM (SELECT * FROM " + tableSQL(s.table) + fmt.Sprintf(" LIMIT %d) AS some_rows", sample)
	if err := d.db.QueryRowContext(ctx, query).Scan(into...); err != nil {
		return err
	}
	s.rows = counts[0]
	for i, c := range s.columns {
		c.nulls, c.distinct, c.bytes = s.rows-counts[1+3*i], counts[2+3*i], counts[3+3*i]
	}
	return nil
}

// lookAtTimes tells what the columns hold that may be times without being called so by their type: ISO text, seconds or
// milliseconds since 1970, or, where SQLite's type says that they are times, something that cannot be read.
func (s *survey) lookAtTimes(ctx context.Context, d *database) error {
	for _, c := range s.columns {
		native := strings.ToLower(c.Native)
		text := c.Kind == tidemill.KindText && (d.kind == "sqlite" || strings.HasPrefix(native, "text") || strings.HasPrefix(native, "char") || strings.HasPrefix(native, "varchar"))
		maybe := text || c.Kind == tidemill.KindInt && unixNames.MatchString(c.Name)
		if c.Kind != tidemill.KindTime && !maybe || c.Kind == tidemill.KindTime && d.kind != "sqlite" || c.nulls == s.rows || c.odd != "" {
			continue
		}
		var low, high, kind, other string
		typeOf := "typeof(x)"
		if d.kind == "postgres" {
			if typeOf = "'integer'::text"; text {
				typeOf = "'text'::text"
			}
		}
		query := fmt.Sprintf("SELECT min(x), max(x), min(%[1]s), max(%[1]s) FROM (SELECT %[2]s AS x FROM %[3]s WHERE %[2]s IS NOT NULL LIMIT %[4]d) AS some_rows",
			typeOf, quoting.Name(c.Name), tableSQL(s.table), sample)
		if err := d.db.QueryRowContext(ctx, query).Scan(&low, &high, &kind, &other); err != nil {
			return err
		}
		_, ok1 := expr.ParseTime(low)
		_, ok2 := expr.ParseTime(high)
		from, err1 := strconv.ParseInt(low, 10, 64)
		to, err2 := strconv.ParseInt(high, 10, 64)
		numbers := kind == "integer" && other == "integer" && err1 == nil && err2 == nil
		switch {
		case kind == "text" && other == "text" && ok1 && ok2:
			c.Kind = tidemill.KindTime
		case numbers && from > 1e8 && to < 1e10: // 1973 to 2286
			c.Kind, c.unix = tidemill.KindTime, "s"
		case numbers && from > 1e11 && to < 1e13:
			c.Kind, c.unix = tidemill.KindTime, "ms"
		case maybe:
		default:
			c.odd = "neither ISO text nor seconds or milliseconds since 1970"
		}
	}
	return nil
}

// guessID finds a column that tells rows apart where the table has no primary key.
func (s *survey) guessID() {
	for _, c := range s.columns {
		if (c.Kind == tidemill.KindInt || c.Kind == tidemill.KindText) && s.rows > 1 && c.nulls == 0 && c.distinct == s.rows {
			s.id, c.key = c, true
			return
		}
	}
}

// countRows reads the first rows of a file and counts itself.
func (s *survey) countRows(ctx context.Context, d *database) error {
	seen := make([]map[string]bool, len(s.columns))
	for i := range seen {
		seen[i] = map[string]bool{}
	}
	for batch, err := range d.rows.Changes(ctx, "") {
		if err != nil {
			return err
		}
		for _, c := range batch.Changes {
			if s.rows == sample {
				return nil
			}
			s.rows++
			for i, x := range s.columns {
				if i >= len(c.After) || c.After[i].IsNull() {
					x.nulls++
					continue
				}
				seen[i][c.After[i].String()] = true
				x.distinct = len(seen[i])
			}
		}
		if batch.CaughtUp {
			return nil
		}
	}
	return nil
}

// quoting is the standard's, which every SQL kind here takes.
const quoting = sqltable.Standard

// tableSQL is a table in SQL.
func tableSQL(t *tidemill.Table) string {
	if t.Schema == "" {
		return quoting.Name(t.Name)
	}
	return quoting.Name(t.Schema, t.Name)
}

var (
	labelNames = regexp.MustCompile(`(?i)^(label|target|class|y|outcome|answer|truth|result)$|^(is|was|has)_|(_label|_class|_flag|_outcome|_result)$|churn|fraud|returned|cancel|default(ed)?$|converted|late$|delay|species|survived|won$|^status$|approved|accepted|success|failed`)
	timeNames  = regexp.MustCompile(`(?i)created|inserted|ordered|scheduled|booked|received|opened|asked|^at$|^ts$|^time$|timestamp`)
	unixNames  = regexp.MustCompile(`(?i)(_at|_ts|_time|_on|date|timestamp|^at|^ts|^time|created|updated)$`)
	laterNames = regexp.MustCompile(`(?i)updated|modified|closed|landed|arrived|delivered|finished|ended|paid|answered|resolved|deleted`)
	idNames    = regexp.MustCompile(`(?i)(^|_)(id|uuid|guid|key|no|number|code|hash|token|email|phone)$`)
)

// guessTimes finds the two columns that put rows and answers on one clock. One without the other would compare the rows'
// own times with those of the commits.
func (s *survey) guessTimes() {
	if s.label == nil {
		return
	}
	s.at = s.time(timeNames, 0)
	switch {
	case s.at == nil:
	case s.label.nulls == 0:
		s.later = s.at // a row brings its answer
	default:
		s.later = s.time(laterNames, s.label.nulls)
	}
	if s.later == nil {
		s.at = nil
	}
}

// time is the first column of times that is so often NULL and is named so; where none is, the only one that is so often
// NULL, if there are answers still to come that tell the two apart.
func (s *survey) time(names *regexp.Regexp, nulls int) *surveyed {
	var found []*surveyed
	for _, c := range s.columns {
		if c.Kind != tidemill.KindTime || c.odd != "" || c.nulls != nulls {
			continue
		}
		if names.MatchString(c.Name) {
			return c
		}
		found = append(found, c)
	}
	if len(found) == 1 && s.label.nulls > 0 {
		return found[0]
	}
	return nil
}

// guessLabel takes the named column, or the one that looks most like an answer.
func (s *survey) guessLabel(named string) {
	best := 0.0
	for i, c := range s.columns {
		if c.Name == named {
			s.label = c
			return
		}
		points := c.looksLikeAnswer(s.rows)
		if points > 0 && i == len(s.columns)-1 {
			points += 0.5 // the answer often stands last
		}
		if named == "" && points > best {
			best, s.label = points, c
		}
	}
}

// looksLikeAnswer is higher for columns that are more likely what one wants to predict; 0 for those that cannot be.
func (c *surveyed) looksLikeAnswer(rows int) float64 {
	if c.key || c.refers || c.odd != "" || c.Kind == tidemill.KindBytes || c.Kind == tidemill.KindTime || c.Kind == tidemill.KindOther ||
		idNames.MatchString(c.Name) || rows > 1 && c.distinct < 2 {
		return 0
	}
	if c.Kind == tidemill.KindText && (c.distinct > 50 || rows > 0 && c.distinct > rows/2) {
		return 0
	}
	points := 0.1
	if labelNames.MatchString(c.Name) {
		points += 3
	}
	if c.Kind == tidemill.KindBool || c.distinct == 2 {
		points++
	}
	if c.nulls > 0 && c.nulls < rows {
		points++ // not known yet for some rows
	}
	return points
}

// suits is how well a flow can be made of the table.
func (s *survey) suits() float64 {
	if strings.HasPrefix(s.table.Name, "tidemill_") || s.table.Col("model_version") >= 0 && s.table.Col("prediction") >= 0 {
		return -1 // what a flow has written
	}
	if len(s.table.Key) == 0 && s.id == nil {
		return 0
	}
	points := math.Log10(float64(s.rows + 1))
	if s.label != nil {
		points += s.label.looksLikeAnswer(s.rows) + 2
	}
	return points
}
