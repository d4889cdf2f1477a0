package report

import (
	"context"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
)

// Gatherer reads back from a flow's sinks and source what a report draws beside the status. One goroutine uses it.
type Gatherer struct {
	Flow *tidemill.Flow
	// the kinds of sinks that keep answers, as a list in words: for where the flow has none
	Keep string
	Say  func(format string, a ...any) // told of what the report lacks, in a line
}

// recallMost is how many answers of a task a report looks at.
const recallMost = 400000

// Answers are those of every task, the newest first, some with their pictures.
func (g *Gatherer) Answers(ctx context.Context, r *engine.Reader, s *engine.Status) map[string][]Answered {
	answers := map[string][]Answered{}
	for i := range s.Tasks {
		list := g.recall(ctx, s.Tasks[i].Name)
		g.addPictures(ctx, r, &s.Tasks[i], list)
		answers[s.Tasks[i].Name] = list
	}
	return answers
}

// recall is what the first sink that keeps answers has of a task.
func (g *Gatherer) recall(ctx context.Context, task string) []Answered {
	var tried []string
	for _, k := range g.Flow.Sinks {
		p, ok := k.(tidemill.Recaller)
		if !ok {
			continue
		}
		list, err := p.Recall(ctx, task, recallMost)
		if err != nil {
			g.Say("warning: the sink cannot be read, so the report is without its answers: %v", err)
			return nil
		}
		if len(list) == 0 {
			tried = append(tried, "it keeps no answers of task "+task+" yet")
			continue
		}
		out := make([]Answered, len(list))
		for i, x := range list {
			out[i] = Answered{ID: x.ID, Prediction: x.Label, Truth: x.Truth, Score: x.Score, Probabilities: x.Probabilities}
			if !x.Asked.IsZero() && !x.Answered.IsZero() {
				out[i].Delay = x.Answered.Sub(x.Asked)
			}
		}
		return out
	}
	if tried == nil {
		tried = []string{"no sink of the flow keeps answers; " + g.Keep + " do"}
	}
	g.Say("task %s is reported without ROC, calibration and examples: %s", task, strings.Join(tried, "; "))
	return nil
}

// examplesShown is how many right and how many wrong answers get their pictures.
const examplesShown = 24

// addPictures looks the newest right and wrong rows up at the source. A row that is gone is shown without its
// picture, and so are all where the flow has transforms.
func (g *Gatherer) addPictures(ctx context.Context, r *engine.Reader, t *engine.TaskStatus, list []Answered) {
	source, ok := g.Flow.Source.(tidemill.Finder)
	if len(g.Flow.Transforms) > 0 { // the source tells what a transform may hide
		return
	}
	if !ok || t.Picture == nil || len(list) == 0 || !g.byKey(t.Name) {
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
		g.Say("warning: the source cannot be read, so the report is without pictures: %v", err)
		return
	}
	for id, v := range found {
		if grey, err := r.Picture(t.Name, tidemill.Row{t.Picture.Column: v}); err == nil {
			list[at[id]].Picture = grey
		}
	}
}

// byKey is true where a task's ids are the primary key: others cannot be looked up.
func (g *Gatherer) byKey(task string) bool {
	for i := range g.Flow.Tasks {
		if g.Flow.Tasks[i].Name == task {
			t := &g.Flow.Tasks[i]
			return t.Predict.ID == "" && t.Evaluate.ID == "" && len(t.Predict.Also) == 0 && len(t.Evaluate.Also) == 0
		}
	}
	return false
}
