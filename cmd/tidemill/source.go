package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
)

func (a *app) sourceCommand() *cobra.Command {
	c := &cobra.Command{Use: "source", Short: "What a flow keeps at its database",
		Example: "  tidemill source drop flow.yaml",
		Args:    cobra.ArbitraryArgs, RunE: unknownCommand}
	drop := &cobra.Command{
		Use: "drop flow.yaml", Short: "Remove what the flow's source made at the database (slot, publication, triggers)",
		Args: args(1, 1),
		Long: `Removes what the flow's source made at the database: its replication slot and publication,
or its triggers and their log. The flow can then only start anew: tidemill run --fresh.`,
		Example: "  tidemill source drop flow.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			return a.drop(c.Context(), args[0])
		},
	}
	c.AddCommand(drop)
	return c
}

func (a *app) drop(ctx context.Context, path string) error {
	f, err := a.readFlow(path)
	if err != nil {
		return err
	}
	d, ok := f.Flow.Source.(tidemill.Dropper)
	if !ok {
		_, err := fmt.Fprintf(a.out, "the %s keeps nothing outside of the flow: nothing to drop\n", sourceKind(f))
		return err
	}
	if f.Flow.Store != nil {
		// A running flow would lose its source: the lock says whether one runs.
		_, unlock, err := f.Flow.Store.Lock(ctx)
		if err != nil {
			return fmt.Errorf("the flow is running; stop it first: %w", err)
		}
		defer unlock()
	}
	done, err := d.Drop(ctx)
	for _, x := range done {
		fmt.Fprintln(a.out, x)
	}
	if err != nil {
		return err
	}
	if len(done) == 0 {
		fmt.Fprintln(a.out, "there was nothing to drop")
		return nil
	}
	_, err = fmt.Fprintln(a.out, "the flow can only start anew now: tidemill run --fresh "+path)
	return err
}

// sourceKind is "source postgres".
func sourceKind(f *config.File) string {
	for _, p := range f.Parts {
		if strings.HasPrefix(p.Kind, "source ") {
			return p.Kind
		}
	}
	return "source"
}
