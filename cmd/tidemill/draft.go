package main

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/expr"
)

// flow writes the flow file.
func (s *survey) flow(d *database) (string, error) {
	var b strings.Builder
	line := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	table := s.table.Name
	if s.table.Schema != "" && s.table.Schema != "public" {
		table = s.table.String()
	}
	line("# yaml-language-server: $schema=%s", config.SchemaID)
	line("# Written by tidemill init. It guessed by names and values: read it, correct it, then")
	line("# tidemill check flow.yaml --connect, and tidemill run flow.yaml.")
	if len(s.others) > 0 {
		for i, l := range wrap(strings.Join(s.others, ", "), 80) {
			line("# %s%s", []string{"Other tables with what looks like an answer, for --table: ", "  "}[min(i, 1)], l)
		}
	}
	name := d.name + "-" + s.table.Name
	if d.kind == "postgres" {
		name = d.name + "-" + table // two schemas may have a table of one name
	}
	if d.kind == "file" {
		name = s.table.Name
	}
	line("name: %s", yamlName(name))
	line("source:")
	if d.kind == "file" {
		line("  file: {%s, snapshot: true} # the rows that are there; follow: true waits for more", d.source)
	} else {
		line("  %s: {%s, tables: [%s]}", d.kind, d.source, yamlWord(table))
	}
	id := s.identity(d, line)
	line("tasks:")
	label, model, why := s.answer()
	if label == "" {
		line("  # No column looks like an answer: groups of similar rows are learned instead. Name one with --label, or by hand:")
		line("  # learn: {table: %s, label: \"column > 5\"}", yamlWord(table))
		line("  - name: groups")
		line("    predict: {on: insert, table: %s%s}", yamlWord(table), id)
		line("    learn: {on: [insert, update], table: %s%s}", yamlWord(table), id)
	} else {
		line("  - name: %s", yamlName(s.label.Name))
		line("    # A row that arrives is asked about; it teaches as soon as its answer is not NULL.")
		line("    predict: {on: insert, table: %s%s%s}", yamlWord(table), id, atKey(s.at))
		line("    learn: {on: [insert, update], table: %s%s%s, label: %q} # %s", yamlWord(table), id, atKey(s.later), label, why)
		if s.label.nulls > 0 {
			line("    wait: 30d # a question without an answer is forgotten then")
		}
	}
	line("    # What is not known yet when a row arrives is no feature: it would tell the answer. Take such columns out.")
	if err := s.features(line); err != nil {
		return "", err
	}
	line("    model: %s", model)
	if scores := map[string]string{"logistic": "accuracy, auc, logloss, confusion", "softmax": "accuracy, logloss, confusion", "linear": "mae, rmse, r2"}[model]; scores != "" {
		line("    scores: [%s]", scores)
	}
	if label == "" {
		line("    scale: standard # no column outweighs the others by its unit")
	}
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
	return b.String(), nil
}

// identity says what a table without a primary key needs, and gives the key `id:` where a column will do.
func (s *survey) identity(d *database, line func(string, ...any)) string {
	if len(s.table.Key) > 0 || d.kind == "file" {
		return ""
	}
	if d.kind == "sqlite" {
		line("# The table has no primary key: rows are told apart by their rowid, which VACUUM may change.")
		return ""
	}
	table := tableSQL(s.table)
	if s.id == nil {
		line("# The table has no primary key, and a flow needs one to join questions and answers. What mends it:")
		line("#   ALTER TABLE %s ADD COLUMN id bigserial PRIMARY KEY;", table)
		return ""
	}
	line("# The table has no primary key: rows are told apart by %s, which has no value twice. Its updates are in the log with", s.id.Name)
	line("#   ALTER TABLE %s ADD PRIMARY KEY (%s);", table, quoting.Name(s.id.Name))
	return fmt.Sprintf(", id: %s", yamlText(expr.QuoteName(s.id.Name)))
}

// atKey is the key at of a trigger, and how its numbers count.
func atKey(c *surveyed) string {
	switch {
	case c == nil:
		return ""
	case c.unix != "":
		return ", at: " + yamlWord(c.Name) + ", unix: " + c.unix
	}
	return ", at: " + yamlWord(c.Name)
}

// answer is the label's expression, the model that suits it, and why.
func (s *survey) answer() (label, model, why string) {
	c := s.label
	if c == nil {
		return "", "{kmeans: {k: 3}}", ""
	}
	label = expr.QuoteName(c.Name)
	switch {
	case c.Kind == tidemill.KindBool || strings.HasPrefix(strings.ToLower(c.Native), "bool"):
		return label, "logistic", "true or false"
	case c.Kind == tidemill.KindText:
		return label, "softmax", classes(c.distinct)
	case c.Kind == tidemill.KindInt && c.distinct == 2:
		return label, "logistic", "2 classes"
	case c.Kind == tidemill.KindInt && c.distinct <= 20 && (s.rows == 0 || c.distinct*5 < s.rows):
		return label, "softmax", classes(c.distinct)
	}
	return label, "linear", "a number; a comparison makes it yes or no, like \"" + c.Name + " > 15\" with model: logistic"
}

func classes(n int) string {
	if n == 0 {
		return "no class is known yet"
	}
	return fmt.Sprintf("%d classes", n)
}

// features writes the features. It is an error if no column can be one.
func (s *survey) features(line func(string, ...any)) error {
	var numeric, boolean, onehot, words []string
	var pictures, files, reasons []string
	var keys []*surveyed          // of a key of several columns
	left := map[string][]string{} // by reason
	leave := func(c *surveyed, reason string) {
		if left[reason] == nil {
			reasons = append(reasons, reason)
		}
		left[reason] = append(left[reason], strings.ReplaceAll(c.Name, "\n", " "))
	}
	for _, c := range s.columns {
		name := yamlWord(c.Name)
		switch {
		case c == s.label:
		case c.key:
			if len(s.table.Key) > 1 && c.Kind != tidemill.KindTime && c.distinct > 1 && c.distinct <= min(1000, s.rows/2) && s.label != nil {
				keys = append(keys, c)
			} else {
				leave(c, "key")
			}
		case c.odd != "":
			leave(c, c.odd)
		case s.rows > 1 && c.distinct < 2 && !(c.Kind == tidemill.KindText && c.distinct == 1 && c.nulls > 0) && c.Kind != tidemill.KindBytes && c.Kind != tidemill.KindOther:
			leave(c, "always the same")
		case c.Kind == tidemill.KindTime:
			if c != s.at && c != s.later {
				leave(c, "time")
			}
		case s.label != nil && s.label.nulls > 0 && c.nulls >= s.label.nulls && c.nulls > 0 || laterNames.MatchString(c.Name):
			leave(c, "filled in later?")
		case c.Kind == tidemill.KindBytes:
			if c.width > 0 {
				w, h := shrunk(c.width, c.height)
				files = append(files, fmt.Sprintf("{column: %s, width: %d, height: %d} # of %d x %d pixels", name, w, h, c.width, c.height))
			} else if side := int(math.Sqrt(float64(c.bytes))); c.bytes >= 64 && side*side == c.bytes {
				pictures = append(pictures, fmt.Sprintf("{column: %s, width: %d, height: %d}", name, side, side))
			} else {
				leave(c, "bytes")
			}
		case c.Kind == tidemill.KindBool:
			boolean = append(boolean, name)
		case c.Kind == tidemill.KindText || c.refers || idNames.MatchString(c.Name):
			switch {
			case s.label == nil:
				leave(c, "text: groups are of numbers")
			case c.distinct > 1000 || s.rows >= 20 && c.distinct > s.rows/2:
				leave(c, "too many values")
				if c.Kind == tidemill.KindText {
					words = append(words, name)
				}
			default:
				onehot = append(onehot, name)
			}
		case c.Kind == tidemill.KindInt || c.Kind == tidemill.KindFloat || c.Kind == tidemill.KindDecimal:
			numeric = append(numeric, name)
		default:
			leave(c, c.Native)
		}
	}
	alone := len(numeric)+len(boolean)+len(onehot)+len(pictures)+len(files)+len(words) == 0
	for _, c := range keys {
		if alone {
			onehot = append(onehot, yamlWord(c.Name)) // better than nothing
		} else {
			leave(c, "key")
		}
	}
	if len(numeric)+len(boolean)+len(onehot)+len(pictures)+len(files)+len(words) == 0 {
		var names []string
		for _, c := range s.columns {
			names = append(names, c.Name)
		}
		return usage("table %s has no column that can be a feature (%s): a flow needs at least one number, boolean, category or picture beside the key and the answer; name another table with --table",
			s.table, strings.Join(names, ", "))
	}
	line("    features:")
	for _, f := range []struct {
		kind string
		cols []string
	}{{"numeric", numeric}, {"boolean", boolean}, {"onehot", onehot}} {
		if len(f.cols) > 0 {
			start := "      - " + f.kind + ": ["
			line("%s%s]", start, broken(f.cols, len(start)))
		}
	}
	for _, p := range pictures {
		line("      - pixels: %s", p)
	}
	for _, p := range files {
		line("      - image: %s", p)
	}
	if s.at != nil && s.at.distinct > 1 {
		parts, unix := "[weekday, hour]", ""
		if s.at.Native == "date" {
			parts = "[month, weekday]"
		}
		if s.at.unix != "" {
			unix = ", unix: " + s.at.unix
		}
		line("      - time: {column: %s, parts: %s, circle: true%s}", yamlWord(s.at.Name), parts, unix)
	}
	if len(numeric)+len(boolean)+len(onehot)+len(pictures)+len(files) == 0 {
		for _, w := range words {
			line("      - text: %s # its words", w)
		}
	}
	var text []string
	for _, reason := range reasons {
		text = append(text, strings.Join(left[reason], ", ")+" ("+reason+")")
	}
	if len(text) > 0 {
		for i, l := range wrap("left out: "+strings.Join(text, "; "), 100) {
			line("      # %s%s", []string{"", "  "}[min(i, 1)], l)
		}
	}
	return nil
}

// shrunk is the size that pictures are brought to: their own where it is small.
func shrunk(width, height int) (int, int) {
	const side = 32
	if long := max(width, height); long > side {
		width, height = max(1, (width*side+long/2)/long), max(1, (height*side+long/2)/long)
	}
	return width, height
}

// broken joins the words of a YAML list, with lines that are not too long.
func broken(list []string, indent int) string {
	var b strings.Builder
	at := indent
	for i, w := range list {
		if i > 0 {
			b.WriteString(",")
			if at+len(w) > 105 {
				b.WriteString("\n" + strings.Repeat(" ", indent))
				at = indent
			} else {
				b.WriteString(" ")
				at += 2
			}
		}
		b.WriteString(w)
		at += len(w)
	}
	return b.String()
}

var (
	notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
	notWords  = regexp.MustCompile(`(?i)^([0-9.+_-]|(true|false|null|yes|no|on|off|y|n)$)`)
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

// yamlName is nameOf as YAML takes it for text.
func yamlName(s string) string {
	s = nameOf(s)
	if w := yamlWord(s); w == s || notWords.MatchString(s) {
		return w
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
