//go:build linux

package tools_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidemill/tidemill/tidemilltest/binarytest"
	"github.com/tidemill/tidemill/tidemilltest/postgrestest"
)

// typed is a command of a document, and what the document says it prints.
type typed struct{ command, prints string }

// commands reads what stands behind "$ " in a document's blocks. A command goes on to the end of its here-document.
func commands(text string) []typed {
	var out []typed
	fenced, inside, ends := false, false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		last := len(out) - 1
		switch {
		case strings.HasPrefix(line, "```"):
			fenced = !fenced
			inside, ends = fenced && line == "```", ""
			if inside {
				out = append(out, typed{}) // what a block prints before a command has none
			}
		case !inside:
		case ends != "":
			out[last].command += "\n" + line
			if line == ends {
				ends = ""
			}
		case strings.HasPrefix(line, "$ "):
			out = append(out, typed{command: line[2:]})
			if _, word, ok := strings.Cut(line, "<<'"); ok {
				ends = strings.TrimSuffix(word, "'")
			}
		default:
			out[last].prints += line + "\n"
		}
	}
	return out
}

var (
	figure  = regexp.MustCompile(`[0-9][0-9a-fA-F/:.TZ-]*`)
	release = regexp.MustCompile(`is PostgreSQL .*`)
	spaces  = regexp.MustCompile(`[ -]+`)
)

// same reports whether a command printed what the document says, figures apart; "…" stands for the rest of a line, or on a line of
// its own for lines.
func same(said, printed string) bool {
	plain := func(s string) []string {
		s = spaces.ReplaceAllString(figure.ReplaceAllString(release.ReplaceAllString(s, "is PostgreSQL"), "0"), " ")
		return strings.Split(strings.TrimSpace(s), "\n")
	}
	want, got := plain(said), plain(printed)
	for i, w := range want {
		if strings.TrimSpace(w) == "…" {
			return true
		}
		if i >= len(got) {
			return false
		}
		head, _, cut := strings.Cut(w, "…")
		if g := strings.TrimSpace(got[i]); cut && !strings.HasPrefix(g, head) || !cut && strings.TrimSpace(w) != g {
			return false
		}
	}
	return len(want) == len(got)
}

// tail is what a running command has printed so far. Its writer and its reader are two goroutines.
type tail struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.out.String()
}

func port(t *testing.T) string {
	t.Helper()
	port, err := postgrestest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return strconv.Itoa(port)
}

// TestStart types what docs/start.md says, from a database that is started by hand to the last line, and compares what is printed.
func TestStart(t *testing.T) {
	bin, err := postgrestest.Bin()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../docs/start.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "tidemill-start-") // t.TempDir is for its owner alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := binarytest.Path(dir)
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "shop")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 { // PostgreSQL refuses root
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		for _, d := range []string{dir, work} {
			if err := os.Chown(d, uid, gid); err != nil {
				t.Fatal(err)
			}
		}
	}
	env := []string{"PATH=" + filepath.Dir(program) + ":" + bin + ":/usr/bin:/bin", "HOME=" + work, "LC_ALL=C.UTF-8"}
	shell := func(script string) *exec.Cmd {
		c := exec.Command("bash", "-c", script)
		c.Dir, c.Env, c.SysProcAttr, c.WaitDelay = work, env, attr, time.Second
		return c
	}
	t.Cleanup(func() { shell("pg_ctl -D pg -m immediate stop").Run() })

	ours := strings.NewReplacer("5433", port(t), "8080", port(t), "-k /tmp", "-k "+work)
	exports := ""
	var running *exec.Cmd
	var told tail
	for _, c := range commands(ours.Replace(string(text))) {
		switch {
		case strings.HasPrefix(c.command, "git clone") || c.command == "make build" || c.command == "export PATH=$PWD:$PATH":
			continue // this is the clone
		case strings.HasPrefix(c.command, "export "):
			exports += c.command + "\n"
			continue
		case c.command == "tidemill run flow.yaml": // in a terminal of its own
			running = shell(exports + "exec " + c.command)
			running.Stdout, running.Stderr = &told, &told
			if err := running.Start(); err != nil {
				t.Fatal(err)
			}
			continue
		case c.command == "" && strings.HasPrefix(c.prints, "stopping:"): // Ctrl-C
			if err := running.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if err := running.Wait(); err != nil {
				t.Errorf("run ended with %v", err)
			}
			if _, after, _ := strings.Cut(told.String(), "stopping:"); !same(c.prints, "stopping:"+after) {
				t.Errorf("Ctrl-C printed\n%s\nand not\n%s", told.String(), c.prints)
			}
			continue
		case c.command == "":
			continue
		}
		// What only looks is asked again until it says what it should: a prediction and a checkpoint take their time.
		looks := strings.Contains(c.command, "SELECT id") || strings.HasPrefix(c.command, "curl") || strings.HasPrefix(c.command, "tidemill state") || strings.HasPrefix(c.command, "echo '{")
		if strings.HasPrefix(c.command, "cat flow.yaml") {
			path := filepath.Join(work, "flow.yaml")
			flow, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(ours.Replace(string(flow))), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for deadline := time.Now().Add(30 * time.Second); ; {
			out, err := shell("exec 2>&1\n" + exports + "(exit " + fmt.Sprint(code(c)) + ")\n" + c.command).CombinedOutput()
			if (err == nil || code(c) != 0) && (c.prints == "" || same(c.prints, string(out))) {
				break
			}
			if !looks || time.Now().After(deadline) {
				t.Fatalf("$ %s\nprints (%v)\n%s\nand not\n%s\n%s", c.command, err, out, c.prints, told.String())
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	if _, err := os.Stat(filepath.Join(work, "pg")); err == nil {
		t.Error("something is left behind")
	}
}

// code is the exit code that a command of the document may have: check finds what is missing.
func code(c typed) int {
	if strings.HasPrefix(c.command, "tidemill check") || c.command == "echo $?" {
		return 3
	}
	return 0
}
