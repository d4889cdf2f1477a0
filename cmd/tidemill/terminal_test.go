package main

import (
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// onTerminal runs a command line on a pseudo-terminal and gives all that it showed.
func onTerminal(t *testing.T, dir string, env []string, line string) string {
	t.Helper()
	c := exec.Command("script", "-qec", line, "/dev/null")
	c.Dir = dir
	c.Env = append(append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"), "NO_COLOR=", "TERM=xterm"), env...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out)
}

const slowFlow = `name: slow
source: {sqlite: {path: slow.db, tables: [rows]}}
tasks:
  - name: up
    learn: {table: rows, label: y}
    features: [numeric: [a, b, c, d]]
    classes: [0, 1]
    model: {mlp: {hidden: [384, 384]}}
    epochs: 3
checkpoint: {dir: state}
`

// TestTerminal: on a terminal there is a bar that moves, with the rate and the time left, over the snapshot and over each epoch;
// elsewhere plain lines. Colours are for terminals, and not with NO_COLOR.
func TestTerminal(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", filepath.Join(dir, "slow.db")+busy)
	must(t, err)
	_, err = db.Exec(`PRAGMA journal_mode=WAL; CREATE TABLE rows (id INTEGER PRIMARY KEY, a INT, b INT, c INT, d INT, y INT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO rows SELECT i, i % 7, i % 11, i % 13, i % 100, i % 100 > 50 FROM n`)
	must(t, err)
	must(t, db.Close())
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(slowFlow), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "wrong.yaml"), []byte(strings.Replace(slowFlow, "epochs", "epcohs", 1)), 0o644))

	shown := onTerminal(t, dir, nil, "tidemill run flow.yaml --once")
	for _, want := range []string{`\r\x1b\[K`, `snapshot: \[█*░*\] epoch 1 of 3, [\d,]+ of about 30,000 rows, \d+ %, [\d,]+/s, \d+ s left`, `epoch [23] of 3, [\d,]+ of 30,000 rows, \d+ %, [\d,]+/s`, `slow: 30,000 rows of the snapshot`} {
		if !regexp.MustCompile(want).MatchString(shown) {
			t.Errorf("on a terminal there is no %s:\n%q", want, shown)
		}
	}
	if last := shown[strings.LastIndex(shown, "snapshot: ["):]; !strings.Contains(last, "\r\x1b[K") {
		t.Error("the bar is not taken away at the end")
	}
	_, stderr := call(t, dir, nil, exitOK, "run", "flow.yaml", "--once", "--fresh")
	if strings.ContainsAny(stderr, "\r\x1b█") {
		t.Errorf("elsewhere: %q", stderr)
	}
	for _, c := range []struct {
		env    []string
		line   string
		colour bool
	}{
		{nil, "tidemill check wrong.yaml", true},
		{[]string{"NO_COLOR=1"}, "tidemill check wrong.yaml", false},
		{nil, "tidemill check wrong.yaml --color never", false},
		{[]string{"NO_COLOR=1"}, "tidemill check wrong.yaml --color always", true},
		{nil, "tidemill run nothing.yaml", true},
		{nil, "tidemill check wrong.yaml 2>&1 | cat", false},
	} {
		shown := onTerminal(t, dir, c.env, c.line)
		if strings.Contains(shown, "\x1b[") != c.colour {
			t.Errorf("%v %s: colours %t, want %t: %q", c.env, c.line, !c.colour, c.colour, shown)
		}
		if strings.Contains(c.line, "wrong") && (!strings.Contains(shown, `the nearest is "epochs"`) || !strings.Contains(shown, "^^^^^^")) {
			t.Errorf("%s: no nearest word or no caret: %q", c.line, shown)
		}
	}
}
