package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill/demo"
	"github.com/tidemill/tidemill/expr"
)

func (a *app) demoCommand() *cobra.Command {
	var o demo.Options
	c := &cobra.Command{
		Use:   "demo NAME",
		Short: "Run a demonstration with real data: " + strings.Join(demo.Names(), ", "),
		Long:  demo.Long, Example: demo.Example,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && slices.Contains(demo.Names(), args[0]) {
				return nil
			}
			names := strings.Join(demo.Names(), ", ")
			if len(args) != 1 {
				return usage("it is called as: tidemill demo NAME, with one of %s", names)
			}
			if near := expr.Nearest(args[0], demo.Names()); near != "" {
				return usage("there is no demo %q; the nearest is %q", args[0], near)
			}
			return usage("there is no demo %q; there are %s", args[0], names)
		},
		ValidArgs: demo.Names(),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := demo.CheckSource(o.Source); err != nil {
				return usage("%v", err)
			}
			o.Kinds, o.Out, o.Err, o.Terminal, o.PeakRSS = a.kinds, a.out, a.err, isTerminal(a.err), peakRSS
			o.Colour = a.colour(a.out) && (!o.JSON || a.colour(a.err))
			err := demo.Run(cmd.Context(), args[0], o)
			if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
				return nil // the user ended it
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&o.Source, "source", "", demo.SourceUsage)
	f.StringVar(&o.Dir, "dir", "", "where the demo lives (default ./tidemill-demo/NAME)")
	f.BoolVar(&o.Once, "once", false, "end when all is done instead of serving until Ctrl-C")
	f.BoolVar(&o.JSON, "json", false, "one JSON object on the last line of standard output")
	f.IntVar(&o.Rows, "rows", 0, "stream this many rows only (default all)")
	return c
}
