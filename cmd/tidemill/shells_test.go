package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// completed are command lines, ended by a bar where Tab is pressed, and all that can come next.
func completed() []struct{ line, want string } {
	return []struct{ line, want string }{
		{"tidemill che|", "check"},
		{"tidemill check |", "flows/ shop.yaml"},
		{"tidemill check s|", "shop.yaml"},
		{"tidemill run flows/|", "flows/iris.yml"},
		{"tidemill predict shop.yaml |", "digit.png flows/ row.json"},
		{"tidemill predict shop.yaml row.json --task |", "amount returned"},
		{"tidemill predict shop.yaml row.json --task r|", "returned"},
		{"tidemill kinds logi|", "logistic"},
		{"tidemill kinds source.|", "source.file source.postgres source.sqlite"},
		{"tidemill demo f|", "flights"},
		{"tidemill check shop.yaml --conn|", "--connect"},
		{"tidemill --color a|", "always auto"},
		{"tidemill source d|", "drop"},
		{"tidemill check shop.yaml |", ""},
	}
}

// completionFolder is a folder with what there is to complete, and an environment in which tidemill is found.
func completionFolder(t *testing.T) (dir string, env []string) {
	dir = t.TempDir()
	for name, text := range map[string]string{"shop.yaml": completionFlow, "row.json": "{}", "notes.txt": "", "flows/iris.yml": completionFlow, "digit.png": ""} {
		must(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	home := t.TempDir() // a shell keeps things there
	return dir, append(os.Environ(), "PATH="+filepath.Dir(binary)+string(os.PathListSeparator)+os.Getenv("PATH"), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "ZDOTDIR="+home)
}

// said are the words that a shell wrote, one a line, sorted, without their descriptions.
func said(out string) string {
	var words []string
	for w := range strings.Lines(out) {
		if w := strings.Fields(w); len(w) > 0 {
			words = append(words, w[0])
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// TestFishCompletes has fish itself complete.
func TestFishCompletes(t *testing.T) {
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Fatal("this test needs fish: apt-get install fish")
	}
	dir, env := completionFolder(t)
	for _, c := range completed() {
		cmd := exec.Command(fish, "--no-config", "-c", "tidemill completion fish | source; complete -C $argv[1]", strings.TrimSuffix(c.line, "|"))
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		if got := said(string(out)); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q (%v)\n%s", c.line, got, c.want, err, out)
		}
	}
}

// zshTypes has an interactive zsh on a terminal of its own complete lines: its arguments are a line and the words that can
// come next, in turn. Of several words it waits until all are shown. It writes the line as it is after Tab, behind "TYPED:".
const zshTypes = `zmodload zsh/zpty
export told=$PWD/../zsh.out; : >$told
zpty -b z 'TERM=dumb zsh -f -i'
waits() { # until what is told has the first word, and the screen all others
  local end=$((SECONDS + 60)) c w all
  screen=
  while :; do
    zpty -r -t z c && screen+=$c || sleep 0.02
    all=1
    for w in "${@:2}"; do [[ $screen == *$w* ]] || all=; done
    [[ $all && "$(<$told)" == *$1* ]] && return
    (( SECONDS < end )) || { print -r -- "no $*: $screen"; exit 3 }
  done
}
zpty -w z 'autoload -U compinit; compinit -u -D; source <(tidemill completion zsh); PS1='
zpty -w z 'tidemill() { command tidemill "$@"; print ASKED >>$told }'
zpty -w z 'typed() { print -r -- "TYPED:$BUFFER:" >>$told; BUFFER= }; zle -N typed; bindkey "^X^D" typed; print READY >>$told'
waits READY
for line want; do
  : >$told
  zpty -n -w z "$line"$'\t'
  words=(${=want})
  (( $#words > 1 )) && waits ASKED $words || waits ASKED
  zpty -n -w z $'\x18\x04'
  waits TYPED
  grep '^TYPED' $told
done
exit 0
`

// TestZshCompletes has zsh itself complete, as at a terminal.
func TestZshCompletes(t *testing.T) {
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Fatal("this test needs zsh: apt-get install zsh")
	}
	dir, env := completionFolder(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	args := []string{"-f", "-c", zshTypes, "zsh"}
	var want strings.Builder
	for _, c := range completed() {
		line := strings.TrimSuffix(c.line, "|")
		args = append(args, line, c.want)
		if words := strings.Fields(c.want); len(words) == 1 { // what is typed is made whole
			line = line[:strings.LastIndex(line, " ")+1] + words[0] + " "
		}
		want.WriteString("TYPED:" + line + ":\n")
	}
	cmd := exec.CommandContext(ctx, zsh, args...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != want.String() {
		t.Errorf("%v\n%s\nwant\n%s", err, out, want.String())
	}
}
