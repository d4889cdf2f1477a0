package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  tidemill version", Args: args(0, 0),
		RunE: func(*cobra.Command, []string) error {
			version, revision := "devel", ""
			if b, ok := debug.ReadBuildInfo(); ok {
				if v := b.Main.Version; v != "" && v != "(devel)" {
					version = v
				}
				for _, s := range b.Settings {
					if s.Key == "vcs.revision" && len(s.Value) >= 12 {
						revision = " " + s.Value[:12]
					}
				}
			}
			_, err := fmt.Fprintf(a.out, "tidemill %s%s %s %s/%s\n", version, revision, runtime.Version(), runtime.GOOS,
				runtime.GOARCH)
			return err
		},
	}
}
