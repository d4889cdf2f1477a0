package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// manCommand prints the manual page, made of the same words as --help.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use: "man", Short: "Print the manual page", Args: args(0, 0), Hidden: true,
		Long:    "Prints the manual page in the format of man(7), for packages: section 1, name tidemill.",
		Example: "  tidemill man | man -l -",
		RunE: func(c *cobra.Command, _ []string) error {
			return manPage(a.out, c.Root())
		},
	}
}

func manPage(w io.Writer, root *cobra.Command) error {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH TIDEMILL 1 \"\" \"tidemill\" \"User Commands\"\n.SH NAME\ntidemill \\- %s\n",
		roff(lowerFirst(root.Short)))
	b.WriteString(".SH SYNOPSIS\n.B tidemill\n.I command\n[\\fIflags\\fR]\n.SH DESCRIPTION\n" + roff(root.Long) +
		"\n.SH COMMANDS\n")
	manCommands(&b, root)
	b.WriteString(".SH FLAGS OF ALL COMMANDS\n")
	b.WriteString(verbatim(root.PersistentFlags().FlagUsages()))
	b.WriteString(".SH EXIT STATUS\n")
	for _, x := range []struct{ code, means string }{{"0", "done, or stopped on request"}, {"1", "the flow failed"},
		{"2", "the flow file or the command line is wrong"},
		{"3", "a database is down or refuses, or another process has the state"}, {"130", "ended by a second signal"}} {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", x.code, roff(x.means))
	}
	b.WriteString(".SH EXAMPLES\n" + verbatim(root.Example))
	_, err := io.WriteString(w, b.String())
	return err
}

// manCommands writes the commands under c, and those under them.
func manCommands(b *strings.Builder, c *cobra.Command) {
	for _, x := range c.Commands() {
		if x.Hidden || x.Name() == "help" || x.Name() == "completion" {
			continue
		}
		if x.HasSubCommands() {
			manCommands(b, x)
			continue
		}
		text := x.Long
		if text == "" {
			text = x.Short + "."
		}
		fmt.Fprintf(b, ".SS %s\n%s\n", roff(strings.TrimPrefix(x.UseLine(), "tidemill ")), roff(text))
		b.WriteString(verbatim(x.LocalNonPersistentFlags().FlagUsages()) + verbatim(x.Example))
	}
}

// verbatim keeps lines as they are.
func verbatim(text string) string {
	if text == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(".PP\n.nf\n")
	for line := range strings.Lines(text) {
		b.WriteString("\\&" + strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(strings.TrimRight(line, "\n")) + "\n")
	}
	return b.String() + ".fi\n"
}

// roff escapes what troff would take for its own; an empty line is a paragraph.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(strings.TrimSpace(text))
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		switch {
		case l == "":
			lines[i] = ".PP"
		case l[0] == '.' || l[0] == '\'':
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }
