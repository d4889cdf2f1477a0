package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemill/tidemill/engine"
)

const reportedFlow = `name: reported
source: {sqlite: {path: shop.db, tables: [orders]}}
tasks:
  - name: returned
    predict: {on: insert, table: orders}
    learn: {on: update, table: orders, label: returned}
    features: [numeric: [amount], onehot: [country]]
    model: logistic
    scores: [accuracy, auc, logloss, confusion]
  - name: price
    predict: {on: insert, table: orders}
    learn: {on: update, table: orders, label: price}
    features: [numeric: [amount]]
    model: linear
    scores: [mae, rmse]
sinks: [sqlite: {path: shop.db}]
`

// TestReportNumbers: what the report draws and prints is what state and run --json tell: the scores, the counts, the confusion, and
// the area under the ROC curve that is drawn is the score auc.
func TestReportNumbers(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "shop.db")+busy)
	must(t, err)
	defer db.Close()
	do := func(s string) {
		t.Helper()
		_, err := db.Exec(s)
		must(t, err)
	}
	do("PRAGMA journal_mode=WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY, amount REAL, country TEXT, returned BOOLEAN, price REAL)")
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(reportedFlow), 0o644))

	// Nothing has come yet: the report says so.
	call(t, dir, nil, exitOK, "run", "flow.yaml", "--once")
	out, stderr := call(t, dir, nil, exitOK, "report", "flow.yaml", "-o", "-")
	if !strings.Contains(out, "No row has been asked about or learned yet.") || strings.Contains(out, "NaN") || strings.Contains(out, "<polyline") {
		t.Errorf("of nothing: %s\n%s", stderr, out)
	}

	// Rows come in waves, and their answers after them. The answer is noisy, so that the curve has a shape.
	for wave := range 8 {
		from, to := wave*100+1, wave*100+100
		do(fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO orders SELECT i, i * 37 %% 101, CASE WHEN i %% 3 = 0 THEN 'de' ELSE 'fr' END, NULL, NULL FROM n", from, to))
		do(fmt.Sprintf("UPDATE orders SET returned = (amount + (i2 * 53 %% 71)) > 80, price = amount * 3 + (i2 * 31 %% 17) FROM (SELECT id AS k, id AS i2 FROM orders) WHERE k = id AND id BETWEEN %d AND %d", from, to))
		out, _ = call(t, dir, nil, exitOK, "run", "flow.yaml", "--once", "--json")
	}
	var result map[string]any
	if strings.Contains(out, `"confusion"`) {
		t.Errorf("the confusion is a matrix, and the result has a figure of it: %s", out)
	}
	must(t, json.Unmarshal([]byte(out), &result))
	text, _ := call(t, dir, nil, exitOK, "state", "flow.yaml", "--json")
	var s engine.Status
	must(t, json.Unmarshal([]byte(text), &s))
	page, stderr := call(t, dir, nil, exitOK, "report", "flow.yaml", "-o", "-")
	if strings.Contains(stderr, "warning") {
		t.Error(stderr)
	}
	classified, regressed, ok := strings.Cut(page, "<h2>price ")
	if !ok {
		t.Fatal("no task price")
	}
	auc, mae := math.NaN(), math.NaN()
	for i, part := range []string{classified, regressed} {
		task := &s.Tasks[i]
		if task.Counts.Answered != 800 || !strings.Contains(part, "<dt>answered</dt><dd>800</dd>") || !strings.Contains(part, "<h3>800 answers in detail</h3>") {
			t.Errorf("%s: %d answered", task.Name, task.Counts.Answered)
		}
		if strings.Contains(part, "<tr><td>confusion</td>") {
			t.Error("the confusion is a matrix, and stands among the figures")
		}
		for _, x := range task.Scores {
			if x.Name == "confusion" {
				continue
			}
			if row := fmt.Sprintf("<tr><td>%s</td><td>%s</td><td><b>%.4f</b></td>", x.Name, x.Phase, *x.Value); !strings.Contains(part, row) {
				t.Errorf("the report has not %s", row)
			}
			switch {
			case x.Name == "auc":
				auc = *x.Value
			case x.Name == "mae":
				mae = *x.Value
			}
		}
		for truth, row := range task.Confusion {
			for label, n := range row {
				if n > 0 && !strings.Contains(part, fmt.Sprintf(">%d</td>", n)) {
					t.Errorf("confusion %d %d: %d is not there", truth, label, n)
				}
			}
		}
	}
	if m := regexp.MustCompile(`1 \(area (\d\.\d+)\)`).FindStringSubmatch(classified); m == nil || m[1] != fmt.Sprintf("%.4f", auc) {
		t.Errorf("area under the ROC curve: %v, the score is %.4f", m, auc)
	}
	if drawn := area(t, classified); math.Abs(drawn-auc) > 0.002 || auc < 0.7 || auc > 0.99 {
		t.Errorf("the curve that is drawn has the area %.4f, the score is %.4f", drawn, auc)
	}
	if want := fmt.Sprintf("Errors, mean %.4f,", mae); !strings.Contains(regressed, want) || strings.Count(regressed, "<circle ") != 400 {
		t.Errorf("the report has not %q, or not the points: %d", want, strings.Count(regressed, "<circle "))
	}
	for _, want := range []string{"Learning curve, stream: accuracy", "Precision and recall", "Calibration, expected error", "Largest weights", "Wrong", "Right"} {
		if !strings.Contains(classified, want) {
			t.Errorf("the report has no %s", want)
		}
	}
	for _, want := range []string{"Prediction against truth", "Furthest off", "Nearest", "Largest weights"} {
		if !strings.Contains(regressed, want) {
			t.Errorf("the report has no %s", want)
		}
	}
	if learned, _ := result["learned"].(float64); learned != float64(s.Tasks[0].Counts.Learned+s.Tasks[1].Counts.Learned) {
		t.Errorf("run --json says %v learned, state %d", result["learned"], s.Tasks[0].Counts.Learned)
	}
}

// area is the area under the first line of the plot named ROC, measured on the paper.
func area(t *testing.T, page string) float64 {
	t.Helper()
	_, plot, _ := strings.Cut(page, "<figcaption>ROC ")
	m := regexp.MustCompile(`<polyline class="rolling" points="([^"]*)"`).FindStringSubmatch(plot)
	if m == nil {
		t.Fatal("no ROC curve")
	}
	var points [][2]float64
	for _, p := range strings.Fields(m[1]) {
		x, y, _ := strings.Cut(p, ",")
		px, err1 := strconv.ParseFloat(x, 64)
		py, err2 := strconv.ParseFloat(y, 64)
		if err1 != nil || err2 != nil {
			t.Fatal(p)
		}
		points = append(points, [2]float64{px, py})
	}
	first, last := points[0], points[len(points)-1]
	sum := 0.0
	for i := 1; i < len(points); i++ {
		sum += (points[i][0] - points[i-1][0]) * (2*first[1] - points[i][1] - points[i-1][1]) / 2
	}
	return sum / ((last[0] - first[0]) * (first[1] - last[1]))
}
