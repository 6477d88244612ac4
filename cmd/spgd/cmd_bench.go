package main

import "github.com/spf13/cobra"

func newBenchCommand(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast the program is on this machine",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown benchmark %q: there is engine", args[0])
			}
			return usagef("bench needs the name of a benchmark: engine")
		},
	}
	cmd.AddCommand(newBenchEngineCommand(c))
	return cmd
}
