package main

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
)

// run is the program: it runs one command line and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := newConsole(stdout, stderr)
	c.args = args
	c.json = wantsJSON(args) // for errors of the command line itself
	root := newRootCommand(c)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := checkCommand(root, args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if err != nil {
		return c.fail(err)
	}
	return exitOK
}

// wantsJSON looks for --json in a command line that may not be parsable.
func wantsJSON(args []string) bool {
	for _, a := range args {
		if a == "--" {
			return false
		}
		if a == "--json" {
			return true
		}
		if v, ok := strings.CutPrefix(a, "--json="); ok {
			on, _ := strconv.ParseBool(v)
			return on
		}
	}
	return false
}

func newRootCommand(c *console) *cobra.Command {
	root := &cobra.Command{
		Use:   "spgd",
		Short: "Restore degraded photographs with a diffusion prior",
		Long: `spgd restores degraded photographs: low resolution, missing pixels, blur, noise,
lost colour, lost phase, clipped highlights. What degraded the picture has to be known; a
pretrained diffusion prior supplies what a photograph looks like. The method is SPGD
(stabilised progressive gradient diffusion, arXiv 2507.06656).

Results go to stdout, progress, warnings and errors to stderr.

ENVIRONMENT
  SPGD_ISA  instruction set of the CPU kernels: portable, avx2, avx512 or neon; the best
            that the processor has if it is not set. Results are the same to the byte for
            one instruction set and nearly so across them.
  SPGD_CONV how 3x3 convolutions are computed: direct, winograd or auto (whichever is
            faster, the default). Results differ by rounding.
  SPGD_PJRT_PLUGIN file of the PJRT plugin for --device cuda; see spgd devices.

JSON
  With --json every command prints one JSON object to stdout, and restore with several
  pictures one in a line for each. An error prints 
  {"error": {"code": EXIT STATUS, "message": TEXT}} there too.

` + exitStatusHelp(exitInput, exitCheckpoint, exitMemory, exitDiverged, exitOutput, exitDifferent, exitSome, exitDevice, exitInterrupted),
		Example: `  spgd degrade --task inpaint --mask random:0.8 --noise 0.01 photo.png -o y.png
  spgd restore --task inpaint --mask y.mask.png --noise 0.01 y.png -o restored.png
  spgd compare photo.png restored.png`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return as(errUsage, cpu.CheckISA())
		},
	}
	var version bool
	root.Flags().BoolVar(&version, "version", false, "print the program's version, as spgd version does")
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if version {
			return runVersion(c)
		}
		return cmd.Help()
	}
	root.PersistentFlags().BoolVar(&c.json, "json", c.json, "print the result as JSON")
	root.PersistentFlags().BoolVarP(&c.quiet, "quiet", "q", false, "print neither progress nor log lines, only warnings and errors")
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(
		newRestoreCommand(c),
		newDegradeCommand(c),
		newCompareCommand(c),
		newPriorsCommand(c),
		newBenchCommand(c),
		newAnalyzeCommand(c),
		newDevicesCommand(c),
		newVersionCommand(c),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	return root
}

// checkCommand rejects unknown commands before anything is parsed. The flags that may stand before
// the command take no value.
func checkCommand(root *cobra.Command, args []string) error {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") && args[0] != "--" {
		args = args[1:]
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "__") { // cobra's own, for completion
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		if c.Name() == args[0] {
			if c.Name() == "help" {
				return checkCommand(root, args[1:])
			}
			return nil
		}
		names = append(names, c.Name())
	}
	hint := didYouMean(args[0], names)
	if hint == "" {
		hint = "; see spgd --help"
	}
	return usagef("unknown command %q%s", args[0], hint)
}

// exactArgs asks for n arguments; what says what they are.
func exactArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s takes %s, %d given (spgd %s)", cmd.Name(), what, len(args), cmd.Use)
		}
		return nil
	}
}
