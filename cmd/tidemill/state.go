package main

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// defaultFlow is the flow file that a command takes when it is given none.
const defaultFlow = "flow.yaml"

func (a *app) stateCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "state [flow.yaml]", Short: "Show what a flow has learned: its newest checkpoint", Args: args(0, 1),
		Long: `Reads the flow's newest checkpoint, without a lock, also while it runs: where it is in the
log, its classes, counts and scores, and the largest weights.`,
		Example: "  tidemill state\n  tidemill state flow.yaml --json | jq .tasks[0].counts",
		RunE: func(c *cobra.Command, args []string) error {
			path := defaultFlow
			if len(args) == 1 {
				path = args[0]
			}
			return a.state(c.Context(), path, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// learner is a flow's state that can be asked: engine.Reader, and a server of another process.
type learner interface {
	Status() *engine.Status
	Predict(task string, r tidemill.Row) (engine.Prediction, error)
}

func (a *app) open(ctx context.Context, path string) (learner, error) {
	f, err := a.readFlow(path)
	if err != nil {
		return nil, err
	}
	r, err := engine.Open(ctx, f.Flow)
	if err != nil {
		return nil, a.placed(f, err)
	}
	return r, nil
}

func (a *app) state(ctx context.Context, path string, asJSON bool) error {
	r, err := a.open(ctx, path)
	if err != nil {
		return err
	}
	s := r.Status()
	if asJSON {
		return a.printJSON(s)
	}
	_, err = fmt.Fprint(a.out, stateText(s))
	return err
}

func stateText(s *engine.Status) string {
	var b strings.Builder
	line := func(name, format string, a ...any) { fmt.Fprintf(&b, "%-12s %s\n", name, fmt.Sprintf(format, a...)) }
	line("flow", "%s", s.Flow)
	line("source", "%s", s.Source)
	line("checkpoint", "%d.%d%s", s.Checkpoint.ID.Term, s.Checkpoint.ID.Seq, savedText(s.Checkpoint.At))
	line("position", "%s", positionText(s.Position))
	if !s.Clock.IsZero() {
		line("clock", "%s", s.Clock.UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	for i := range s.Tasks {
		b.WriteString("\n")
		taskText(&b, &s.Tasks[i])
	}
	return b.String()
}

// savedText is when a checkpoint was saved, where that is known.
func savedText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ", saved " + at.UTC().Format("2006-01-02 15:04:05 UTC")
}

func taskText(b *strings.Builder, t *engine.TaskStatus) {
	line := func(name, format string, a ...any) { fmt.Fprintf(b, "  %-10s %s\n", name, fmt.Sprintf(format, a...)) }
	fmt.Fprintf(b, "task %s\n", t.Name)
	line("model", "%s (%s)", t.Model, t.Kind)
	line("version", "%s", t.Version)
	countsText(line, &t.Counts)
	c := t.Counts
	if c.Asked > 0 && (c.Answered > 0 || t.Kind != "cluster" && t.Kind != "anomaly") { // those wait for no answers
		line("coverage", "%.4g of the questions answered", t.Coverage)
	}
	if t.LabelDelay != nil {
		line("delay", "%s until the answer, in the middle",
			time.Duration(*t.LabelDelay*float64(time.Second)).Round(time.Second))
	}
	if len(t.Classes) > 0 {
		line("classes", "%s", strings.Join(t.Classes, ", "))
	}
	scoreLines(b, t)
	for i, w := range t.Weights {
		if i == 10 {
			break
		}
		name := ""
		if i == 0 {
			name = "weights"
		}
		sign := ""
		if w.Value >= 0 {
			sign = "+"
		}
		line(name, "%s%s %s%s", sign, number(w.Value), w.Name, classText(w.Class))
	}
	for i, centre := range t.Centres {
		name := ""
		if i == 0 {
			name = "centres"
		}
		line(name, "%s", numbers(centre))
	}
	for _, w := range t.Warnings {
		line("warning", "%s", w)
	}
}

// liner writes a line with a name before it.
type liner func(name, format string, a ...any)

func countsText(line liner, c *engine.Counts) {
	line("rows", "%s asked, %s open, %s answered, %s learned", count(c.Asked), count(c.Open), count(c.Answered),
		count(c.Learned))
	line("", "%s corrected, %s unasked, %s expired, %s late, %s rejected", count(c.Corrected), count(c.Unasked),
		count(c.Expired), count(c.Late), count(c.Rejected))
	var more []string
	for _, x := range []struct {
		n    uint64
		word string
	}{{c.Replaced, "replaced"}, {c.Dropped, "dropped"}, {c.Evaluated, "evaluated"},
		{c.Deleted, "learned rows deleted since"}} {
		if x.n > 0 {
			more = append(more, count(x.n)+" "+x.word)
		}
	}
	if len(more) > 0 {
		line("", "%s", strings.Join(more, ", "))
	}
}

func scoreLines(b *strings.Builder, t *engine.TaskStatus) {
	wide := 10
	for _, x := range t.Scores {
		wide = max(wide, len(x.Name))
	}
	for _, x := range t.Scores {
		if again(x, t.Scores) || x.N == 0 || x.Value == nil {
			continue
		}
		text := fmt.Sprintf("%s over %s (%s)", number(*x.Value), count(x.N), x.Phase)
		var names []string
		for name := range x.Baselines {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			if v := x.Baselines[name]; v != nil {
				text += fmt.Sprintf(", %s %s", strings.ReplaceAll(name, "_", "-"), number(*v))
			}
		}
		fmt.Fprintf(b, "  %-*s %s\n", wide, x.Name, text)
	}
}

func classText(class string) string {
	if class == "" {
		return ""
	}
	return " for " + class
}

func numbers(list []float64) string {
	text := make([]string, 0, len(list))
	for i, x := range list {
		if i == 12 {
			text = append(text, "...")
			break
		}
		text = append(text, number(x))
	}
	return "(" + strings.Join(text, ", ") + ")"
}
