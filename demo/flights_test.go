package demo

import (
	"math"
	"testing"
)

// TestFlights runs the year through SQLite, triggers, engine and sink; with -short its first weeks.
func TestFlights(t *testing.T) {
	if testing.Short() {
		r := runDemo(t, "flights", Options{Rows: 20000})
		checkFlights(t, r, 20000, 19758)
		return
	}
	r := runDemo(t, "flights", Options{})
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
