package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/connector/file"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/expr"
)

type evaluateOptions struct {
	data, table, delay string
	format, badLines   string
	columns, nulls     []string
	json               bool
}

func (a *app) evaluateCommand() *cobra.Command {
	var o evaluateOptions
	c := &cobra.Command{
		Use: "evaluate flow.yaml --data rows.csv", Short: "Score a flow over a file, as if its rows came one by one",
		Args: args(1, 1),
		Long: `Plays the rows of a CSV or JSON-lines file back through the flow, from an untrained model: each
row is asked about without what its answer tells, the answer comes later, scores the prediction
that was held and teaches. That is progressive validation (predict, then learn), by the same code
that runs the flow. Nothing is read from the flow's source and nothing written: no sinks, no state.

The answer comes when the flow's clock says so, where both predict and learn have ` + "`at:`" + `; rows are
then played in the order of those times. With --delay n it comes after n further rows, in the
order of the file; 0 and 1 are the same: before the next row is asked about. With --delay 90m it
comes that much after the time of the ask, and with --delay COLUMN when that column says.`,
		Example: "  tidemill evaluate flow.yaml --data flights.csv.gz\n" +
			"  tidemill evaluate flow.yaml --data elec2.csv --delay 48 --json | jq .scores",
		RunE: func(c *cobra.Command, args []string) error {
			return a.evaluate(c.Context(), args[0], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.data, "data", "", "the file: .csv, .tsv, .jsonl, each also with .gz; - is CSV on standard input")
	f.StringVar(&o.table, "table", "", "the table that the rows are of; by default the one that the flow learns from")
	f.StringVar(&o.delay, "delay", "",
		"when the answer comes: after so many rows (48), so much time (90m), or by a column; "+
			"by default the flow's at: columns, or 1 without them")
	f.StringVar(&o.format, "format", "", "csv, tsv or jsonl, where the name does not tell")
	f.StringVar(&o.badLines, "bad-lines", "", "what to do with a line that does not fit: stop (the default) or skip")
	f.StringSliceVar(&o.columns, "columns", nil,
		"kinds of columns: \"zip text,landed_at time\"; by default by their values")
	f.StringSliceVar(&o.nulls, "nulls", nil, "words that mean NULL: NA,?")
	f.BoolVar(&o.json, "json", false, "print one JSON object on the last line of standard output")
	return c
}

// evaluation is the result of evaluate.
type evaluation struct {
	Flow string `json:"flow"`
	Data string `json:"data"`
	// "48 rows", "90m after scheduled_at", or "by scheduled_at and landed_at"
	Delay     string                `json:"delay"`
	Rows      int                   `json:"rows"`
	Learned   uint64                `json:"learned"`
	Predicted uint64                `json:"predicted"`
	Scores    map[string]*float64   `json:"scores"` // of the first task
	Tasks     map[string]taskResult `json:"tasks"`
	Rejected  uint64                `json:"rejected"`
	Skipped   uint64                `json:"skipped_lines,omitempty"`
	Stopped   bool                  `json:"stopped,omitempty"` // by a signal, before the last row
	Seconds   float64               `json:"seconds"`
	PeakRSS   uint64                `json:"peak_rss_bytes"`
}

func (a *app) evaluate(ctx context.Context, path string, o evaluateOptions) error {
	if o.data == "" {
		return usage("name the file with --data")
	}
	f, err := a.readFlow(path)
	if err != nil {
		return err
	}
	flow := f.Flow
	if len(flow.Tasks) == 0 {
		return usage("%s: the flow has no tasks", path)
	}
	if o.table == "" {
		o.table = learnTable(flow.Tasks)
	}
	src, err := newRerun(flow.Tasks, o)
	if err != nil {
		return err
	}
	flow.Source, flow.Sinks, flow.Store, flow.Once, flow.Log = src, nil, nil, true, a.logger()
	if flow.Rejects != nil {
		flow.Rejects = &drop{}
	}
	began := time.Now()
	mill, err := engine.Start(ctx, flow)
	if err == nil {
		p := a.newProgress(mill, o.json || a.log == "json")
		err = mill.Wait()
		p.stop()
	}
	if err != nil {
		return a.placed(f, err)
	}
	s := mill.Status()
	stopped := ctx.Err() != nil
	if src.read == 0 && !stopped {
		return usage("%s has no rows", o.data)
	}
	r := evaluation{Flow: s.Flow, Data: o.data, Delay: src.delayText(), Rows: src.read, Scores: map[string]*float64{},
		Tasks:    map[string]taskResult{},
		Rejected: s.Rejected, Skipped: src.rows.Skipped(), Stopped: stopped, Seconds: time.Since(began).Seconds(),
		PeakRSS: peakRSS()}
	for i := range s.Tasks {
		t := taskResultOf(&s.Tasks[i])
		if src.delay > 0 {
			t.LabelDelay = nil // it is counted in rows
		}
		if i == 0 {
			r.Scores = t.Scores
		}
		r.Learned += t.Learned
		r.Predicted += t.Asked
		r.Tasks[s.Tasks[i].Name] = t
	}
	if o.json {
		err = a.printJSON(r)
	} else {
		_, err = fmt.Fprint(a.out, evaluationText(&r, src, s))
	}
	if err == nil && stopped {
		err = &silent{exitAgain}
	}
	return err
}

// learnTable is the table that the first task which learns learns from.
func learnTable(tasks []tidemill.Task) string {
	for i := range tasks {
		if t := tasks[i].Learn.Table; t != "" {
			return t
		}
	}
	return ""
}

// newRerun bends the tasks' triggers to the rows of one file, and makes the source that plays them.
func newRerun(tasks []tidemill.Task, o evaluateOptions) (*rerun, error) {
	s := &rerun{table: o.table, delay: -1}
	if err := s.readDelay(o.delay); err != nil {
		return nil, err
	}
	times := &timings{clocked: true}
	for i := range tasks {
		t := &tasks[i]
		t.Snapshot = tidemill.SnapshotSkip
		if err := s.suits(t); err != nil {
			return nil, err
		}
		if t.Learn.Label == "" {
			continue // it learns rows as they come
		}
		if err := s.bend(t, times); err != nil {
			return nil, err
		}
	}
	if err := s.schedule(times, o.delay); err != nil {
		return nil, err
	}
	c := file.NewSourceConfig()
	c.Path, c.Format, c.Columns, c.Nulls = o.data, o.format, o.columns, o.nulls
	if o.badLines != "" {
		c.BadLines = o.badLines
	}
	s.schema, c.Table, _ = cutSchema(s.table)
	rows, err := c.Build("evaluate")
	if err != nil {
		return nil, &failure{exitValidation, flagged(err)}
	}
	s.rows = rows.(*file.Reader)
	return s, nil
}

// suits is an error where a task reads more than the file's table.
func (s *rerun) suits(t *tidemill.Task) error {
	if t.Learn.Table == "" {
		return usage("task %s learns nothing: there is nothing to evaluate", t.Name)
	}
	for _, on := range triggers(&t.Predict, &t.Learn, &t.Evaluate) {
		if on.Table != s.table {
			return usage("task %s reads table %s, and the file is of table %s: one file is all that can be played back",
				t.Name, on.Table, s.table)
		}
	}
	for _, f := range t.Features {
		if !looksAt(f, s.table) {
			return usage("task %s: feature %s reads another table than %s: one file is all that can be played back",
				t.Name, f.Describe(), s.table)
		}
	}
	return nil
}

// timings are by what columns a flow asks and is answered; clocked where all have one.
type timings struct {
	asks, answers []timing
	clocked       bool
}

// bend makes a task ask at the inserts and learn at the updates that the rerun plays.
func (s *rerun) bend(t *tidemill.Task, times *timings) error {
	if t.Predict.Table == "" {
		t.Predict = tidemill.On{Table: s.table, At: t.Learn.At, Unix: t.Learn.Unix, ID: t.Learn.ID}
		times.clocked = false
	}
	for _, on := range triggers(&t.Predict) {
		on.Op = tidemill.Insert
		times.clocked = times.clocked && on.At != ""
		times.asks = append(times.asks, timing{on.At, on.Unix})
	}
	for _, on := range triggers(&t.Learn, &t.Evaluate) {
		on.Op = tidemill.Update
		if on == &t.Evaluate {
			on.Op |= tidemill.Insert
		}
		e, err := expr.Parse(on.Label)
		if err != nil {
			return err
		}
		s.labels = append(s.labels, on.Label)
		s.blank = append(s.blank, e.Columns()...)
		times.clocked = times.clocked && on.At != ""
		s.late(timing{on.At, on.Unix}, times.asks)
		switch {
		case s.span > 0:
			on.At, on.Unix = "", ""
		case s.by != "":
			on.At = s.by
			if on.Unix == "" {
				on.Unix = times.asks[len(times.asks)-1].unix
			}
			s.late(timing{on.At, on.Unix}, times.asks)
		}
		times.answers = append(times.answers, timing{on.At, on.Unix})
	}
	return nil
}

// schedule decides when answers come: by the clock, or after so many rows.
func (s *rerun) schedule(times *timings, delay string) error {
	clocked := times.clocked
	if s.span > 0 || s.by != "" {
		s.delay, clocked = -1, len(times.asks) > 0
		for _, x := range times.asks {
			clocked = clocked && x.column != ""
		}
		if !clocked {
			return usage("--delay %s is a matter of time, and the flow asks by none: "+
				"give predict an `at:`, or say a number of rows", delay)
		}
	}
	slices.Sort(s.blank)
	s.blank = slices.Compact(s.blank)
	if s.delay >= 0 {
		return nil
	}
	s.delay = 1
	if !clocked || len(times.asks) == 0 {
		return nil
	}
	s.delay, s.ask, s.answer = 0, times.asks[0], times.answers[0]
	for _, x := range times.asks {
		if x != s.ask {
			return usage("the flow asks by %s and by %s: say how many rows an answer takes with --delay",
				s.ask.column, x.column)
		}
	}
	for _, x := range times.answers {
		if x != s.answer {
			return usage("the flow is answered by %s and by %s: say how many rows an answer takes with --delay",
				s.answer.column, x.column)
		}
	}
	return nil
}

// readDelay reads --delay: rows, a time or a column.
func (s *rerun) readDelay(text string) error {
	n, number := strconv.Atoi(text)
	span, timed := config.ParseDuration(text)
	switch {
	case text == "":
	case number == nil && n >= 0:
		s.delay = max(n, 1)
	case timed && span > 0:
		s.span, s.spanText = span, text
	case number == nil || timed:
		return usage("--delay takes a number of rows, a time such as 90m, or a column, not %q", text)
	default:
		s.by = text
	}
	return nil
}

// late notes a column that only the answer fills in.
func (s *rerun) late(x timing, asks []timing) {
	if x.column != "" && !slices.ContainsFunc(asks, func(a timing) bool { return a.column == x.column }) {
		s.blank = append(s.blank, x.column)
	}
}

// reworded is an error in other words.
type reworded struct {
	text string
	err  error
}

func (e *reworded) Error() string { return e.text }
func (e *reworded) Unwrap() error { return e.err }

// flagged says the file's settings as flags, which its own errors call by the keys of a flow.
func flagged(err error) error {
	text := strings.NewReplacer("say format: ", "say --format ", "file: format: ", "--format ", "file: bad_lines: ",
		"--bad-lines ", "file: columns: ", "--columns ",
		"with bad_lines: skip", "with --bad-lines skip", "declare it under columns: ", "declare it with --columns ",
		"; rename one, or say header: false and name them under columns", "; rename one",
		"; name a file that is there", "; name a file that is there with --data", "is a folder; name a file",
		"is a folder; name a file with --data").Replace(err.Error())
	return &reworded{text, err}
}

// looksAt is false for a window over another table, which would be empty.
func looksAt(f tidemill.Feature, table string) bool {
	t := &tidemill.Table{}
	t.Schema, t.Name, _ = cutSchema(table)
	folds := f.Folds()
	return len(folds) == 0 || slices.ContainsFunc(folds, t.Is)
}

// cutSchema cuts public.flights.
func cutSchema(table string) (schema, name string, ok bool) {
	if schema, name, ok = strings.Cut(table, "."); ok {
		return schema, name, true
	}
	return "", table, false
}

// triggers are the items of several On, those in use.
func triggers(ons ...*tidemill.On) []*tidemill.On {
	var out []*tidemill.On
	for _, on := range ons {
		if on.Table != "" {
			out = append(out, on)
		}
		for i := range on.Also {
			out = append(out, &on.Also[i])
		}
	}
	return out
}

func (s *rerun) delayText() string {
	switch {
	case s.span > 0:
		return s.spanText + " after " + s.ask.column
	case s.delay == 0:
		return "by " + s.ask.column + " and " + s.answer.column
	case s.delay == 1:
		return "1 row"
	}
	return fmt.Sprintf("%d rows", s.delay)
}

// evaluationText is the result for people.
func evaluationText(r *evaluation, src *rerun, s *engine.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s rows, %s answers", r.Data, count(uint64(r.Rows)), count(uint64(src.answers)))
	if src.span > 0 {
		fmt.Fprintf(&b, " (asked by %s, answered %s later)", src.ask.column, src.spanText)
	} else if src.delay == 0 {
		fmt.Fprintf(&b, " (asked by %s, answered by %s)", src.ask.column, src.answer.column)
	} else {
		fmt.Fprintf(&b, ", each after %s", src.delayText())
	}
	fmt.Fprintf(&b, ", in %.2f s\n", r.Seconds)
	if src.timeless > 0 {
		fmt.Fprintf(&b, "%s rows are left out: their %s is NULL or unreadable\n", count(uint64(src.timeless)), src.ask.column)
	}
	if r.Stopped {
		b.WriteString("stopped before the last row: the figures are of the rows up to there\n")
	}
	if r.Skipped > 0 {
		fmt.Fprintf(&b, "%s lines do not fit and are skipped\n", count(r.Skipped))
	}
	if r.Rejected > 0 {
		fmt.Fprintf(&b, "rows that could not be used: %s\n", count(r.Rejected))
	}
	for i := range s.Tasks {
		t := &s.Tasks[i]
		fmt.Fprintf(&b, "\ntask %s: %s\n", t.Name, t.Model)
		c := t.Counts
		fmt.Fprintf(&b, "  %s asked, %s answered, %s open, %s expired, %s learned\n", count(c.Asked), count(c.Answered),
			count(c.Open), count(c.Expired), count(c.Learned))
		scored := false
		for _, x := range t.Scores {
			if x.Phase != tidemill.Stream.String() || x.Value == nil || again(x, t.Scores) {
				continue
			}
			scored = true
			fmt.Fprintf(&b, "  %-12s %.6g", x.Name, *x.Value)
			var names []string
			for name := range x.Baselines {
				names = append(names, name)
			}
			sort.Strings(names)
			for _, name := range names {
				if v := x.Baselines[name]; v != nil {
					fmt.Fprintf(&b, ", %s %.6g", strings.ReplaceAll(name, "_", "-"), *v)
				}
			}
			b.WriteString("\n")
		}
		switch {
		case scored:
		case c.Asked == 0:
			b.WriteString("  nothing is scored: it learns rows as they come, without a label\n")
		default:
			b.WriteString("  nothing is scored: no answer met a prediction\n")
		}
		for _, w := range t.Warnings {
			fmt.Fprintf(&b, "  warning: %s\n", w)
		}
	}
	return b.String()
}

// drop is a sink that keeps nothing.
type drop struct{ mark tidemill.Mark }

func (d *drop) Mark(context.Context, string) (tidemill.Mark, error) {
	return tidemill.Mark{}, errors.ErrUnsupported
}
func (d *drop) Resume(_ context.Context, r tidemill.Resumption) error {
	d.mark.Term = r.Term
	return nil
}
func (d *drop) Write(context.Context, []tidemill.Output) error { return nil }
func (d *drop) Flush(context.Context) (tidemill.Mark, error)   { return d.mark, nil }
func (d *drop) Close() error                                   { return nil }
