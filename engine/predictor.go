package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tidemill/tidemill"
)

// scratch is one call's working memory.
type scratch struct {
	xs    []tidemill.Vector
	enc   encoding
	preds []float64
	row   []tidemill.Value
}

// predictor is what a prediction reads of a task: the task as it stands, under the mill's lock, or a copy of it.
type predictor struct {
	task     string
	features []tidemill.Feature
	learner  *learner
	triggers *triggers
	clock    *clock
	version  tidemill.Version
}

// predictor is t as predictions read it.
func (t *task) predictor() predictor {
	return predictor{task: t.spec.Name, features: t.spec.Features, learner: t.learner, triggers: t.triggers,
		clock: &t.clock, version: t.version()}
}

// predictRows answers rows; an error is that of the row that it names.
func (p *predictor) predictRows(out []Prediction, rows []tidemill.Row, s *scratch,
	through tidemill.Position) (int, error) {
	for len(s.xs) < len(rows) {
		s.xs = append(s.xs, tidemill.Vector{})
	}
	for i, r := range rows {
		if err := p.readRow(&s.xs[i], &out[i], r, s); err != nil {
			return i, err
		}
	}
	var width int
	s.preds, width = p.learner.predictAll(s.preds[:0], s.xs[:len(rows)], &s.enc)
	version := p.version.String()
	for i := range rows {
		to := &out[i]
		pred := s.preds[i*width : (i+1)*width]
		if len(pred) == 0 || pred[0] != pred[0] {
			return i, fmt.Errorf("task %s: %w", p.task, tidemill.ErrNotReady)
		}
		p.complete(to, pred)
		to.Version, to.Through = version, through
		if p.clock.started {
			to.ThroughTime = clockTime(p.clock.now)
		}
	}
	return 0, nil
}

// readRow makes a row into the vector that the features give, and notes what is missing.
func (p *predictor) readRow(x *tidemill.Vector, to *Prediction, r tidemill.Row, s *scratch) error {
	tables := p.triggers.asked()
	if len(tables) == 0 {
		return fmt.Errorf("task %s: no row of its table has been seen: %w", p.task, tidemill.ErrNotReady)
	}
	table := tables[0]
	tt := p.triggers.tables[table]
	if tt == nil || !tt.asks {
		return fmt.Errorf("task %s: %w", p.task, tidemill.ErrNotReady)
	}
	s.row = slices.Grow(s.row[:0], len(table.Columns))[:len(table.Columns)]
	for i := range s.row {
		s.row[i] = tidemill.Null()
	}
	for name, v := range r {
		k := table.Col(name)
		if k < 0 {
			return &tidemill.RowError{Table: table.String(), Column: name, Reason: noColumn(table, name)}
		}
		val, err := ValueOf(v, table.Columns[k])
		if err != nil {
			return &tidemill.RowError{Table: table.String(), Column: name, Reason: err.Error()}
		}
		s.row[k] = val
	}
	to.Missing = []string{}
	for _, name := range p.triggers.featureColumns(table) {
		if _, ok := r[name]; !ok {
			to.Missing = append(to.Missing, name)
		}
	}
	c := tidemill.Change{Op: tidemill.Read, Table: table, After: s.row}
	x.Reset()
	return appendFeatures(x, p.features, &c, p.clock.now)
}

// complete writes a prediction down for people.
func (p *predictor) complete(to *Prediction, pred []float64) {
	label, score := p.learner.labelOf(pred, p.learner.decide(pred))
	to.Label, to.Score = label, figure(score)
	if p.learner.kind != tidemill.Classify {
		to.Values = slices.Clone(pred)
		return
	}
	to.Probabilities = make(map[string]float64, len(pred))
	for k, v := range pred {
		if k < len(p.learner.classes.labels) {
			to.Probabilities[p.learner.classes.labels[k]] = v
		}
	}
}

// appendFeatures appends the features of c's row, as of just before c.
func appendFeatures(dst *tidemill.Vector, features []tidemill.Feature, c *tidemill.Change, at int64) error {
	for _, f := range features {
		if err := f.Append(dst, c, at); err != nil {
			var re *tidemill.RowError
			if errors.As(err, &re) {
				return err
			}
			return &tidemill.RowError{Reason: err.Error()}
		}
	}
	return nil
}

func newPool() *sync.Pool { return &sync.Pool{New: func() any { return new(scratch) }} }
