package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/atomicfile"
	"github.com/seed-0f004ec9/spgd/internal/bench"
	"github.com/seed-0f004ec9/spgd/internal/dynamics"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Files of an analysis.
const (
	analysisCSV  = "evaluations.csv"
	analysisJSON = "evaluations.json"
	analysisSVG  = "dynamics.svg"
	analysisPNG  = "dynamics.png"
	analysisPage = "report.html"
)

// analysisScale is that of the PNG, whose plots are for print.
const analysisScale = 2

// analyzeOptions are the flags of analyze.
type analyzeOptions struct {
	engineOptions
	priorOptions
	task             string
	methods          []string
	size, seeds, nfe int
	output           string
}

// AddFlags adds them.
func (o *analyzeOptions) AddFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVarP(&o.output, "output", "o", "", "`FOLDER` for the files, made if it does not exist")
	f.StringVar(&o.task, "task", "", "`TASK` such as sr:4@0.01: an operator and the noise's standard deviation, see TASKS above")
	f.StringArrayVar(&o.methods, "method", nil, "`METHOD` such as dps or dps:scale=0.5,steps=100, may be given several times (default spgd with and\n"+
		"without warm-up and momentum, with equal numbers of evaluations)")
	f.IntVar(&o.seeds, "seeds", 3, "`NUMBER` of seeds, from 0, for each of which mask, kernel, noise and start are drawn")
	f.IntVar(&o.size, "size", bench.DefaultSize, "side of the central square of the image in `PIXELS`")
	f.IntVar(&o.nfe, "nfe", 0, "evaluations `NUMBER` of the prior that every method gets, as near as its steps allow (default its\n"+
		"authors' steps)")
	o.priorOptions.AddFlags(f)
	o.engineOptions.AddFlags(f)
	o.addDevice(f)
}

func newAnalyzeCommand(c *console) *cobra.Command {
	var o analyzeOptions
	cmd := &cobra.Command{
		Use:   "analyze IMAGE --task TASK -o FOLDER",
		Short: "Look into the gradients of restoration methods",
		Long: `Degrade the central square of the picture IMAGE, restore it by several methods under
several seeds, and record every evaluation of the prior: the angle between the prior's
direction x - x0hat and the gradient of the likelihood, the angle of each with that of the
evaluation before, their norms, the momentum's alpha, the loss, and the residual against
the noise. FOLDER gets

  ` + analysisCSV + `   a line for every evaluation
  ` + analysisJSON + `  the same with all settings
  ` + analysisSVG + `, ` + analysisPNG + `  the angles of every method, and residual, norms and momentum of all
  ` + analysisPage + `       a page with the plots, the results and the estimates on the way

Curves are medians over the seeds in a band from the smallest to the largest.

TASKS
  ` + taskSyntax + `

` + methodHelp() + `Settings of a method follow its name; spgd takes preset=posterior, preset=paper and preset=released too.

` + exitStatusHelp(exitInput, exitCheckpoint, exitMemory, exitOutput, exitDevice, exitInterrupted),
		Example: `  spgd analyze photo.png --task deblur:gaussian:3@0.01 -o dynamics
  spgd analyze photo.png --task inpaint:random:0.8@0.01 --method spgd --method dps --method pigdm -o dynamics`,
		Args: exactArgs(1, "one picture"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runAnalyze(cmd.Context(), c, &o, args[0])
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

// ablation is what is compared unless methods are named: the parts of SPGD, one after the other.
func ablation() []bench.Method {
	adm := string(sampler.ADMOff)
	return []bench.Method{
		{Label: "Warm-up and momentum", Name: methodSPGD, Set: map[string]string{}},
		{Label: "Warm-up without momentum", Name: methodSPGD, Set: map[string]string{"adm": adm}},
		{Label: "Neither of them", Name: methodSPGD, Set: map[string]string{"adm": adm, "warmup": "1"}},
	}
}

// spec is what the flags ask for.
func (o *analyzeOptions) spec(path string) (*bench.Spec, error) {
	switch {
	case o.output == "":
		return nil, usagef("no folder is given: use -o FOLDER")
	case o.task == "":
		return nil, usagef("no task is given: use --task, such as --task sr:4@0.01")
	case o.seeds < 1 || o.seeds > 1000:
		return nil, usagef("--seeds %d: there must be 1 to 1000", o.seeds)
	case o.size < 1:
		return nil, usagef("--size %d: it must be at least 1", o.size)
	}
	s := &bench.Spec{Images: []string{path}, Size: o.size, Tasks: []string{o.task}, Seeds: bench.FirstSeeds(o.seeds), NFE: o.nfe}
	for _, text := range o.methods {
		m, err := bench.ParseMethod(text)
		if err != nil {
			return nil, as(errUsage, err)
		}
		if samples, err := m.MeanOf(); err != nil || samples > 1 {
			return nil, usagef("--method %s: an analysis is of single runs", text)
		}
		s.Methods = append(s.Methods, m)
	}
	if len(s.Methods) == 0 {
		s.Methods = ablation()
		if s.NFE == 0 {
			d := spgd.DefaultSettings()
			s.NFE = d.Steps * sampler.SPGD{Settings: d}.StepCost().NFE()
		}
	}
	return s, nil
}

func runAnalyze(ctx context.Context, c *console, o *analyzeOptions, path string) error {
	spec, err := o.spec(path)
	if err != nil {
		return err
	}
	var file report.File
	plan, err := bench.NewPlan(*spec, func(path string) (*imageio.Image, error) {
		p, err := readPicture(path)
		if err != nil {
			return nil, err
		}
		for _, w := range p.Warnings {
			c.warn(path + ": " + w)
		}
		file = p.record()
		return p.Image, nil
	})
	if err != nil {
		return as(errInput, err)
	}
	if plan.Tasks[0].Starts > 1 {
		return usagef("--task %s: an analysis has one start for each seed", o.task)
	}
	if err := o.prepare(); err != nil {
		return err
	}
	q, err := equip(o.engineOptions, o.priorOptions, budget{})
	if err != nil {
		return err
	}
	defer q.Close()
	announce(c, q.Engine)
	denoiser, record, err := q.prior()
	if err != nil {
		return err
	}
	prior := *record
	prior.Name, prior.File = filepath.Base(prior.Name), ""
	task, square := plan.Tasks[0], plan.Images[0].Pixels
	s := &dynamics.Study{
		Schema: dynamics.Schema, Program: report.ThisProgram(), Task: task.Name, Noise: noiseRecord(task.Noise), Prior: &prior, Engine: o.engineOptions.record(q.Engine),
		Image: report.File{Path: filepath.Base(path), Format: file.Format, Width: square.Width, Height: square.Height, SHA256: file.SHA256}, Seeds: spec.Seeds,
	}
	s.Engine.Threads = 0 // which change nothing
	runs, n := len(plan.Methods[0])*len(spec.Seeds), 0
	r := dynamics.Runner{Engine: q.Engine, Prior: denoiser, Programs: o.programsOn(q.Engine)}
	r.Begin = func(method string, seed uint64) {
		n++
		c.logf("run %d of %d: %s, seed %d", n, runs, method, seed)
		r.Progress = newProgress(c).report
	}
	err = r.Run(ctx, s, square, task, plan.Methods[0])
	c.endProgress()
	if err != nil {
		return err
	}
	if err := o.save(s); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(s)
	}
	return c.printf("%s%s: %s, %s, %s, %s, %s\n", s.Text(), o.output, analysisCSV, analysisJSON, analysisSVG, analysisPNG, analysisPage)
}

// prepare makes the folder and sees whether the files can be written.
func (o *analyzeOptions) prepare() error {
	if err := os.MkdirAll(o.output, 0o777); err != nil {
		return as(errOutput, fmt.Errorf("cannot make the folder: %w", err))
	}
	for _, name := range []string{analysisCSV, analysisJSON, analysisSVG, analysisPNG, analysisPage} {
		if err := atomicfile.CheckWritable(filepath.Join(o.output, name)); err != nil {
			return as(errOutput, err)
		}
	}
	return nil
}

// save writes the files.
func (o *analyzeOptions) save(s *dynamics.Study) error {
	figure, err := s.Figure()
	if err != nil {
		return err
	}
	page, err := s.Page()
	if err != nil {
		return err
	}
	for _, file := range []struct {
		name  string
		write func(w io.Writer) error
	}{
		{analysisCSV, s.WriteCSV},
		{analysisJSON, s.WriteJSON},
		{analysisSVG, figure.SVG},
		{analysisPNG, func(w io.Writer) error { return figure.PNG(w, analysisScale) }},
		{analysisPage, page.Write},
	} {
		if err := atomicfile.Write(filepath.Join(o.output, file.name), file.write); err != nil {
			return as(errOutput, err)
		}
	}
	return nil
}
