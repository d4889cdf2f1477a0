package serve

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/tidemilltest/statustest"
)

// fake is a flow that does not run: it has the Status that a test gives it, and predicts by a rule.
type fake struct {
	mu      sync.Mutex
	now     func() *engine.Status
	predict func(t *engine.TaskStatus, r tidemill.Row) (engine.Prediction, error)
	calls   int
}

func (f *fake) Status() *engine.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now()
}

// become changes what the flow is.
func (f *fake) become(now func() *engine.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = now
}

func (f *fake) Predict(task string, r tidemill.Row) (engine.Prediction, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	st := f.now()
	for i := range st.Tasks {
		t := &st.Tasks[i]
		if t.Name != task {
			continue
		}
		known := map[string]bool{}
		for _, c := range t.Columns {
			known[c.Name] = true
		}
		for c := range r {
			if !known[c] {
				return engine.Prediction{},
					&tidemill.RowError{Table: t.Table, Column: c, Reason: "the table has no such column"}
			}
		}
		p, err := f.predict(t, r)
		for _, c := range t.Columns {
			if r[c.Name] == nil {
				p.Missing = append(p.Missing, c.Name)
			}
		}
		p.Version, p.Through, p.ThroughTime = t.Version, st.Position, st.Clock
		return p, err
	}
	return engine.Prediction{}, fmt.Errorf("%w: %s", tidemill.ErrUnknownTask, task)
}

func (f *fake) PredictBatch(task string, rows []tidemill.Row) ([]engine.Prediction, error) {
	var out []engine.Prediction
	for i, r := range rows {
		p, err := f.Predict(task, r)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// delayed is the rule of the flights fakes.
func delayed(t *engine.TaskStatus, r tidemill.Row) (engine.Prediction, error) {
	d, _ := number(r["distance"])
	p := 1 / (1 + math.Exp(0.001*(d-900)))
	if r["carrier"] == "EV" {
		p = math.Sqrt(p)
	}
	if t.Kind == "regress" {
		return engine.Prediction{Score: statustest.Some(d / 10)}, nil
	}
	return engine.Prediction{Label: fmt.Sprint(p > 0.5), Score: statustest.Some(math.Max(p, 1-p)),
		Probabilities: map[string]float64{"false": 1 - p, "true": p}}, nil
}

// seeing is the rule of the digits fake.
func seeing(m *statustest.Pictures) func(*engine.TaskStatus, tidemill.Row) (engine.Prediction, error) {
	return func(t *engine.TaskStatus, r tidemill.Row) (engine.Prediction, error) {
		b, ok := r["pixels"].([]byte)
		if !ok || len(b) != 784 {
			return engine.Prediction{}, &tidemill.RowError{Table: "digits", Column: "pixels",
				Reason: fmt.Sprintf("%d bytes are no picture of 28 x 28", len(b))}
		}
		return m.Predict(b), nil
	}
}

func fakeDigits(t testing.TB) *fake {
	return &fake{now: func() *engine.Status { return statustest.Digits(mnist(t), statustest.Began(), 81204) },
		predict: seeing(mnist(t))}
}

func fakeFlights() *fake {
	return &fake{now: func() *engine.Status { return statustest.Flights(statustest.Began(), 141200) }, predict: delayed}
}

// mnist are the pictures, which are read once.
func mnist(t testing.TB) *statustest.Pictures {
	t.Helper()
	mnistOnce.Do(func() { mnistRead = statustest.MNIST(t, "../examples/mnist") })
	return mnistRead
}

var (
	mnistOnce sync.Once
	mnistRead *statustest.Pictures
)
