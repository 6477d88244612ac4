package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/bench"
)

// Files of a benchmark's folder.
const (
	benchJournal  = "cells.jsonl"
	benchMarkdown = "table.md"
	benchCSV      = "table.csv"
	benchJSON     = "table.json"
	benchPictures = "pictures" // a folder
)

// taskSyntax is how bench and analyze are told a task.
const taskSyntax = `OPERATOR@NOISE: sr:FACTOR, inpaint:random:FRACTION, inpaint:box:SIZE, deblur:gaussian:STD,
  deblur:motion:LENGTH:ANGLE, deblur:motion:random:INTENSITY, denoise, colorize, phase or
  hdr, and the noise's standard deviation, @0.01 or @poisson:0.01`

// benchOptions are the flags of bench.
type benchOptions struct {
	engineOptions
	priorOptions
	tileOptions
	suite, reference        string
	tasks, methods, weights []string
	with                    []string
	size, seeds, nfe        int
	output, report          string
	noTiming, pictures      bool
}

// AddFlags adds them.
func (o *benchOptions) AddFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVarP(&o.output, "output", "o", "", "`FOLDER` for the cells and the tables, made if it does not exist; without it nothing is kept")
	addChoice(f, &o.suite, "suite", "suite", "", "tasks and methods by name, see SUITES above", bench.SuiteNames())
	f.StringArrayVar(&o.tasks, "task", nil, "`TASK` such as sr:4@0.01, may be given several times, see TASKS above")
	f.StringArrayVar(&o.methods, "method", nil, "`METHOD` such as dps or dps:scale=0.5,steps=100, may be given several times")
	f.StringVar(&o.reference, "reference", "", "`METHOD` that the others are compared with (default the first)")
	f.IntVar(&o.seeds, "seeds", 1, "`NUMBER` of seeds, from 0, for each of which masks, kernels, noise and start are drawn")
	f.IntVar(&o.size, "size", bench.DefaultSize, "side of the central square of each image in `PIXELS`")
	f.IntVar(&o.nfe, "nfe", 0, "evaluations `NUMBER` of the prior that every method gets, as near as its steps allow (default its\n"+
		"authors' steps)")
	addLPIPS(f, &o.weights)
	f.StringArrayVar(&o.with, "with", nil, "`FOLDER` of another benchmark, whose cells of the same input and settings count as computed, whatever\n"+
		"build or machine they are from; may be given several times")
	f.BoolVar(&o.pictures, "pictures", false, "keep the restored pictures in FOLDER/"+benchPictures+", and show some of them on the page of --report")
	f.StringVar(&o.report, "report", "", "`FILE` for a web page with the tables and the images")
	f.BoolVar(&o.noTiming, "no-timing", false, "leave times and memory out of the tables, which are then the same whenever the cells were computed")
	o.tileOptions.AddFlags(f)
	o.priorOptions.AddFlags(f)
	o.engineOptions.AddFlags(f)
	o.addDevice(f)
}

func newBenchCommand(c *console) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench FILE.yaml | IMAGE...",
		Short: "Compare restoration methods on images, tasks and seeds",
		Long: `Degrade images, restore them by several methods, and print tables of the results: means
and deviations over images and seeds, and the differences of every method from a reference
method with intervals and a mark of significance. IMAGE is a picture, a folder or a
pattern; the central square of each is used.

FILE.yaml holds the names of the flags below without dashes, lists for those that may be
given several times (tasks, methods, lpips), and images. seeds may be a list, and a
method may be written as {method: dps, set: {scale: 0.5}, label: strong}. Flags go before
what the file says.

Every restoration is a cell. With -o FOLDER it is kept in FOLDER/` + benchJournal + ` as soon as it is
finished, under the SHA-256 of everything that determines it, and the same command
computes what is missing: after an interruption, with more images, seeds or methods. The
tables are made of the cells alone, and written to ` + benchMarkdown + `, ` + benchCSV + ` and ` + benchJSON + `.
Each image and seed has its own mask, kernel, noise and start, which all methods share;
"spgd degrade" and "spgd restore" with the cell's draw_seed repeat them.

As in "spgd restore", images larger than 256 pixels are cut into tiles for the prior, so that what is measured is
what a user gets (restore alone takes smaller ones for want of memory). --tile sets the tiles, --tile off keeps images
whole. Cells of other tiles are other cells; an image that stays whole has one, whatever --tile says.

Another version of the program, or another kind of processor, computes every cell anew. --with FOLDER takes
those that are in FOLDER, for a table of several builds or machines: it tells which methods' cells are from
where. What is in -o counts first, then the first FOLDER that has a cell.

A method that does not apply to a task, or diverges, is reported in the tables.

TASKS
  ` + taskSyntax + `. phase@0.05*4 takes the
  best of four starts by its residual. Phase retrieval does not tell a picture from the same
  turned by 180 degrees: the better of the two is measured, and the tables have the rate of success

SUITES
` + bench.SuiteHelp() + `
` + methodHelp() + `Settings of a method follow its name; spgd takes preset=posterior, preset=paper and preset=released too. With
mean-of=K the result of any method is the mean of K samples (see spgd restore --help), at K times
the evaluations of the prior, which --nfe counts. With noise=auto a method is told the noise that is
estimated from the measurement, as "spgd restore --noise auto" does, instead of the true one.

MEASURES
  PSNR, SSIM, MS-SSIM, HaarPSI, MDSI (the lower the better) and, with --lpips, LPIPS (likewise)

` + exitStatusHelp(exitInput, exitCheckpoint, exitMemory, exitOutput, exitDevice, exitInterrupted),
		Example: `  spgd bench photos --suite linear --method spgd --method ddnm+ --seeds 3 -o results
  spgd bench a.png b.png --task sr:4@0.01 --method spgd --method spgd:adm=off --nfe 60
  spgd bench photos --task sr:4@0.01 --method spgd --method spgd:mean-of=4 --method dps:mean-of=4
  spgd bench compare.yaml -o results
  spgd bench compare.yaml -o both --with results --with results-of-another-machine`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBench(cmd.Context(), c, &o, cmd.Flags(), args)
		},
	}
	o.AddFlags(cmd.Flags())
	cmd.AddCommand(newBenchEngineCommand(c))
	return cmd
}

// spec is what the file and the flags ask for; flags that are given replace what the file says.
func (o *benchOptions) spec(f *pflag.FlagSet, args []string) (*bench.Spec, error) {
	s := &bench.Spec{}
	switch {
	case len(args) == 0:
		return nil, usagef("bench needs a YAML file or images")
	case isYAML(args[0]):
		if len(args) > 1 {
			return nil, usagef("bench takes one YAML file, which names the images")
		}
		var err error
		if s, err = bench.ReadSpec(args[0]); err != nil {
			return nil, err
		}
	default:
		s.Images = args
	}
	set := func(name string, missing bool, assign func()) {
		if f.Changed(name) || missing {
			assign()
		}
	}
	var err error
	set("suite", false, func() { s.Suite = o.suite })
	set("task", false, func() { s.Tasks = o.tasks })
	set("method", false, func() {
		s.Methods = nil
		for _, text := range o.methods {
			m, bad := bench.ParseMethod(text)
			s.Methods, err = append(s.Methods, m), errors.Join(err, bad)
		}
	})
	set("reference", false, func() { s.Reference = o.reference })
	set("seeds", len(s.Seeds) == 0, func() {
		if o.seeds < 1 || o.seeds > 1000 {
			err = errors.Join(err, usagef("--seeds %d: there must be 1 to 1000", o.seeds))
			return
		}
		s.Seeds = bench.FirstSeeds(o.seeds)
	})
	set("size", s.Size == 0, func() {
		if s.Size = o.size; o.size < 1 {
			err = errors.Join(err, usagef("--size %d: it must be at least 1", o.size))
		}
	})
	set("nfe", false, func() { s.NFE = o.nfe })
	set("lpips", false, func() { s.LPIPS = o.weights })
	// What remains is the other way round: the file fills in the flags.
	given := func(name, value string, to *string) {
		if value != "" && !f.Changed(name) {
			err = errors.Join(err, as(errUsage, f.Set(name, value)))
		}
	}
	given("prior", s.Prior, &o.prior)
	given("network", s.Network, &o.network)
	given("precision", s.Precision, &o.precision)
	given("tile", s.Tile, &o.tile)
	return s, errors.Join(err, o.tileOptions.check())
}

func isYAML(path string) bool {
	ext := strings.ToLower(filepath.Ext(path))
	return ext == ".yaml" || ext == ".yml"
}

func runBench(ctx context.Context, c *console, o *benchOptions, f *pflag.FlagSet, args []string) error {
	s, err := o.spec(f, args)
	if err != nil {
		return as(errInput, err)
	}
	if len(s.Images) > 0 {
		found := sources{}
		if err := found.find(s.Images); err != nil {
			return err
		}
		s.Images = nil
		for _, f := range found.files {
			if !isSafetensorsName(f.path) { // a measurement
				s.Images = append(s.Images, f.path)
			}
		}
	}
	plan, err := bench.NewPlan(*s, func(path string) (*imageio.Image, error) {
		p, err := readPicture(path)
		if err != nil {
			return nil, err
		}
		for _, w := range p.Warnings {
			c.warn(path + ": " + w)
		}
		return p.Image, nil
	})
	if err != nil {
		return as(errInput, err)
	}
	q, err := equip(o.engineOptions, o.priorOptions, budget{})
	if err != nil {
		return err
	}
	defer q.Close()
	announce(c, q.Engine)
	runner, err := o.runner(q, plan.Spec)
	if err != nil {
		return err
	}
	defer runner.close()
	if runner.Journal, err = o.journal(c); err != nil {
		return err
	}
	defer runner.Journal.Close()
	missing, err := runner.Missing(plan)
	if err != nil {
		return err
	}
	c.logf("%d cells, %d of them kept already", plan.Cells(), plan.Cells()-missing)
	p := &benchProgress{console: c, plan: plan, missing: missing, start: time.Now()}
	runner.Begin, runner.Done, runner.Progress = p.begin, p.done, p.progress
	if o.pictures {
		runner.Keep = func(c bench.Cell, img *imageio.Image) error {
			return as(errOutput, imageio.Write(o.picture(c), img, imageio.WriteOptions{}))
		}
	}
	err = runner.Run(ctx, plan)
	c.endProgress()
	if err != nil {
		if exitCode(err) == exitInterrupted && o.output != "" {
			return &interruptedError{fmt.Sprintf("interrupted; %s holds the cells so far: the same command goes on from there", o.output), err}
		}
		return err
	}
	t, err := bench.NewTable(plan, runner.Base, runner.Measures, runner.Journal, !o.noTiming)
	if err != nil {
		return err
	}
	if err := o.save(t, plan); err != nil {
		return err
	}
	print := t.WriteText
	if c.json {
		print = t.WriteJSON
	}
	var text strings.Builder
	if err := print(&text); err != nil {
		return err
	}
	return c.printf("%s", text.String())
}
