package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tidemill/tidemill/config"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema [file]", Short: "Print the JSON Schema of the flow file, for editors", Args: args(0, 1),
		Long: `Prints a JSON Schema (draft 7) of the flow file. An editor with a YAML language server
completes and explains a flow whose first line names the file:

  # yaml-language-server: $schema=tidemill.schema.json`,
		Example: "  tidemill schema tidemill.schema.json\n  tidemill schema | jq .properties",
		RunE: func(_ *cobra.Command, args []string) error {
			data, err := config.Schema(a.kinds)
			if err != nil {
				return err
			}
			data = append(data, '\n')
			if len(args) == 0 {
				_, err = a.out.Write(data)
				return err
			}
			if err := os.WriteFile(args[0], data, 0o644); err != nil {
				return &failure{exitEnvironment, err}
			}
			_, err = fmt.Fprintf(a.err, "wrote %s; put this first in a flow file:\n# yaml-language-server: $schema=%s\n",
				args[0], args[0])
			return err
		},
	}
}
