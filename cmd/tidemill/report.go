package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/draft"
	"github.com/tidemill/tidemill/engine"
	"github.com/tidemill/tidemill/report"
)

func (a *app) reportCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "report [flow.yaml]", Short: "Write one HTML file about what a flow has learned", Args: args(0, 1),
		Long: `Writes one HTML file that needs nothing else: learning curve, scores and confusion from the
flow's newest checkpoint; ROC, precision and recall, calibration, label delay and examples of
right and wrong from what a sink of the flow has kept (` + draft.Listed(keepers(a.kinds), " or ") + `). It takes no
lock: it works also while the flow runs.`,
		Example: "  tidemill report flow.yaml\n  tidemill report flow.yaml -o monday.html",
		RunE: func(c *cobra.Command, args []string) error {
			path := defaultFlow
			if len(args) == 1 {
				path = args[0]
			}
			return a.writeReport(c.Context(), path, out)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "report.html", "the file; - is standard output")
	return c
}

func (a *app) writeReport(ctx context.Context, path, out string) error {
	f, err := a.readFlow(path)
	if err != nil {
		return err
	}
	r, err := engine.Open(ctx, f.Flow)
	if err != nil {
		return hint(path, a.placed(f, err))
	}
	s := r.Status()
	// of this reader alone
	s.Events = slices.DeleteFunc(s.Events, func(e engine.EventStatus) bool { return e.Kind == "resume" })
	gather := report.Gatherer{Flow: &f.Flow, Keep: draft.Listed(keepers(a.kinds), " and "), Say: a.say}
	var b bytes.Buffer
	if err := report.Write(&b, s, gather.Answers(ctx, r, s)); err != nil {
		return err
	}
	if out == "-" {
		_, err := a.out.Write(b.Bytes())
		return err
	}
	if err := replaceFile(out, b.Bytes()); err != nil {
		return &failure{exitEnvironment, err}
	}
	a.say("%s: %s of %s", out, bytesText(b.Len()), s.Flow)
	return nil
}

// replaceFile writes a file whole or not at all.
func replaceFile(path string, data []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = t.Write(data)
	if err == nil {
		err = t.Chmod(0o644)
	}
	if err2 := t.Close(); err == nil {
		err = err2
	}
	if err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		os.Remove(t.Name())
	}
	return err
}

func bytesText(n int) string {
	if n < 10<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// keepers are the kinds of sinks that keep answers.
func keepers(kinds config.Kinds) (names []string) {
	for name, kind := range kinds.Sinks {
		if sink, err := config.ExampleOf(kind); err == nil {
			if _, ok := sink.(tidemill.Recaller); ok {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
