// Command tidemill runs flows: it learns from a database as it changes.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/expr"
)

func main() {
	a := &app{console: console{in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv}, kinds: kinds()}
	ctx, stop := signals(a.err)
	defer stop()
	os.Exit(a.run(ctx, os.Args[1:]))
}

// app is what the commands share.
type app struct {
	console
	kinds config.Kinds
}

// The exit codes, part of the interface.
const (
	exitOK          = 0
	exitRuntime     = 1 // the flow failed
	exitValidation  = 2 // the flow file or the command line is wrong
	exitEnvironment = 3 // a database is down or refuses, the state is locked
	exitAgain       = 130
)

// signals gives a context that the first SIGINT or SIGTERM ends; the second ends the process at once.
func signals(w io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-c
		fmt.Fprintln(w, "stopping: what has arrived is finished and saved; once more ends at once")
		cancel()
		<-c
		os.Exit(exitAgain)
	}()
	return ctx, func() { signal.Stop(c); cancel() }
}

// run runs one command line and gives its exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	return a.report(root.ExecuteContext(ctx))
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "tidemill",
		Short: "Learn from a database as it changes",
		Long: `Tidemill reads a database's own log, turns changes into features, predicts on the row
that arrives and learns from the row that carries the truth.

Exit codes: 0 done, or stopped on request; 1 the flow failed; 2 the flow file or the command
line is wrong; 3 a database is down or refuses, or another process has the state; 130 ended by
a second signal.`,
		Example: "  tidemill demo mnist\n  tidemill init " + exampleOf(a.kinds, true) +
			" > flow.yaml\n  tidemill check flow.yaml --connect\n  tidemill run flow.yaml",
		SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs, RunE: unknownCommand,
	}
	root.PersistentFlags().StringVar(&a.color, "color", "auto", "colours: auto, always, never")
	root.PersistentFlags().StringVar(&a.log, "log", "text", "logs on standard error: text, json")
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		if a.color != "auto" && a.color != "always" && a.color != "never" {
			return usage("--color takes auto, always or never, not %q", a.color)
		}
		if a.log != "text" && a.log != "json" {
			return usage("--log takes text or json, not %q", a.log)
		}
		return nil
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%v\nsee `%s --help`", err, c.CommandPath())
	})
	root.AddCommand(a.commands()...)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	groupCommands(root)
	a.complete(root)
	return root
}

// groupCommands puts the commands in the order of a day with them, and gives those that the library makes their
// examples.
func groupCommands(root *cobra.Command) {
	for _, g := range []struct{ id, title, commands string }{
		{"begin", "From a database to a flow that runs:", " demo init check run "},
		{"learned", "What was learned:", " state predict report evaluate "},
		{"more", "More:", " kinds schema source version completion help "},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range root.Commands() {
			if strings.Contains(g.commands, " "+c.Name()+" ") {
				c.GroupID = g.id
			}
		}
	}
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Example = "  tidemill help run"
			c.Run, c.RunE = nil, func(c *cobra.Command, args []string) error {
				of, _, err := c.Root().Find(args)
				if err != nil || len(args) > 0 && of == c.Root() {
					return unknownCommand(c.Root(), args)
				}
				return of.Help()
			}
		case "completion":
			c.Example = "  source <(tidemill completion bash)"
			c.Args, c.RunE = cobra.ArbitraryArgs, unknownCommand
			for _, x := range c.Commands() {
				x.Example = map[string]string{
					"bash":       "  source <(tidemill completion bash)\n  tidemill completion bash > /etc/bash_completion.d/tidemill",
					"zsh":        "  tidemill completion zsh > \"${fpath[1]}/_tidemill\"",
					"fish":       "  tidemill completion fish > ~/.config/fish/completions/tidemill.fish",
					"powershell": "  tidemill completion powershell | Out-String | Invoke-Expression",
				}[x.Name()]
			}
		}
	}
}

// unknownCommand is what a command does that only has commands under it.
func unknownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	var names []string
	for _, x := range c.Commands() {
		names = append(names, x.Name())
	}
	if near := expr.Nearest(args[0], names); near != "" {
		return usage("%s has no command %q; the nearest is %q", c.CommandPath(), args[0], near)
	}
	return usage("%s has no command %q; see `%s --help`", c.CommandPath(), args[0], c.CommandPath())
}

// commands are all commands, in the order of a day with them.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.demoCommand(), a.initCommand(), a.checkCommand(), a.runCommand(), a.stateCommand(), a.predictCommand(),
		a.evaluateCommand(), a.reportCommand(), a.sourceCommand(),
		a.kindsCommand(), a.schemaCommand(), a.versionCommand(), a.manCommand(),
	}
}

// failure is an error with its exit code.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// silent is an error that is already told.
type silent struct{ code int }

func (s *silent) Error() string { return "" }

func usage(format string, a ...any) error {
	return &failure{exitValidation, fmt.Errorf(format, a...)}
}

// args is the number of arguments that a command takes, with an error that shows how it is called.
func args(min, max int) cobra.PositionalArgs {
	return func(c *cobra.Command, got []string) error {
		if len(got) >= min && len(got) <= max {
			return nil
		}
		return usage("it is called as: %s", c.UseLine())
	}
}

// report tells an error and gives the exit code.
func (a *app) report(err error) int {
	if err == nil {
		return exitOK
	}
	var told *silent
	if errors.As(err, &told) {
		return told.code
	}
	var wrong config.Errors
	if errors.As(err, &wrong) {
		fmt.Fprint(a.err, wrong.Render(a.colour(a.err)))
		return exitValidation
	}
	red, off := "", ""
	if a.colour(a.err) {
		red, off = "\x1b[31m", "\x1b[0m"
	}
	fmt.Fprintf(a.err, "%stidemill: %v%s\n", red, err, off)
	var f *failure
	if errors.As(err, &f) {
		return f.code
	}
	return a.codeOf(err)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readFlow reads and checks a flow file.
func (a *app) readFlow(path string) (*config.File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, usage("there is no flow file %s; `tidemill init` writes one", path)
		}
		return nil, &failure{exitEnvironment, err}
	}
	return config.Parse(path, data, a.kinds, a.env)
}

// placed puts an error of the engine at its place in the flow file, where it names one.
func (a *app) placed(f *config.File, err error) error {
	var wrong config.Errors
	if err == nil || errors.As(err, &wrong) {
		return err
	}
	if e := f.Explain(err); e != nil && a.codeOf(err) != exitEnvironment && !errors.Is(err, tidemill.ErrNotReady) {
		return config.Errors{e}
	}
	return err
}
