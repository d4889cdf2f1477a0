package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/store"
)

func (a *app) checkCommand() *cobra.Command {
	var connect, asJSON bool
	c := &cobra.Command{
		Use: "check flow.yaml", Short: "Check a flow file, and print it with every default filled in", Args: args(1, 1),
		Long: `Reads the flow file and checks every word of it. What is printed is the same flow with
every default filled in; secrets are "***". With --connect it also looks at the databases,
without changing anything: what is missing there is told with what mends it.

Exit code 2: the flow file is wrong. 3: something outside of it is.`,
		Example: "  tidemill check flow.yaml\n  tidemill check flow.yaml --connect",
		RunE: func(c *cobra.Command, args []string) error {
			return a.check(c.Context(), args[0], connect, asJSON)
		},
	}
	c.Flags().BoolVar(&connect, "connect", false, "look at the databases and the state folder too")
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return c
}

// checked is what `check --json` prints.
type checked struct {
	Command  string             `json:"command"`
	OK       bool               `json:"ok"`
	Flow     string             `json:"flow,omitempty"` // YAML with every default
	Errors   []*wrongWord       `json:"errors"`
	Findings []tidemill.Finding `json:"findings,omitempty"`
}

type wrongWord struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path,omitempty"`
	Reason string `json:"reason"`
}

func (a *app) check(ctx context.Context, path string, connect, asJSON bool) error {
	f, err := a.readFlow(path)
	out := checked{Command: "check", OK: err == nil, Errors: []*wrongWord{}}
	var wrong config.Errors
	if err != nil && !errors.As(err, &wrong) {
		return err
	}
	if err == nil {
		wrong = engineRules(ctx, f)
		out.Flow = f.YAML()
		if connect {
			var tables config.Errors
			out.Findings, tables = look(ctx, f)
			wrong = append(wrong, tables...)
		}
	}
	for _, w := range wrong {
		out.Errors = append(out.Errors, &wrongWord{w.File, w.Line, w.Col, w.Path, w.Reason})
	}
	bad := 0
	for _, x := range out.Findings {
		if x.Level == "error" {
			bad++
		}
	}
	out.OK = len(wrong) == 0 && bad == 0
	if asJSON {
		if err := a.printJSON(out); err != nil {
			return err
		}
	} else {
		if out.Flow != "" {
			fmt.Fprint(a.out, out.Flow)
		}
		a.printFindings(f, out.Findings)
		fmt.Fprint(a.err, wrong.Render(a.colour(a.err)))
	}
	switch {
	case len(wrong) > 0:
		return &silent{exitValidation}
	case bad > 0:
		return &silent{exitEnvironment}
	}
	return nil
}

// engineRules asks the engine what it would refuse at once, whatever the database holds: it is opened on an empty
// store.
func engineRules(ctx context.Context, f *config.File) config.Errors {
	flow := f.Flow
	flow.Store = store.Memory()
	_, err := engine.Open(ctx, flow)
	if err == nil || errors.Is(err, tidemill.ErrNotReady) {
		return nil
	}
	if e := f.Explain(err); e != nil {
		return config.Errors{e}
	}
	return config.Errors{f.At("", err.Error())}
}

// checkTime is how long one part may take to answer.
const checkTime = 15 * time.Second

// look asks every part of the flow what it finds, and compares the flow with the tables as they are.
func look(ctx context.Context, f *config.File) (found []tidemill.Finding, wrong config.Errors) {
	for _, part := range f.Parts {
		c, ok := part.Built.(tidemill.Checker)
		if !ok {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, checkTime)
		list := c.Check(ctx)
		cancel()
		for _, x := range list {
			x.Path = pathIn(part.Path, x.Path)
			found = append(found, x)
		}
	}
	lister, ok := f.Flow.Source.(tidemill.TableLister)
	if !ok {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	tables, err := lister.Tables(ctx)
	if err != nil {
		for _, x := range found {
			if x.Level == "error" && strings.HasPrefix(x.Path, "source") {
				return found, nil // told already, with its mend
			}
		}
		return append(found, tidemill.Finding{Path: "source", Level: "error", Text: err.Error()}), nil
	}
	if err := f.CheckTables(tables); err != nil {
		errors.As(err, &wrong)
	}
	return append(append(found, wantsKey(f, tables)...), wantsBefore(f, tables)...), wrong
}

// pathIn is where a part's finding stands in the flow: a part knows its kind, not whether it is the first sink.
func pathIn(part, path string) string {
	if path == "" || strings.HasPrefix(path, part) {
		return join2(part, strings.TrimPrefix(strings.TrimPrefix(path, part), "."))
	}
	kind := part[strings.LastIndexByte(part, '.')+1:]
	if i := strings.Index(path, kind); i >= 0 {
		return join2(part, strings.TrimPrefix(path[i+len(kind):], "."))
	}
	return part
}

func join2(a, b string) string {
	if b == "" {
		return a
	}
	return a + "." + b
}
