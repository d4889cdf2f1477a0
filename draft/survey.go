package draft

import (
	"math"
	"regexp"
	"strings"

	"github.com/tidemill/tidemill"
)

// survey is what a table looks like, and what is guessed of it.
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
	tidemill.ColumnSample
	name, native string // of the column and of its type
	key          bool
}

// newSurvey guesses from what was seen of a table's rows.
func newSurvey(t *tidemill.Table, seen *tidemill.Sample, label string) *survey {
	s := &survey{table: t, rows: seen.Rows}
	for i := range t.Columns {
		c := &surveyed{ColumnSample: seen.Columns[i], name: t.Columns[i].Name, native: t.Columns[i].Native}
		for _, k := range t.Key {
			c.key = c.key || k == i
		}
		s.columns = append(s.columns, c)
	}
	if seen.Keyless {
		s.guessID()
	}
	s.guessLabel(label)
	s.guessTimes()
	return s
}

// guessID finds a column that tells rows apart where the table has no primary key.
func (s *survey) guessID() {
	for _, c := range s.columns {
		if (c.Kind == tidemill.KindInt || c.Kind == tidemill.KindText) && s.rows > 1 && c.Nulls == 0 && c.Distinct == s.rows {
			s.id, c.key = c, true
			return
		}
	}
}

var (
	labelNames = regexp.MustCompile(`(?i)^(label|target|class|y|outcome|answer|truth|result)$|^(is|was|has)_|` +
		`(_label|_class|_flag|_outcome|_result)$|churn` +
		`|fraud|returned|cancel|default(ed)?$|converted|late$|delay|species|survived|` +
		`won$|^status$|approved|accepted|success|failed`)
	timeNames = regexp.MustCompile(`(?i)created|inserted|ordered|scheduled|booked|received|` +
		`opened|asked|^at$|^ts$|^time$|timestamp`)
	laterNames = regexp.MustCompile(`(?i)updated|modified|closed|landed|arrived|delivered|finished|ended|paid|` +
		`answered|resolved|deleted`)
	idNames = regexp.MustCompile(`(?i)(^|_)(id|uuid|guid|key|no|number|code|hash|token|email|phone)$`)
)

// guessTimes finds the two columns that put rows and answers on one clock. One without the other would compare the
// rows' own times with those of the commits.
func (s *survey) guessTimes() {
	if s.label == nil {
		return
	}
	s.at = s.time(timeNames, 0)
	switch {
	case s.at == nil:
	case s.label.Nulls == 0:
		s.later = s.at // a row brings its answer
	default:
		s.later = s.time(laterNames, s.label.Nulls)
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
		if c.Kind != tidemill.KindTime || c.Odd != "" || c.Nulls != nulls {
			continue
		}
		if names.MatchString(c.name) {
			return c
		}
		found = append(found, c)
	}
	if len(found) == 1 && s.label.Nulls > 0 {
		return found[0]
	}
	return nil
}

// guessLabel takes the named column, or the one that looks most like an answer.
func (s *survey) guessLabel(named string) {
	best := 0.0
	for i, c := range s.columns {
		if c.name == named {
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
	if c.key || c.Refers || c.Odd != "" || c.Kind == tidemill.KindBytes || c.Kind == tidemill.KindTime ||
		c.Kind == tidemill.KindOther ||
		idNames.MatchString(c.name) || rows > 1 && c.Distinct < 2 {
		return 0
	}
	if c.Kind == tidemill.KindText && (c.Distinct > 50 || rows > 0 && c.Distinct > rows/2) {
		return 0
	}
	points := 0.1
	if labelNames.MatchString(c.name) {
		points += 3
	}
	if c.Kind == tidemill.KindBool || c.Distinct == 2 {
		points++
	}
	if c.Nulls > 0 && c.Nulls < rows {
		points++ // not known yet for some rows
	}
	return points
}

// suits is how well a flow can be made of the table.
func (s *survey) suits() float64 {
	if strings.HasPrefix(s.table.Name, "tidemill_") ||
		s.table.Col("model_version") >= 0 && s.table.Col("prediction") >= 0 {
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
