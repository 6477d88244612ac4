package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed-0f004ec9/spgd/prior"
)

func newPriorsCommand(c *console) *cobra.Command {
	return &cobra.Command{
		Use:   "priors",
		Short: "List the priors that come with the program, with their cards",
		Long: `List the priors that come with the program: what each one is, what it was trained
on, how good it is and what it cannot do. Those that are embedded are named with
--prior; the others are files of the source repository, given by path. With --json:
{"priors": [CARD, ...]}.

` + exitStatusHelp(exitOutput),
		Example: "  spgd priors",
		Args:    exactArgs(0, "no argument"),
		RunE:    func(*cobra.Command, []string) error { return runPriors(c) },
	}
}

// priorsList is the JSON form of the result.
type priorsList struct {
	Priors []prior.Card `json:"priors"`
}

func runPriors(c *console) error {
	cards := prior.List()
	if c.json {
		return c.printJSON(priorsList{cards})
	}
	for i, p := range cards {
		if i > 0 {
			if err := c.printf("\n"); err != nil {
				return err
			}
		}
		where := "embedded: --prior " + p.Name
		switch {
		case !p.Embedded:
			where = "not embedded: --prior " + p.File
		case p.Name == defaultPrior:
			where += ", the default"
		}
		err := c.printf("%s (%s)\n", p.Name, where)
		for _, line := range [][2]string{
			{"size", fmt.Sprintf("%.2f million parameters, %.1f GFLOP a forward pass at 256x256", float64(p.Parameters)/1e6, p.GFLOP)},
			{"model", p.Model},
			{"training", p.Training},
			{"quality", p.Quality},
			{"limits", p.Limits},
			{"licence", p.Licence},
		} {
			if err == nil {
				err = c.printf("  %-9s %s\n", line[0], line[1])
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
