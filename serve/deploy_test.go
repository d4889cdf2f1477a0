package serve

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// The rules in deploy are rules, they fire when they should, and they and the Grafana dashboard ask for metrics that
// there are.
func TestDeploy(t *testing.T) {
	need(t, "promtool", "prometheus")
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		c := exec.Command("promtool", args...)
		c.Dir = "../deploy/prometheus"
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
	h := Handler(fakeFlights(), Config{})
	ask(t, h, "POST", "/predict/late", "{}", 200)
	have := ask(t, h, "GET", "/metrics", "", 200)
	alerts, err := os.ReadFile("../deploy/prometheus/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	dashboard, err := os.ReadFile("../deploy/grafana/tidemill.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title  string
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(dashboard, &board); err != nil || board.Title != "Tidemill" || len(board.Panels) < 10 {
		t.Fatalf("%v: %d panels", err, len(board.Panels))
	}
	name := regexp.MustCompile(`\b(?:tidemill|process|go)_[a-z_]+\b`)
	exprs := string(alerts)
	for _, p := range board.Panels {
		for _, x := range p.Targets {
			if strings.Count(x.Expr, "(") != strings.Count(x.Expr, ")") {
				t.Errorf("parentheses: %s", x.Expr)
			}
			exprs += "\n" + x.Expr
		}
	}
	for _, n := range name.FindAllString(exprs, -1) {
		if !strings.Contains(have, "\n"+n+"{") && !strings.Contains(have, "\n"+n+" ") {
			t.Errorf("/metrics has no %s", n)
		}
	}
}
