package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidemill/tidemill/examples/mnist"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// running is the program at work.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	mu   sync.Mutex
	text bytes.Buffer // standard error
	done chan struct{}
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *running) stderr() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// launch starts the program in dir.
func launch(t *testing.T, dir string, env []string, args ...string) *running {
	t.Helper()
	r := &running{t: t, cmd: exec.Command(binary, args...), done: make(chan struct{})}
	r.cmd.Dir, r.cmd.Env, r.cmd.Stderr = dir, append(os.Environ(), env...), r
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		r.cmd.Wait()
		close(r.done)
	}()
	t.Cleanup(func() { r.cmd.Process.Kill(); <-r.done })
	return r
}

// await waits for standard error to match, and gives the groups.
func (r *running) await(pattern string) []string {
	r.t.Helper()
	re := regexp.MustCompile(pattern)
	for range 600 {
		if m := re.FindStringSubmatch(r.stderr()); m != nil {
			return m
		}
		select {
		case <-r.done:
			if m := re.FindStringSubmatch(r.stderr()); m != nil {
				return m
			}
			r.t.Fatalf("it ended without %q:\n%s", pattern, r.stderr())
		case <-time.After(50 * time.Millisecond):
		}
	}
	r.t.Fatalf("no %q:\n%s", pattern, r.stderr())
	return nil
}

// exit waits for the end.
func (r *running) exit(want int) {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(30 * time.Second):
		r.t.Fatalf("it does not end:\n%s", r.stderr())
	}
	if got := r.cmd.ProcessState.ExitCode(); got != want {
		r.t.Errorf("exit code %d, want %d:\n%s", got, want, r.stderr())
	}
}

// call runs the program to its end.
func call(t *testing.T, dir string, env []string, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	c := exec.Command(binary, args...)
	var out, log bytes.Buffer
	c.Dir, c.Env, c.Stdout, c.Stderr = dir, append(os.Environ(), env...), &out, &log
	err := c.Run()
	if got := c.ProcessState.ExitCode(); got != want {
		t.Fatalf("tidemill %s: exit code %d, want %d (%v)\n%s%s", strings.Join(args, " "), got, want, err, &out, &log)
	}
	return out.String(), log.String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const digitFlow = `name: digits
source: {sqlite: {path: digits.db, tables: [train]}}
tasks:
  - name: digit
    predict: {on: insert, table: train}
    learn: {on: insert, table: train, label: label}
    classes: [0..9]
    features: [pixels: {column: pixels, width: 28, height: 28}]
    model: {mlp: {hidden: 128}}
    epochs: 2
serve: localhost:0
checkpoint: {dir: state, every: 200ms}
`

// TestDigits learns digits, serves them, and recognises the drawn three from a file, from a PNG and from the server; a
// second process on the same state refuses; signals stop it.
func TestDigits(t *testing.T) {
	dir := t.TempDir()
	set, err := mnist.Train()
	must(t, err)
	db, err := sql.Open("sqlite", filepath.Join(dir, "digits.db")+busy)
	must(t, err)
	defer db.Close()
	_, err = db.Exec("PRAGMA journal_mode = WAL; CREATE TABLE train (id INTEGER PRIMARY KEY, label INTEGER, pixels BLOB)")
	must(t, err)
	tx, err := db.Begin()
	must(t, err)
	for i := range 20000 {
		_, err = tx.Exec("INSERT INTO train VALUES (?, ?, ?)", i, int(set.Labels[i]), set.Image(i))
		must(t, err)
	}
	must(t, tx.Commit())
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(digitFlow), 0o644))
	three, err := os.ReadFile("../../examples/digit/three.json")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "three.json"), three, 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "three.png"), paper(t, three), 0o644))

	r := launch(t, dir, nil, "run", "flow.yaml", "--log", "json")
	url := r.await(`serving on (http://localhost:\d+)`)[1]
	deadline := time.Now().Add(30 * time.Second)
	for {
		out, err := exec.Command(binary, "predict", filepath.Join(dir, "flow.yaml"), filepath.Join(dir, "three.json"), "--url", url, "--json").Output()
		var p struct {
			Prediction string `json:"prediction"`
			Version    string `json:"model_version"`
		}
		if err == nil && json.Unmarshal(out, &p) == nil && p.Version == "1.20000" {
			if p.Prediction != "3" {
				t.Errorf("the server says %s", out)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no answer: %v %s\n%s", err, out, r.stderr())
		}
		time.Sleep(50 * time.Millisecond)
	}
	if _, stderr := call(t, dir, nil, exitEnvironment, "run", "flow.yaml", "--listen", "localhost:0"); !strings.Contains(stderr, "locked") {
		t.Errorf("a second process: %s", stderr)
	}
	must(t, r.cmd.Process.Signal(syscall.SIGINT))
	r.await("stopping: what has arrived is finished and saved")
	r.exit(exitOK)
	r.await("the triggers stay, and the change log grows until the flow runs again; to remove it: tidemill source drop flow.yaml")

	for _, file := range [][]string{{"three.json"}, {"three.png", "--invert"}} {
		out, _ := call(t, dir, nil, exitOK, append([]string{"predict", "flow.yaml"}, file...)...)
		if !strings.Contains(out, "prediction 3") || !strings.Contains(out, "*%#+=--=*##-") {
			t.Errorf("%s:\n%s", file, out)
		}
	}
	out, _ := call(t, dir, []string{"NO_COLOR="}, exitOK, "predict", "flow.yaml", "three.json", "--color", "always")
	if !strings.Contains(out, "\x1b[38;2;") {
		t.Errorf("no colours:\n%s", out)
	}
	out, _ = call(t, dir, nil, exitOK, "state", "flow.yaml")
	if !strings.Contains(out, "20,000 learned") {
		t.Errorf("state:\n%s", out)
	}
	out, stderr := call(t, dir, nil, exitOK, "report", "flow.yaml", "-o", "-")
	if !strings.Contains(out, "Learning curve, snapshot: ") || !strings.Contains(stderr, "no sink of the flow keeps answers") {
		t.Errorf("report: %s\n%s", stderr, out)
	}
	_, stderr = call(t, dir, nil, exitValidation, "predict", "flow.yaml", "flow.yaml")
	if !strings.Contains(stderr, "neither JSON nor a PNG or JPEG file") {
		t.Errorf("%s", stderr)
	}
}

// paper draws the picture as a pen does, dark on light, four times the size.
func paper(t *testing.T, numbers []byte) []byte {
	var grey []float64
	must(t, json.Unmarshal(numbers, &grey))
	img := image.NewRGBA(image.Rect(0, 0, 112, 112))
	for y := range 112 {
		for x := range 112 {
			v := 255 - uint8(grey[y/4*28+x/4])
			img.Set(x, y, color.RGBA{v, v, v, 255})
		}
	}
	var b bytes.Buffer
	must(t, png.Encode(&b, img))
	return b.Bytes()
}

const shopFlow = `name: shop
source: {postgres: {url: "${DATABASE_URL}", tables: [orders]}}
tasks:
  - name: returned
    predict: {on: insert, table: orders}
    learn: {table: orders, label: returned}
    features: [numeric: [amount]]
    model: logistic
sinks:
  - postgres: {url: "${DATABASE_URL}"}
`

// TestPostgres goes the whole way over a real server: init, check, run, drop, and a server that is not there.
func TestPostgres(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.CreateDB(t)
	env := []string{"DATABASE_URL=" + url}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(shopFlow), 0o644))
	_, stderr := call(t, dir, env, exitEnvironment, "check", "flow.yaml", "--connect")
	if !strings.Contains(stderr, "ERROR") || !strings.Contains(stderr, "orders") {
		t.Errorf("no table: %s", stderr)
	}
	server.Exec(t, url, `CREATE TABLE orders (id serial PRIMARY KEY, created_at timestamptz DEFAULT now(), amount numeric, note text, returned boolean);
		INSERT INTO orders (amount, note, returned) SELECT i % 100, 'n' || i, i % 100 > 50 FROM generate_series(1, 500) AS i`)
	written, stderr := call(t, dir, env, exitOK, "init", url)
	if !strings.Contains(written, `learn: {on: [insert, update], table: orders, at: created_at, label: "returned"} # true or false`) || !strings.Contains(written, "numeric: [amount]") {
		t.Errorf("init wrote\n%s%s", written, stderr)
	}
	must(t, os.WriteFile(filepath.Join(dir, "written.yaml"), []byte(written), 0o644))
	call(t, dir, env, exitOK, "check", "written.yaml")

	out, stderr := call(t, dir, env, exitOK, "check", "flow.yaml", "--connect")
	if strings.Contains(out+stderr, url) {
		t.Errorf("the URL is printed:\n%s%s", out, stderr)
	}
	typo := strings.Replace(shopFlow, "[amount]", "[amuont]", 1)
	must(t, os.WriteFile(filepath.Join(dir, "typo.yaml"), []byte(typo), 0o644))
	if _, stderr := call(t, dir, env, exitValidation, "check", "typo.yaml", "--connect"); !strings.Contains(stderr, "typo.yaml:7:") || !strings.Contains(stderr, "amuont") {
		t.Errorf("a column that is not there: %s", stderr)
	}
	text := strings.Replace(shopFlow, "label: returned", `label: "note > 5"`, 1)
	must(t, os.WriteFile(filepath.Join(dir, "text.yaml"), []byte(text), 0o644))
	if _, stderr := call(t, dir, env, exitValidation, "check", "text.yaml", "--connect"); !strings.Contains(stderr, "note is text and 5 is a number") {
		t.Errorf("text beside a number: %s", stderr)
	}

	out, stderr = call(t, dir, env, exitOK, "run", "flow.yaml", "--once", "--json")
	if !strings.Contains(out, `"learned":500,`) || !strings.Contains(stderr, "the replication slot stays") {
		t.Errorf("run:\n%s%s", out, stderr)
	}
	server.Exec(t, url, "INSERT INTO orders (amount) VALUES (95)")
	call(t, dir, env, exitOK, "run", "flow.yaml", "--once")
	if rows := server.Query(t, url, "SELECT prediction FROM predictions"); len(rows) != 1 || rows[0][0] != "true" {
		t.Errorf("predictions: %v", rows)
	}
	out, _ = call(t, dir, env, exitOK, "source", "drop", "flow.yaml")
	if !strings.Contains(out, "slot") || !strings.Contains(out, "run --fresh flow.yaml") {
		t.Errorf("drop: %s", out)
	}
	if rows := server.Query(t, url, "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"); len(rows) != 0 {
		t.Errorf("slots are left: %v", rows)
	}
	_, stderr = call(t, dir, env, exitEnvironment, "run", "flow.yaml", "--once")
	if !strings.Contains(stderr, "run --fresh") {
		t.Errorf("the slot is gone: %s", stderr)
	}
	down := []string{"DATABASE_URL=postgres://mill:s3cret@localhost:1/shop"}
	out, stderr = call(t, dir, down, exitEnvironment, "check", "flow.yaml", "--connect")
	if strings.Contains(out+stderr, "s3cret") {
		t.Errorf("a password is printed:\n%s%s", out, stderr)
	}
}

// TestEvaluateStopped: Ctrl-C gives the figures of the rows so far, says that they are not all, and is no success.
func TestEvaluateStopped(t *testing.T) {
	dir := t.TempDir()
	flow := "name: shop\nsource: {sqlite: {path: shop.db, tables: [orders]}}\ntasks:\n  - name: late\n    learn: {on: insert, table: orders, label: late}\n" +
		"    features:\n      - numeric: [x]\n    model: {majority: {}}\n    scores: [accuracy]\n"
	if err := os.WriteFile(filepath.Join(dir, "flow.yaml"), []byte(flow), 0o600); err != nil {
		t.Fatal(err)
	}
	rows, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c := exec.Command(binary, "evaluate", "flow.yaml", "--data", "-")
	var out bytes.Buffer
	c.Dir, c.Stdin, c.Stdout = dir, rows, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	rows.Close()
	if _, err := w.WriteString("x,late\n" + strings.Repeat("1,yes\n", 2000)); err != nil { // a pipe's worth, so that it has begun
		t.Fatal(err)
	}
	if _, err := w.WriteString(strings.Repeat("1,yes\n", 20000)); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); c.ProcessState.ExitCode() != 130 {
		t.Errorf("it ends with %v", err)
	}
	if !strings.Contains(out.String(), "stopped before the last row") {
		t.Errorf("%s", out.String())
	}
}
