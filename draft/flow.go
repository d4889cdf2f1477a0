package draft

import (
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
	"github.com/tidemill/tidemill/terminal"
)

// writer gathers lines.
type writer struct{ strings.Builder }

func (w *writer) line(format string, a ...any) { fmt.Fprintf(w, format+"\n", a...) }

// flow writes the flow file, and says what to do before its first run.
func (s *survey) flow(kind string, place tidemill.Place, schema string) (text, hint string, err error) {
	id := ""
	if s.id != nil {
		id = s.id.name
	}
	setup := place.Setup(s.table, id)
	w := &writer{}
	w.line("# yaml-language-server: $schema=%s", schema)
	w.line("# Written by tidemill init. It guessed by names and values: read it, correct it, then")
	w.line("# tidemill check flow.yaml --connect, and tidemill run flow.yaml.")
	if len(s.others) > 0 {
		for i, l := range terminal.Wrap(strings.Join(s.others, ", "), 80) {
			start := []string{"Other tables with what looks like an answer, for --table: ", "  "}[min(i, 1)]
			w.line("# %s%s", start, l)
		}
	}
	w.line("name: %s", yamlName(setup.Flow))
	w.line("source:")
	w.line("  %s: %s%s", kind, mapping(setup.Source), beside(setup.SourceNote))
	for _, note := range setup.KeyNotes {
		w.line("# %s", note)
	}
	if err := s.task(w, yamlWord(setup.Table)); err != nil {
		return "", "", err
	}
	if setup.Sink != nil {
		w.line("# %s", setup.SinkNote)
		w.line("sinks:")
		w.line("  - %s: %s", kind, mapping(setup.Sink))
	}
	w.line("# REST, metrics and the dashboard:")
	w.line("serve: localhost:8080")
	return w.String(), setup.Hint, nil
}

func beside(note string) string {
	if note == "" {
		return ""
	}
	return " # " + note
}

// task writes the flow's task of a table.
func (s *survey) task(w *writer, table string) error {
	id := ""
	if s.id != nil {
		id = ", id: " + yamlText(expr.QuoteName(s.id.name))
	}
	w.line("tasks:")
	label, model, why := s.answer()
	if label == "" {
		w.line("  # No column looks like an answer: groups of similar rows are learned instead. Name one with " +
			"--label, or by hand:")
		w.line("  # learn: {table: %s, label: \"column > 5\"}", table)
		w.line("  - name: groups")
		w.line("    predict: {on: insert, table: %s%s}", table, id)
		w.line("    learn: {on: [insert, update], table: %s%s}", table, id)
	} else {
		w.line("  - name: %s", yamlName(s.label.name))
		w.line("    # A row that arrives is asked about; it teaches as soon as its answer is not NULL.")
		w.line("    predict: {on: insert, table: %s%s%s}", table, id, atKey(s.at))
		w.line("    learn: {on: [insert, update], table: %s%s%s, label: %q} # %s", table, id, atKey(s.later), label, why)
		if s.label.Nulls > 0 {
			w.line("    wait: 30d # a question without an answer is forgotten then")
		}
	}
	w.line("    # What is not known yet when a row arrives is no feature: it would tell the answer. Take such " +
		"columns out.")
	f := s.choose()
	if f.empty() {
		return s.noFeature()
	}
	s.features(w, f)
	w.line("    model: %s", model)
	if scores := scoresOf[model]; scores != "" {
		w.line("    scores: [%s]", scores)
	}
	if label == "" {
		w.line("    scale: standard # no column outweighs the others by its unit")
	}
	return nil
}

// scoresOf are the scores that say most of a model.
var scoresOf = map[string]string{
	"logistic": "accuracy, auc, logloss, confusion",
	"softmax":  "accuracy, logloss, confusion",
	"linear":   "mae, rmse, r2",
}

// atKey is the key at of a trigger, and how its numbers count.
func atKey(c *surveyed) string {
	switch {
	case c == nil:
		return ""
	case c.Unix != "":
		return ", at: " + yamlWord(c.name) + ", unix: " + c.Unix
	}
	return ", at: " + yamlWord(c.name)
}

// answer is the label's expression, the model that suits it, and why.
func (s *survey) answer() (label, model, why string) {
	c := s.label
	if c == nil {
		return "", "{kmeans: {k: 3}}", ""
	}
	label = expr.QuoteName(c.name)
	switch {
	case c.Kind == tidemill.KindBool || strings.HasPrefix(strings.ToLower(c.native), "bool"):
		return label, "logistic", "true or false"
	case c.Kind == tidemill.KindText:
		return label, "softmax", classes(c.Distinct)
	case c.Kind == tidemill.KindInt && c.Distinct == 2:
		return label, "logistic", "2 classes"
	case c.Kind == tidemill.KindInt && c.Distinct <= 20 && (s.rows == 0 || c.Distinct*5 < s.rows):
		return label, "softmax", classes(c.Distinct)
	}
	return label, "linear", "a number; a comparison makes it yes or no, like \"" + c.name + " > 15\" with model: logistic"
}

func classes(n int) string {
	if n == 0 {
		return "no class is known yet"
	}
	return fmt.Sprintf("%d classes", n)
}
