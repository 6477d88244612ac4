package main

import (
	"github.com/spf13/cobra"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/report"
)

func newVersionCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the program's version and the instruction set it uses",
		Long:    "Print the program's version, its source revision and the instruction set it uses.\n\n" + exitStatusHelp(exitOutput),
		Example: "  spgd version --json",
		Args:    exactArgs(0, "no argument"),
		RunE:    func(*cobra.Command, []string) error { return runVersion(c) },
	}
}

// versionInfo is the JSON form of the result.
type versionInfo struct {
	report.Program
	ISA string `json:"isa"`
}

func runVersion(c *console) error {
	v := versionInfo{report.ThisProgram(), cpu.ISA()}
	if c.json {
		return c.printJSON(v)
	}
	revision := ""
	if v.Revision != "" {
		revision = ", revision " + v.Revision
	}
	return c.printf("spgd %s%s, %s, %s, %s kernels\n", v.Version, revision, v.Go, v.Platform, v.ISA)
}
