package engine

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/expr"
)

// scratch is one call's working memory.
type scratch struct {
	xs    []tidemill.Vector
	enc   encoding
	preds []float64
	row   []tidemill.Value
}

// turnRows is how many rows are predicted under one holding of the lock.
const turnRows = 64

// Predict answers for one row by column name with the model as it stands: never held, scored or written. A column that
// is absent is NULL and listed in Missing; one that the table does not have is an error. Any goroutine.
func (m *Mill) Predict(task string, row tidemill.Row) (Prediction, error) {
	out, err := m.PredictBatch(task, []tidemill.Row{row})
	if err != nil {
		return Prediction{}, err
	}
	return out[0], nil
}

// PredictBatch is Predict of several rows. The lock is held for 64 of them at a time: while the flow learns, rows that are
// further apart may be answered by different versions of the model, and each says by which.
func (m *Mill) PredictBatch(task string, rows []tidemill.Row) ([]Prediction, error) {
	t, err := m.task(task)
	if err != nil {
		return nil, err
	}
	out := make([]Prediction, len(rows))
	s := m.pool.Get().(*scratch)
	defer m.pool.Put(s)
	for from := 0; from < len(rows); from += turnRows {
		n := min(turnRows, len(rows)-from)
		if at, err := m.predictTurn(t, out[from:from+n], rows[from:from+n], s); err != nil {
			if len(rows) > 1 {
				return nil, fmt.Errorf("row %d: %w", from+at, err)
			}
			return nil, err
		}
	}
	return out, nil
}

// predictTurn answers rows by one model; an error is that of the row that it names.
func (m *Mill) predictTurn(t *taskState, out []Prediction, rows []tidemill.Row, s *scratch) (int, error) {
	if !m.mu.TryRLock() {
		if c := t.shown.look(); c != nil {
			defer c.done()
			return c.task.predictRows(out, rows, s, c.through)
		}
		m.pressed.Store(true)
		m.mu.RLock()
	}
	defer m.mu.RUnlock()
	return t.predictRows(out, rows, s, m.figures.through())
}

func (t *taskState) predictRows(out []Prediction, rows []tidemill.Row, s *scratch, through tidemill.Position) (int, error) {
	for len(s.xs) < len(rows) {
		s.xs = append(s.xs, tidemill.Vector{})
	}
	for i, r := range rows {
		if err := t.readRow(&s.xs[i], &out[i], r, s); err != nil {
			return i, err
		}
	}
	var width int
	s.preds, width = t.learner.predictAll(s.preds[:0], s.xs[:len(rows)], &s.enc)
	version := t.version().String()
	for i := range rows {
		p := &out[i]
		pred := s.preds[i*width : (i+1)*width]
		if len(pred) == 0 || pred[0] != pred[0] {
			return i, fmt.Errorf("task %s: %w", t.spec.Name, tidemill.ErrNotReady)
		}
		t.tell(p, pred)
		p.Version, p.Through = version, through
		if t.started {
			p.ThroughTime = clockTime(t.clock)
		}
	}
	return 0, nil
}

func newPool() *sync.Pool { return &sync.Pool{New: func() any { return new(scratch) }} }

func (m *Mill) task(name string) (*taskState, error) {
	for _, t := range m.tasks {
		if t.spec.Name == name {
			return t, nil
		}
	}
	if near := expr.Nearest(name, m.taskNames()); near != "" {
		return nil, fmt.Errorf("%w: %q; did you mean %q?", tidemill.ErrUnknownTask, name, near)
	}
	return nil, fmt.Errorf("%w: %q; there are %v", tidemill.ErrUnknownTask, name, m.taskNames())
}

// readRow makes a row into the vector that the features give, and notes what is missing.
func (t *taskState) readRow(x *tidemill.Vector, p *Prediction, r tidemill.Row, s *scratch) error {
	tables := t.asked()
	if len(tables) == 0 {
		return fmt.Errorf("task %s: no row of its table has been seen: %w", t.spec.Name, tidemill.ErrNotReady)
	}
	table := tables[0]
	tt := t.tables[table]
	if tt == nil || !tt.asks {
		return fmt.Errorf("task %s: %w", t.spec.Name, tidemill.ErrNotReady)
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
	p.Missing = []string{}
	for _, name := range t.featureColumns(table) {
		if _, ok := r[name]; !ok {
			p.Missing = append(p.Missing, name)
		}
	}
	c := tidemill.Change{Op: tidemill.Read, Table: table, After: s.row}
	x.Reset()
	return t.vector(x, &c, t.clock)
}

// tell writes a prediction down for people.
func (t *taskState) tell(p *Prediction, pred []float64) {
	label, score := t.learner.labelOf(pred, t.learner.decide(pred))
	p.Label, p.Score = label, figure(score)
	if t.kind != tidemill.Classify {
		p.Values = slices.Clone(pred)
		return
	}
	p.Probabilities = make(map[string]float64, len(pred))
	for k, v := range pred {
		if k < len(t.learner.classes.labels) {
			p.Probabilities[t.learner.classes.labels[k]] = v
		}
	}
}

// featureColumns are the columns that the features read of a row that is asked about, in the order of the features.
func (t *taskState) featureColumns(table *tidemill.Table) []string {
	if cols, ok := t.reads[table]; ok {
		return cols
	}
	return nil
}

// ValueOf reads what JSON and Go callers give for a column: nil, booleans, numbers, strings (for times ISO text, for
// bytes base64), []byte, lists of numbers for bytes, time.Time, Value.
func ValueOf(v any, col tidemill.Column) (tidemill.Value, error) {
	switch v := v.(type) {
	case nil:
		return tidemill.Null(), nil
	case tidemill.Value:
		return v, nil
	case bool:
		return tidemill.Bool(v), nil
	case int:
		return tidemill.Int(int64(v)), nil
	case int64:
		return tidemill.Int(v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return tidemill.Value{}, errors.New("not a finite number")
		}
		if col.Kind == tidemill.KindInt && v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return tidemill.Int(int64(v)), nil
		}
		if col.Kind == tidemill.KindBool && (v == 0 || v == 1) {
			return tidemill.Bool(v == 1), nil
		}
		return tidemill.Float(v), nil
	case json.Number:
		if i, err := strconv.ParseInt(string(v), 10, 64); err == nil {
			if col.Kind == tidemill.KindFloat {
				return tidemill.Float(float64(i)), nil
			}
			return tidemill.Int(i), nil
		}
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil {
			return tidemill.Value{}, fmt.Errorf("%q is not a finite number", string(v))
		}
		return ValueOf(f, col)
	case []byte:
		return tidemill.Blob(v), nil
	case time.Time:
		return tidemill.TimeOf(v), nil
	case string:
		return textFor(v, col)
	case []any:
		if col.Kind != tidemill.KindBytes && col.Kind != tidemill.KindUnknown && col.Kind != tidemill.KindOther {
			return tidemill.Value{}, fmt.Errorf("a list, where the column is %s", col.Kind)
		}
		b := make([]byte, len(v))
		for i, x := range v {
			val, err := ValueOf(x, tidemill.Column{Kind: tidemill.KindInt})
			if err != nil {
				return tidemill.Value{}, err
			}
			f, ok := val.Number()
			if !ok || f < 0 || f > 255 || f != math.Trunc(f) {
				return tidemill.Value{}, fmt.Errorf("element %d is not a byte (0 to 255)", i)
			}
			b[i] = byte(f)
		}
		return tidemill.Blob(b), nil
	}
	return tidemill.Value{}, fmt.Errorf("cannot read a %T", v)
}

func textFor(s string, col tidemill.Column) (tidemill.Value, error) {
	switch col.Kind {
	case tidemill.KindBytes:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return tidemill.Value{}, fmt.Errorf("text, where the column is bytes: give base64 or a list of numbers: %w", err)
		}
		return tidemill.Blob(b), nil
	case tidemill.KindTime:
		if at, ok := expr.ParseTime(s); ok {
			return tidemill.Timestamp(at), nil
		}
		return tidemill.Value{}, fmt.Errorf("%q is not a time like 2013-01-01T05:15:00Z", s)
	case tidemill.KindInt:
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return tidemill.Int(i), nil
		}
		return tidemill.Value{}, fmt.Errorf("%q is not an integer", s)
	case tidemill.KindFloat:
		if f, err := strconv.ParseFloat(s, 64); err == nil && !math.IsInf(f, 0) && f == f {
			return tidemill.Float(f), nil
		}
		return tidemill.Value{}, fmt.Errorf("%q is not a finite number", s)
	case tidemill.KindBool:
		if b, err := strconv.ParseBool(s); err == nil {
			return tidemill.Bool(b), nil
		}
		return tidemill.Value{}, fmt.Errorf("%q is not true or false", s)
	case tidemill.KindDecimal:
		return tidemill.Decimal(s), nil
	}
	return tidemill.Text(s), nil
}
