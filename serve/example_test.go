package serve_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/serve"
)

// rule is a Mill that a program wrote itself: what serve needs is an interface.
type rule struct{}

func (rule) Status() *engine.Status {
	return &engine.Status{Flow: "tips", State: "streaming", Connected: true, CaughtUp: true,
		Tasks: []engine.TaskStatus{{
			Name: "tip", Kind: "regress", Version: "1.0",
			Columns: []engine.ColumnStatus{{Name: "total", Kind: "float"}}}}}
}

func (rule) Predict(_ string, r tidemill.Row) (engine.Prediction, error) {
	total, _ := r["total"].(float64)
	tip := 0.15 * total
	return engine.Prediction{Score: &tip, Version: "1.0"}, nil
}

func (m rule) PredictBatch(task string, rows []tidemill.Row) ([]engine.Prediction, error) {
	var out []engine.Prediction
	for _, r := range rows {
		p, err := m.Predict(task, r)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func ExampleHandler() {
	server := httptest.NewServer(serve.Handler(rule{}, serve.Config{}))
	defer server.Close()
	for _, path := range []string{"/predict/tip", "/v1/models/tip:predict"} {
		body := `{"total": 62.5}`
		if strings.HasSuffix(path, ":predict") {
			body = `{"instances": [` + body + `]}`
		}
		r, err := http.Post(server.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			fmt.Println(err)
			return
		}
		io.Copy(printer{}, r.Body)
		r.Body.Close()
	}
	// Output:
	// {"prediction":9.375,"score":9.375,"missing":[],"model_version":"1.0","trained_through":""}
	// {"predictions":[9.375]}
}

type printer struct{}

func (printer) Write(b []byte) (int, error) { return fmt.Print(string(b)) }
