package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/config"
	"github.com/tidemill/tidemill/draft"
)

// systemsOf are the systems of the kinds of sources, which have words of their own.
func systemsOf(kinds config.Kinds) draft.Systems {
	all := draft.Systems{}
	for name, kind := range kinds.Sources {
		if s, ok := kind().(tidemill.System); ok {
			all[name] = s
		}
	}
	return all
}

// exampleOf is a place that could be typed: of the first system with URLs, or of the first with files.
func exampleOf(kinds config.Kinds, urls bool) string {
	if words := systemsOf(kinds).Words(urls); len(words) > 0 {
		return words[0].Example
	}
	return "rows.csv"
}

func (a *app) initCommand() *cobra.Command {
	o := draft.Options{Systems: systemsOf(a.kinds), Schema: config.SchemaID}
	var places []string
	for _, kind := range o.Systems.Kinds() {
		places = append(places, o.Systems[kind].Words().Usage)
	}
	c := &cobra.Command{
		Use: "init " + strings.Join(places, "|"), Short: "Look at a database and write a flow file for it", Args: args(1, 1),
		Long: "Looks at a database's tables, or at a file's rows, picks a table, guesses which column is the answer and " +
			`which ones can
be features, and prints a commented flow file. Nothing is changed at the database. Read it
before it is run: the guess is by names and values, and only people know what a column means.`,
		Example: "  tidemill init " + exampleOf(a.kinds, true) + " > flow.yaml\n" +
			"  tidemill init " + exampleOf(a.kinds, false) + " --table orders --label returned > flow.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			defer cancel()
			o.Place = args[0]
			return a.initFlow(ctx, o)
		},
	}
	c.Flags().StringVar(&o.Table, "table", "", "the table to ask about; by default the one that suits best")
	c.Flags().StringVar(&o.Label, "label", "", "the column that is the answer")
	return c
}

func (a *app) initFlow(ctx context.Context, o draft.Options) error {
	o.Passed = func(t *tidemill.Table, err error) { fmt.Fprintf(a.err, "table %s is passed over: %v\n", t, err) }
	text, hint, err := draft.Write(ctx, o)
	if err != nil {
		if wrong := (*tidemill.UsageError)(nil); errors.As(err, &wrong) {
			return err
		}
		return &failure{exitEnvironment, err}
	}
	if _, err := io.WriteString(a.out, text); err != nil {
		return err
	}
	if hint != "" {
		hint += "\n"
	}
	_, err = fmt.Fprintln(a.err, hint+"next: tidemill check flow.yaml --connect")
	return err
}
