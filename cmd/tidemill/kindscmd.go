package main

import (
	"fmt"
	"sort"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/expr"
	"github.com/tidemill/tidemill/terminal"
)

func (a *app) kindsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "kinds [name]", Short: "List what a flow file can name, or explain one", Args: args(0, 1),
		Example: "  tidemill kinds\n  tidemill kinds logistic\n  tidemill kinds " + exampleKind(a.kinds) +
			"\n  tidemill kinds flow",
		ValidArgsFunction: a.completeKind,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listKinds()
			}
			return a.explainKind(args[0])
		},
	}
}

// exampleKind is a kind that more than one room has.
func exampleKind(kinds config.Kinds) string {
	for _, kind := range systemsOf(kinds).Kinds() {
		return "source." + kind
	}
	return "flow"
}

func (a *app) listKinds() error {
	room := ""
	for _, p := range config.Reference(a.kinds) {
		word, name, ok := strings.Cut(p.Kind, ".")
		if !ok {
			continue
		}
		if word != room {
			if room != "" {
				fmt.Fprintln(a.out)
			}
			room = word
			fmt.Fprintln(a.out, word)
		}
		fmt.Fprintf(a.out, "  %-15s %s\n", name, a.kinds.Docs[p.Kind])
	}
	_, err := fmt.Fprintln(a.out, "\n`tidemill kinds <name>` explains one, `tidemill kinds flow` the flow file.")
	return err
}

func (a *app) explainKind(name string) error {
	var names []string
	found := false
	for _, p := range config.Reference(a.kinds) {
		_, short, _ := strings.Cut(p.Kind, ".")
		if p.Kind == name || short == name {
			if found {
				fmt.Fprintln(a.out)
			}
			found = true
			fmt.Fprint(a.out, plainText(p.Text))
		}
		names = append(names, p.Kind)
		if short != "" {
			names = append(names, short)
		}
	}
	if found {
		return nil
	}
	if near := expr.Nearest(name, names); near != "" {
		return usage("there is no kind %q; the nearest is %q", name, near)
	}
	sort.Strings(names)
	return usage("there is no kind %q; `tidemill kinds` lists them", name)
}

// plainText makes a page of the reference readable without a Markdown reader.
func plainText(page string) string {
	var b strings.Builder
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "```"), strings.HasPrefix(line, "|---"), strings.HasPrefix(line, "| key |"):
			continue
		case strings.HasPrefix(line, "| "):
			cells := strings.Split(strings.ReplaceAll(strings.Trim(line, "| "), `\|`, "¦"), " | ")
			if len(cells) == 3 {
				key, text := strings.Trim(cells[0], "`"), strings.NewReplacer("**", "", "¦", "|", "&lt;", "<").Replace(cells[2])
				fmt.Fprintf(&b, "%s (%s)\n", key, unlink(cells[1]))
				for _, l := range terminal.Wrap(text, 92) {
					b.WriteString("    " + l + "\n")
				}
			}
			continue
		}
		if strings.HasPrefix(line, "#") {
			line = strings.TrimLeft(line, "# ")
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func unlink(s string) string {
	for {
		i, j := strings.Index(s, "["), strings.Index(s, "](")
		if i < 0 || j < i {
			return s
		}
		k := strings.Index(s[j:], ")")
		if k < 0 {
			return s
		}
		s = s[:i] + s[i+1:j] + s[j+k+1:]
	}
}
