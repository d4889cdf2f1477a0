package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemill/tidemill/tidemilltest/binarytest"
)

// binary is the program under test, built once.
var binary string

// busy lets a test's own connection wait for a lock that the flow has.
const busy = "?_pragma=busy_timeout(20000)"

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "tidemill-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if binary, err = binarytest.Path(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// TestScripts runs testdata/script/*.txt. A script is lines, then files ("-- name --" and their content):
//
//	tidemill args...      run the program; it must exit with 0
//	exit N tidemill ...   ... with N
//	stdin file            the next program reads the file
//	env NAME=value        for the programs that follow
//	stdout 'regexp'       the last program's standard output matches; ! stdout: it does not
//	stderr 'regexp'       ... standard error
//	same stdout file      ... is the file, which -rewrite writes anew
//	sql file.db SQL       run statements on a SQLite file; what a query gives can be tested by stdout
//	copy file file        the first is relative to the repository
//	absent file           there is no such file
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			runScript(t, path)
		})
	}
}

type script struct {
	t              *testing.T
	path, dir      string
	line           int
	env            []string
	stdin          string
	stdout, stderr string
	files          []string // names, in order
	content        map[string]string
}

func runScript(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, path: path, dir: t.TempDir(), content: map[string]string{},
		env: append(os.Environ(), "NO_COLOR=1", "DATABASE_URL=")}
	body, files := string(data), regexp.MustCompile(`(?m)^-- (\S+) --\n`)
	marks := files.FindAllStringSubmatchIndex(body, -1)
	commands := body
	for i, m := range marks {
		if i == 0 {
			commands = body[:m[0]]
		}
		end := len(body)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		name := body[m[2]:m[3]]
		s.files = append(s.files, name)
		s.content[name] = body[m[1]:end]
		s.write(name, s.content[name])
	}
	for i, line := range strings.Split(commands, "\n") {
		s.line = i + 1
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			s.command(line)
		}
	}
	if *rewrite {
		out := commands
		for _, name := range s.files {
			out += "-- " + name + " --\n" + s.content[name]
		}
		if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (s *script) write(name, content string) {
	path := filepath.Join(s.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o644)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) fatalf(format string, a ...any) {
	s.t.Helper()
	s.t.Fatalf("%s:%d: %s\nstdout:\n%s\nstderr:\n%s", s.path, s.line, fmt.Sprintf(format, a...), s.stdout, s.stderr)
}

func (s *script) command(line string) {
	words := splitWords(line)
	want, not := 0, false
	if words[0] == "!" {
		not, words = true, words[1:]
	}
	switch words[0] {
	case "exit":
		want, _ = strconv.Atoi(words[1])
		s.tidemill(words[3:], want)
	case "tidemill":
		s.tidemill(words[1:], want)
	case "stdin":
		s.stdin = words[1]
	case "env":
		s.env = append(s.env, words[1])
	case "stdout":
		s.match(s.stdout, words[1], not)
	case "stderr":
		s.match(s.stderr, words[1], not)
	case "same":
		got := s.stdout
		if words[1] == "stderr" {
			got = s.stderr
		}
		if *rewrite {
			s.content[words[2]] = got
			s.write(words[2], got)
		} else if got != s.content[words[2]] {
			s.fatalf("%s is not %s:\n%s", words[1], words[2], s.content[words[2]])
		}
	case "sql":
		s.sql(words[1], words[2])
	case "copy":
		data, err := os.ReadFile(filepath.Join("../..", words[1]))
		if err != nil {
			s.fatalf("%v", err)
		}
		s.write(words[2], string(data))
	case "absent":
		if _, err := os.Stat(filepath.Join(s.dir, words[1])); err == nil {
			s.fatalf("%s is there", words[1])
		}
	default:
		s.fatalf("no command %s", words[0])
	}
}

func (s *script) tidemill(args []string, want int) {
	c := exec.Command(binary, args...)
	c.Dir, c.Env = s.dir, s.env
	var out, log bytes.Buffer
	c.Stdout, c.Stderr = &out, &log
	if s.stdin != "" {
		f, err := os.Open(filepath.Join(s.dir, s.stdin))
		if err != nil {
			s.fatalf("%v", err)
		}
		defer f.Close()
		c.Stdin, s.stdin = f, ""
	}
	timer := time.AfterFunc(time.Minute, func() { c.Process.Kill() })
	defer timer.Stop()
	err := c.Run()
	s.stdout, s.stderr = out.String(), log.String()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.fatalf("%v", err)
	}
	if got := c.ProcessState.ExitCode(); got != want {
		s.fatalf("tidemill %s: exit code %d, want %d", strings.Join(args, " "), got, want)
	}
}

func (s *script) match(text, pattern string, not bool) {
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		s.fatalf("%v", err)
	}
	if re.MatchString(text) == not {
		s.fatalf("%q: matches %t", pattern, !not)
	}
}

func (s *script) sql(file, statements string) {
	db, err := sql.Open("sqlite", filepath.Join(s.dir, file)+busy)
	if err != nil {
		s.fatalf("%v", err)
	}
	defer db.Close()
	s.stdout = ""
	if !strings.HasPrefix(strings.ToLower(statements), "select") {
		if _, err := db.Exec(statements); err != nil {
			s.fatalf("%v", err)
		}
		return
	}
	rows, err := db.Query(statements)
	if err != nil {
		s.fatalf("%v", err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			row[i] = new(sql.NullString)
		}
		if err := rows.Scan(row...); err != nil {
			s.fatalf("%v", err)
		}
		for i, v := range row {
			if i > 0 {
				s.stdout += "|"
			}
			s.stdout += v.(*sql.NullString).String
		}
		s.stdout += "\n"
	}
}

// splitWords splits at blanks; 'quotes' keep them, and ” is a quote in quotes.
func splitWords(line string) (words []string) {
	word, in, any := "", false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'' && in && i+1 < len(line) && line[i+1] == '\'':
			word += "'"
			i++
		case c == '\'':
			in, any = !in, true
		case c == ' ' && !in:
			if any {
				words = append(words, word)
			}
			word, any = "", false
		default:
			word, any = word+line[i:i+1], true
		}
	}
	if any {
		words = append(words, word)
	}
	return words
}
