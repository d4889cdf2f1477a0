package serve

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestMetrics(t *testing.T) {
	h := Handler(fakeFlights(), Config{})
	if text := ask(t, h, "GET", "/metrics", "", 200); !strings.Contains(text,
		`tidemill_served_predictions_total{flow="late-flights",task="late"} 0`) {
		t.Error("a task that nobody has asked is not there with zero")
	}
	ask(t, h, "POST", "/predict/late", `{}`, 200)
	text := ask(t, h, "GET", "/metrics", "", 200)
	for _, want := range []string{
		`tidemill_state{flow="late-flights",state="streaming"} 1`,
		`tidemill_changes_total{flow="late-flights",op="insert"} 84720`,
		`tidemill_score{flow="late-flights",phase="stream",score="accuracy",task="late",window="rolling"} 0.794`,
		`tidemill_served_predictions_total{flow="late-flights",task="late"} 1`,
		`tidemill_http_requests_total{code="200",route="predict"} 1`,
		`tidemill_http_requests_total{code="429",route="predict"} 0`,
		`tidemill_open_questions{flow="late-flights",task="late"} 1184`, "tidemill_build_info{", "go_goroutines",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	promtool(t, text)
}

// promtool lets Prometheus's own parser and linter look.
func promtool(t *testing.T, text string) {
	t.Helper()
	need(t, "promtool", "prometheus")
	c := exec.Command("promtool", "check", "metrics")
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}

// need installs a program that a test wants, where it can, and otherwise says how.
func need(t *testing.T, program, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("apt-get", "install", "-y", "--no-install-recommends",
			pkg).CombinedOutput(); err != nil {
			t.Fatalf("apt-get install %s: %v\n%s", pkg, err, out)
		}
		return
	}
	t.Fatalf("this test needs %s: apt-get install %s", program, pkg)
}
