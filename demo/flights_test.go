package demo

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"os"
	"os/exec"
	"testing"

	"github.com/tidemill/tidemill/tidemilltest/binarytest"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// TestFlights runs the year's first weeks through SQLite, triggers, engine and sink.
func TestFlights(t *testing.T) {
	r := runDemo(t, "flights", Options{Rows: 20000})
	checkFlights(t, r, 20000, 19758)
}

// TestFlightsYear runs the whole year in the program as it is built for use: the race detector would take ten times as long to see
// what it sees in the first weeks.
func TestFlightsYear(t *testing.T) {
	if os.Getenv("TIDEMILL_SOAK") == "" {
		t.Skip("TestFlights has its first weeks; make soak runs the year")
	}
	r := builtDemo(t, "flights")
	checkFlights(t, r, 336776, 327346)
	// River 0.26.1, LogisticRegression behind StandardScaler and OneHotEncoder, over the same events in the same order.
	for name, want := range map[string]float64{"accuracy": .78010, "logloss": .492140, "auc": .72867} {
		if got := r.Scores[name]; math.Abs(got-want) > 1e-5 {
			t.Errorf("%s %.7f, want %.6f", name, got, want)
		}
	}
	late, now := r.Tasks["late"], r.Tasks["late_now"]
	if now.Scores["accuracy"] <= late.Scores["accuracy"] || now.Scores["auc"] <= late.Scores["auc"] || now.Scores["logloss"] >= late.Scores["logloss"] {
		t.Errorf("windows should help: %v, without %v", now.Scores, late.Scores)
	}
}

// builtDemo is runDemo by the program itself.
func builtDemo(t *testing.T, name string) Result {
	t.Helper()
	dir := t.TempDir()
	bin, err := binarytest.Path(dir)
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), bin, "demo", name, "--once", "--json")
	cmd.Dir, cmd.Stderr = dir, &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var r Result
	if err := json.Unmarshal(lines[len(lines)-1], &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFlightsOnPostgres: the year's first weeks come to the same figures through PostgreSQL, to the last bit, and a second run begins
// afresh.
func TestFlightsOnPostgres(t *testing.T) {
	url := postgrestest.Start(t).URL("postgres")
	want := runDemo(t, "flights", Options{Rows: 10000})
	for range 2 {
		r := runDemo(t, "flights", Options{Rows: 10000, Source: url})
		checkFlights(t, r, 10000, want.Tasks["late"].Counts.Answered)
		if r.Source != "postgres" {
			t.Errorf("source %s", r.Source)
		}
		for name, task := range want.Tasks {
			if !maps.Equal(r.Tasks[name].Scores, task.Scores) {
				t.Errorf("task %s: %v, on SQLite %v", name, r.Tasks[name].Scores, task.Scores)
			}
		}
	}
}

func checkFlights(t *testing.T, r Result, asked, answered uint64) {
	t.Helper()
	for name, task := range r.Tasks {
		c := task.Counts
		if c.Asked != asked || c.Answered != answered || c.Learned != answered || c.Open+c.Expired != asked-answered || c.Late+c.Rejected+c.Unasked+c.Corrected != 0 {
			t.Errorf("%s: %+v", name, c)
		}
		if task.Coverage != float64(answered)/float64(asked) || task.LabelDelay == nil || *task.LabelDelay < 7200 || *task.LabelDelay > 4*3600 {
			t.Errorf("%s: coverage %v, delay %v", name, task.Coverage, task.LabelDelay)
		}
		for _, b := range []string{"majority", "no_change"} {
			if task.Baselines[b]["auc"] >= task.Scores["auc"] || task.Baselines[b]["logloss"] <= task.Scores["logloss"] {
				t.Errorf("%s: %v, %s has %v", name, task.Scores, b, task.Baselines[b])
			}
		}
	}
	if len(r.Tasks) != 2 {
		t.Errorf("%d tasks", len(r.Tasks))
	}
}
