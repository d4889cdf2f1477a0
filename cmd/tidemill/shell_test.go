package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill/config"
)

func testApp() *app {
	return &app{console: console{in: strings.NewReader(""), out: io.Discard, err: io.Discard, env: os.LookupEnv}, kinds: kinds()}
}

// TestEveryCommandShowsAnExample walks all commands: each says what it does, shows an example that begins with its own name,
// and its flags say what they are.
func TestEveryCommandShowsAnExample(t *testing.T) {
	n := 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		n++
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: no sentence or no example", c.CommandPath())
		}
		names := false
		for line := range strings.Lines(c.Example) {
			names = names || strings.Contains(line, c.CommandPath()) || !c.HasParent() && strings.Contains(line, "tidemill ")
			if !strings.HasPrefix(line, "  ") || len(line) > 110 {
				t.Errorf("%s: the example's line %q", c.CommandPath(), line)
			}
		}
		if !names {
			t.Errorf("%s: no example calls it:\n%s", c.CommandPath(), c.Example)
		}
		if c.HasParent() && c.Parent().Name() == "tidemill" && !c.Hidden && c.GroupID == "" {
			t.Errorf("%s is in no group", c.CommandPath())
		}
		for _, x := range c.Commands() {
			walk(x)
		}
	}
	walk(testApp().root())
	if n < 15 {
		t.Errorf("only %d commands", n)
	}
}

const completionFlow = `name: shop
source: {postgres: {url: "${NOT_SET_HERE}", tables: [orders]}}
tasks:
  - {name: returned, learn: {table: orders, label: returned}, features: [numeric: amount], model: logistic}
  - {name: amount, learn: {table: orders, label: amount}, features: [onehot: country], model: linear}
`

// TestBashCompletes has bash itself complete: commands, flow files, tasks, kinds, flags.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	must(t, err)
	dir, env := completionFolder(t)
	// What the package bash-completion would bring: here the words are those of the array.
	const prelude = `_get_comp_words_by_ref() { cur="${COMP_WORDS[COMP_CWORD]}"; prev="${COMP_WORDS[COMP_CWORD-1]}"; words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; }
compopt() { :; } # is for a line that is being typed
source <(tidemill completion bash) || exit 9
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9
__start_tidemill; printf '%s\n' "${COMPREPLY[@]}"`
	for _, c := range completed() {
		args := append([]string{"-c", prelude, "bash"}, strings.Split(strings.TrimSuffix(c.line, "|"), " ")...)
		cmd := exec.Command(bash, args...)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if got := said(string(out)); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q (%v)\n%s", c.line, got, c.want, err, out)
		}
	}
	for shell, want := range map[string]string{"zsh": "#compdef tidemill", "fish": "complete -c tidemill"} {
		if out, _ := call(t, dir, nil, exitOK, "completion", shell); !strings.Contains(out, want) {
			t.Errorf("completion %s: %.200s", shell, out)
		}
	}
}

// TestEditorsKnowTheFlow: by the schema every example is valid, in the repository and in the documentation, and what check
// refuses for its words is not.
func TestEditorsKnowTheFlow(t *testing.T) {
	schema := flowSchema(t)
	flows := map[string]string{}
	for _, pattern := range []string{"../../examples/*/*.yaml", "../../testdata/flows/*.yaml", "../../README.md", "../../docs/*.md", "../../docs/guides/*.md"} {
		files, err := filepath.Glob(pattern)
		must(t, err)
		for _, file := range files {
			data, err := os.ReadFile(file)
			must(t, err)
			if strings.HasSuffix(file, ".yaml") {
				flows[file] = string(data)
				continue
			}
			for i, block := range strings.Split(string(data), "```yaml\n")[1:] {
				block, _, _ = strings.Cut(block, "```")
				if strings.Contains(block, "…") {
					continue // a part
				}
				if strings.HasPrefix(block, "name: ") || strings.Contains(block, "\nname: ") {
					flows[file+"#"+string(rune('1'+i))] = block
				}
			}
		}
	}
	if len(flows) < 8 {
		t.Fatalf("only %d flows", len(flows))
	}
	for name, text := range flows {
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	files, err := filepath.Glob("../../examples/*/*.yaml")
	must(t, err)
	good, err := os.ReadFile(files[0])
	must(t, err)
	for _, wrong := range [][2]string{{"name: ", "nmae: "}, {"source:", "sauce:"}, {"predict:", "predcit:"}, {"model:", "modell:"}, {"- numeric:", "- numerical:"}, {"tables:", "tabels:"}} {
		text := strings.Replace(string(good), wrong[0], wrong[1], 1)
		if text == string(good) {
			continue
		}
		_, err := config.Parse("flow.yaml", []byte(text), kinds(), func(string) (string, bool) { return "postgres://localhost/x", true })
		if err == nil {
			t.Errorf("%s for %s passes check", wrong[1], wrong[0])
		}
		if err := schema.Validate(asJSON(t, text)); err == nil {
			t.Errorf("%s for %s is valid for an editor", wrong[1], wrong[0])
		}
	}
}
