package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/serve"
)

func (a *app) reportCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "report [flow.yaml]", Short: "Write one HTML file about what a flow has learned", Args: args(0, 1),
		Long: `Writes one HTML file that needs nothing else: learning curve, scores and confusion from the
flow's newest checkpoint; ROC, precision and recall, calibration, label delay and examples of
right and wrong from what a sink of the flow has kept (sqlite, postgres or file). It takes no
lock: it works also while the flow runs.`,
		Example: "  tidemill report flow.yaml\n  tidemill report flow.yaml -o monday.html",
		RunE: func(c *cobra.Command, args []string) error {
			path := defaultFlow
			if len(args) == 1 {
				path = args[0]
			}
			return a.writeReport(c.Context(), path, out)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "report.html", "the file; - is standard output")
	return c
}

// recallMost is how many answers of a task a report looks at.
const recallMost = 400000

func (a *app) writeReport(ctx context.Context, path, out string) error {
	f, err := a.readFlow(path)
	if err != nil {
		return err
	}
	r, err := engine.Open(ctx, f.Flow)
	if err != nil {
		return a.hint(path, placed(f, err))
	}
	s := r.Status()
	s.Events = slices.DeleteFunc(s.Events, func(e engine.EventStatus) bool { return e.Kind == "resume" }) // of this reader alone
	answers := map[string][]serve.Answered{}
	for i := range s.Tasks {
		list := a.recall(ctx, f, s.Tasks[i].Name)
		a.addPictures(ctx, f, r, &s.Tasks[i], list)
		answers[s.Tasks[i].Name] = list
	}
	var b bytes.Buffer
	if err := serve.Report(&b, s, answers); err != nil {
		return err
	}
	if out == "-" {
		_, err := a.out.Write(b.Bytes())
		return err
	}
	if err := replaceFile(out, b.Bytes()); err != nil {
		return &failure{exitEnvironment, err}
	}
	a.say("%s: %s of %s", out, bytesText(b.Len()), s.Flow)
	return nil
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, data []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = t.Write(data)
	if err == nil {
		err = t.Chmod(0o644)
	}
	if err2 := t.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		os.Remove(t.Name())
	}
	return err
}

func bytesText(n int) string {
	if n < 10<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// recall is what the first sink that keeps answers has of a task.
func (a *app) recall(ctx context.Context, f *config.File, task string) []serve.Answered {
	var tried []string
	for _, k := range f.Flow.Sinks {
		p, ok := k.(tidemill.Recaller)
		if !ok {
			continue
		}
		list, err := p.Recall(ctx, task, recallMost)
		if err != nil {
			a.say("warning: the sink cannot be read, so the report is without its answers: %v", err)
			return nil
		}
		if len(list) == 0 {
			tried = append(tried, "it keeps no answers of task "+task+" yet")
			continue
		}
		out := make([]serve.Answered, len(list))
		for i, x := range list {
			out[i] = serve.Answered{ID: x.ID, Prediction: x.Label, Truth: x.Truth, Score: x.Score, Probabilities: x.Probabilities}
			if !x.Asked.IsZero() && !x.Answered.IsZero() {
				out[i].Delay = x.Answered.Sub(x.Asked)
			}
		}
		return out
	}
	if tried == nil {
		tried = []string{"no sink of the flow keeps answers; sqlite, postgres and file do"}
	}
	a.say("task %s is reported without ROC, calibration and examples: %s", task, strings.Join(tried, "; "))
	return nil
}

// examplesShown is how many right and how many wrong answers get their pictures.
const examplesShown = 24

// addPictures looks the newest right and wrong rows up at the source. A row that is gone is shown without its picture.
func (a *app) addPictures(ctx context.Context, f *config.File, r *engine.Reader, t *engine.TaskStatus, list []serve.Answered) {
	source, ok := f.Flow.Source.(tidemill.Finder)
	if !ok || t.Picture == nil || len(list) == 0 || !byKey(f, t.Name) {
		return
	}
	var ids []string
	at := map[string]int{}
	var n [2]int
	for i := range list {
		side := 0
		if list[i].Prediction == list[i].Truth {
			side = 1
		}
		if _, twice := at[list[i].ID]; n[side] < examplesShown && !twice {
			n[side]++
			at[list[i].ID] = i
			ids = append(ids, list[i].ID)
		}
	}
	found, err := source.Find(ctx, t.Table, t.Picture.Column, ids)
	if err != nil {
		a.say("warning: the source cannot be read, so the report is without pictures: %v", err)
		return
	}
	for id, v := range found {
		if grey, err := r.Picture(t.Name, tidemill.Row{t.Picture.Column: v}); err == nil {
			list[at[id]].Picture = grey
		}
	}
}

// byKey is true where a task's ids are the primary key: others cannot be looked up.
func byKey(f *config.File, task string) bool {
	for i := range f.Flow.Tasks {
		if f.Flow.Tasks[i].Name == task {
			t := &f.Flow.Tasks[i]
			return t.Predict.ID == "" && t.Evaluate.ID == "" && len(t.Predict.Also) == 0 && len(t.Evaluate.Also) == 0
		}
	}
	return false
}
