package main

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/tidemill/tidemill"
)

// survey is what init sees of a table.
type survey struct {
	table   *tidemill.Table
	rows    int // looked at
	columns []*surveyed
	label   *surveyed
	at      *surveyed // when a row came, and when its answer did; both or none
	later   *surveyed
}

type surveyed struct {
	tidemill.Column
	key             bool
	nulls, distinct int
	bytes           int // of a byte string, where all have the same length
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
	count := s.countSQL
	if d.db == nil {
		count = s.countRows
	}
	if err := count(ctx, d); err != nil {
		return nil, err
	}
	s.guessLabel(label)
	s.guessTimes()
	return s, nil
}

// countSQL has the database count.
func (s *survey) countSQL(ctx context.Context, d *database) error {
	t := s.table
	var list []string
	for _, c := range s.columns {
		name := quoteSQL(c.Name)
		distinct := "count(DISTINCT " + name + ")"
		if c.Kind == tidemill.KindBytes || c.Kind == tidemill.KindOther || strings.HasPrefix(c.Native, "json") || c.Native == "xml" {
			distinct = "0"
		}
		length := "0"
		if c.Kind == tidemill.KindBytes {
			length = "CASE WHEN min(length(" + name + ")) = max(length(" + name + ")) THEN min(length(" + name + ")) ELSE 0 END"
		}
		list = append(list, "count("+name+")", distinct, "coalesce("+length+", 0)")
	}
	from := quoteSQL(t.Name)
	if t.Schema != "" {
		from = quoteSQL(t.Schema) + "." + from
	}
	counts := make([]int, 1+len(list))
	into := make([]any, len(counts))
	for i := range counts {
		into[i] = &counts[i]
	}
	query := "SELECT count(*), " + strings.Join(list, ", ") + " FROM (SELECT * FROM " + from + fmt.Sprintf(" LIMIT %d) AS some_rows", sample)
	if err := d.db.QueryRowContext(ctx, query).Scan(into...); err != nil {
		return err
	}
	s.rows = counts[0]
	for i, c := range s.columns {
		c.nulls, c.distinct, c.bytes = s.rows-counts[1+3*i], counts[2+3*i], counts[3+3*i]
	}
	return nil
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

func quoteSQL(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

var (
	labelNames = regexp.MustCompile(`(?i)^(label|target|class|y|outcome|answer|truth|result)$|^(is|was|has)_|(_label|_class|_flag|_outcome|_result)$|churn|fraud|returned|cancel|default(ed)?$|converted|late$|delay|species|survived|won$`)
	timeNames  = regexp.MustCompile(`(?i)created|inserted|ordered|scheduled|booked|received|opened|asked|^at$|^ts$|^time$|timestamp`)
	laterNames = regexp.MustCompile(`(?i)updated|modified|closed|landed|arrived|delivered|finished|ended|paid|answered|resolved|deleted`)
	idNames    = regexp.MustCompile(`(?i)(^|_)(id|uuid|guid|key|no|number|code|hash|token|email|phone)$`)
)

// guessTimes finds the two columns that put rows and answers on one clock. One without the other would compare the rows'
// own times with those of the commits.
func (s *survey) guessTimes() {
	for _, c := range s.columns {
		if c.Kind == tidemill.KindTime && c.nulls == 0 && s.at == nil && timeNames.MatchString(c.Name) {
			s.at = c
		}
	}
	if s.at == nil || s.label == nil {
		s.at = nil
		return
	}
	if s.label.nulls == 0 {
		s.later = s.at // a row brings its answer
		return
	}
	for _, c := range s.columns {
		if c.Kind == tidemill.KindTime && c.nulls == s.label.nulls && s.later == nil && laterNames.MatchString(c.Name) {
			s.later = c
		}
	}
	if s.later == nil {
		s.at = nil
	}
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
	if c.key || c.Kind == tidemill.KindBytes || c.Kind == tidemill.KindTime || c.Kind == tidemill.KindOther ||
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
	if len(s.table.Key) == 0 || strings.HasPrefix(s.table.Name, "tidemill_") {
		return -1
	}
	points := math.Log10(float64(s.rows + 1))
	if s.label != nil {
		points += s.label.looksLikeAnswer(s.rows) + 2
	}
	return points
}

// flow writes the flow file.
func (s *survey) flow(d *database) string {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	table := s.table.Name
	if s.table.Schema != "" && s.table.Schema != "public" {
		table = s.table.String()
	}
	line("# Written by tidemill init. It guessed by names and values: read it, correct it, then")
	line("# tidemill check flow.yaml --connect, and tidemill run flow.yaml.")
	name := d.name + "-" + s.table.Name
	if d.kind == "file" {
		name = s.table.Name
	}
	line("name: %s", nameOf(name))
	line("source:")
	if d.kind == "file" {
		line("  file: {%s, snapshot: true} # the rows that are there; follow: true waits for more", d.source)
	} else {
		line("  %s: {%s, tables: [%s]}", d.kind, d.source, yamlWord(table))
	}
	if len(s.table.Key) == 0 {
		line("# The table has no primary key: a flow needs one to join questions and answers, or id: in predict and learn.")
	}
	line("tasks:")
	label, model, why := s.answer()
	if label == "" {
		line("  # No column looks like an answer: groups of similar rows are learned instead. Name one with --label, or by hand:")
		line("  # learn: {table: %s, label: \"column > 5\"}", yamlWord(table))
		line("  - name: groups")
		line("    predict: {on: insert, table: %s}", yamlWord(table))
		line("    learn: {on: [insert, update], table: %s}", yamlWord(table))
	} else {
		line("  - name: %s", nameOf(s.label.Name))
		at, later := "", ""
		if s.at != nil {
			at, later = ", at: "+yamlWord(s.at.Name), ", at: "+yamlWord(s.later.Name)
		}
		line("    # A row that arrives is asked about; it teaches as soon as its answer is not NULL.")
		line("    predict: {on: insert, table: %s%s}", yamlWord(table), at)
		line("    learn: {on: [insert, update], table: %s%s, label: %q} # %s", yamlWord(table), later, label, why)
		if s.label.nulls > 0 {
			line("    wait: 30d # a question without an answer is forgotten then")
		}
	}
	line("    # What is not known yet when a row arrives is no feature: it would tell the answer. Take such columns out.")
	s.features(line)
	line("    model: %s", model)
	if d.kind == "file" {
		line("# Predictions are written here.")
		line("sinks:")
		line("  - file: {%s}", d.sink)
	} else {
		line("# Predictions are written here, one row for each task and id; the table is made on the first run.")
		line("sinks:")
		line("  - %s: {%s, table: predictions}", d.kind, d.sink)
	}
	line("# REST, metrics and the dashboard:")
	line("serve: localhost:8080")
	return b.String()
}

// answer is the label's expression, the model that suits it, and why.
func (s *survey) answer() (label, model, why string) {
	c := s.label
	if c == nil {
		return "", "{kmeans: {k: 3}}", ""
	}
	label = quoteExpr(c.Name)
	switch {
	case c.Kind == tidemill.KindBool:
		return label, "logistic", "true or false"
	case c.Kind == tidemill.KindText:
		return label, "softmax", fmt.Sprintf("%d classes", c.distinct)
	case c.Kind == tidemill.KindInt && c.distinct == 2:
		return label, "logistic", "2 classes"
	case c.Kind == tidemill.KindInt && c.distinct <= 20 && (s.rows == 0 || c.distinct*5 < s.rows):
		return label, "softmax", fmt.Sprintf("%d classes", c.distinct)
	}
	return label, "linear", "a number; a comparison makes it yes or no, like \"" + c.Name + " > 15\" with model: logistic"
}

func (s *survey) features(line func(string, ...any)) {
	var numeric, boolean, onehot []string
	var pictures, left []string
	for _, c := range s.columns {
		name := yamlWord(c.Name)
		switch {
		case c == s.label:
		case c.key:
			left = append(left, c.Name+" (key)")
		case s.rows > 1 && c.distinct < 2 && c.Kind != tidemill.KindBytes && c.Kind != tidemill.KindOther:
			left = append(left, c.Name+" (always the same)")
		case c.Kind == tidemill.KindTime:
			if c != s.at && c != s.later {
				left = append(left, c.Name+" (time)")
			}
		case s.label != nil && s.label.nulls > 0 && c.nulls >= s.label.nulls && c.nulls > 0 || laterNames.MatchString(c.Name):
			left = append(left, c.Name+" (filled in later?)")
		case c.Kind == tidemill.KindBytes:
			if side := int(math.Sqrt(float64(c.bytes))); c.bytes >= 64 && side*side == c.bytes {
				pictures = append(pictures, fmt.Sprintf("{column: %s, width: %d, height: %d}", name, side, side))
			} else {
				left = append(left, c.Name+" (bytes)")
			}
		case c.Kind == tidemill.KindBool:
			boolean = append(boolean, name)
		case c.Kind == tidemill.KindText || idNames.MatchString(c.Name):
			if c.distinct > 1000 || s.rows >= 20 && c.distinct > s.rows/2 {
				left = append(left, c.Name+" (too many values)")
			} else {
				onehot = append(onehot, name)
			}
		case c.Kind == tidemill.KindInt || c.Kind == tidemill.KindFloat || c.Kind == tidemill.KindDecimal:
			numeric = append(numeric, name)
		default:
			left = append(left, c.Name+" ("+c.Native+")")
		}
	}
	if len(numeric)+len(boolean)+len(onehot)+len(pictures) == 0 {
		line("    # No column looks like a feature; name at least one.")
		line("    features: [{numeric: [%s]}]", yamlWord(s.columns[0].Name))
		return
	}
	line("    features:")
	for _, f := range []struct {
		kind string
		cols []string
	}{{"numeric", numeric}, {"boolean", boolean}, {"onehot", onehot}} {
		if len(f.cols) > 0 {
			line("      - %s: [%s]", f.kind, strings.Join(f.cols, ", "))
		}
	}
	for _, p := range pictures {
		line("      - pixels: %s", p)
	}
	if len(left) > 0 {
		line("      # left out: %s", strings.ReplaceAll(strings.Join(left, ", "), "\n", " "))
	}
}

var (
	notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
	plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
)

// nameOf makes a name for a flow or a task.
func nameOf(s string) string {
	s = strings.Trim(notInName.ReplaceAllString(s, "-"), "-_")
	if len(s) > 60 {
		s = s[:60]
	}
	if s == "" {
		return "flow"
	}
	return s
}

func yamlWord(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return yamlText(s)
	}
	if plainWord.MatchString(s) {
		return s
	}
	return yamlText(s)
}

// quoteExpr is a column's name in an expression.
func quoteExpr(name string) string {
	if e, err := tidemill.ParseExpr(name); err == nil {
		if c := e.Columns(); len(c) == 1 && c[0] == name && e.String() == name {
			return name
		}
	}
	return quoteSQL(name)
}
