package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/bytesize"
	"github.com/seed-0f004ec9/spgd/internal/spread"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/report/html"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// restoration is the way of one picture from its input to its output file. newRestoration settles what
// the flags alone decide, and restore does the rest: open, prepare, sample, finish, save. Each fills in
// the fields named after it.
type restoration struct {
	flags    *restoreOptions
	console  *console
	progress func(sampler.Progress)
	input    string

	// settled by newRestoration
	settings spgd.Settings     // of SPGD; the step size may be left to prepare
	set      map[string]string // of another method
	again    *earlier          // the result that is repeated, or nil

	// open
	start   time.Time
	problem *problem
	write   imageio.WriteOptions

	// prepare
	options spgd.Options // of sample, with its observers
	takes   int          // bytes of memory, about and at most
	// checkpoint is what there is to go on from, or nil.
	checkpoint *resume.File
	record     *report.Run // all that is known; complete when restore returns
	load       time.Duration

	// sample and finish
	estimates *estimates // for the page, or nil
	result    *spgd.Result
	image     *imageio.Image // as the output file holds it
	residual  *html.Residual // for the page, or nil
	spread    *spread.Map    // of several samples, or nil

	// save
	note string // how the result compares with the one that is repeated
}

// newRestoration checks the flags of a restoration of the input, without opening more of the input than
// tells whether it is a measurement file, and without a look at the place of the output.
func newRestoration(c *console, o *restoreOptions, f *pflag.FlagSet, input string) (*restoration, error) {
	r := &restoration{flags: o, console: c, progress: newProgress(c).report, input: input}
	var err error
	if r.settings, r.set, r.again, err = o.settle(f); err != nil {
		return nil, err
	}
	fromMeasurement := isMeasurement(input)
	if r.again != nil && fromMeasurement != (r.again.run.TaskSettings == nil) {
		return nil, as(errInput, fmt.Errorf("%s is not the input that %s was made with: only one of them is a measurement file", input, r.again.path))
	}
	if err := o.checkTask(f, fromMeasurement); err != nil {
		return nil, err
	}
	if err := o.output.checkFlags(input, o.task.Mask, o.task.Kernel, o.prior); err != nil {
		return nil, err
	}
	if err := o.resumeOptions.check(r.checkpointPath(), input, o.task.Mask, o.task.Kernel, o.prior, o.from); err != nil {
		return nil, err
	}
	files := []string{input, o.task.Mask, o.task.Kernel, o.prior, o.from}
	if err := o.watchOptions.check(f, o.output.path, files...); err != nil {
		return nil, err
	}
	return r, o.samplesOptions.check(&o.output, append(files, o.report, o.preview)...)
}

// restore does the whole work.
func (r *restoration) restore(ctx context.Context, q *equipment) error {
	if err := r.open(); err != nil {
		return err
	}
	if err := r.prepare(q); err != nil {
		return err
	}
	if err := r.sample(ctx, q); err != nil {
		return err
	}
	ctx = r.lasting(ctx)
	if err := r.finish(ctx, q); err != nil {
		return err
	}
	return r.save(ctx)
}

// open reads the input and settles how the output is stored.
func (r *restoration) open() (err error) {
	r.start = time.Now()
	if isMeasurement(r.input) {
		r.problem, err = loadMeasurement(r.input)
	} else {
		r.problem, err = r.flags.readDegraded(r.input)
	}
	if err != nil {
		return err
	}
	p := r.problem
	write, lost := r.flags.output.writeOptions(p.picture, p.alpha, p.channels())
	r.write, p.warnings = write, append(p.warnings, lost...)
	for _, w := range p.warnings {
		r.console.warn(w)
	}
	return nil
}

// chooseMethod settles the method and the options for it.
func (r *restoration) chooseMethod() (method sampler.Sampler, log string, record *report.Sampler, err error) {
	r.options = spgd.Options{Seed: r.flags.seed, Progress: r.progress}
	if method, log, record, err = r.flags.choose(r.set, r.problem.Measurement, &r.settings, &r.options); err == nil {
		err = r.settleSamples(method)
	}
	return method, log, record, err
}

// prepare settles the method and makes the record, which --from compares with the earlier one.
func (r *restoration) prepare(q *equipment) error {
	denoiser, priorRecord, err := q.prior()
	if err != nil {
		return err
	}
	p, c := r.problem, r.console
	r.load = time.Since(r.start)
	method, methodLog, samplerRecord, err := r.chooseMethod()
	if err != nil {
		return err
	}
	r.options.Programs = r.flags.programsOn(q.Engine)
	if err := r.loadCheckpoint(); err != nil {
		return err
	}
	if err := r.fit(q); err != nil {
		return err
	}
	height, width := p.Operator.ImageSize()
	run := report.New("restore")
	run.Task, run.Operator, run.Noise, run.Seed = p.Task.Name, p.Operator.Name(), noiseRecord(p.Noise), r.flags.seed
	run.TaskSettings = p.settings
	run.Input = &p.file
	run.Image = report.Size{Width: width, Height: height, Channels: p.channels()}
	run.Measurement = measurementSize(p.Operator)
	if run.Tiles, err = tilesRecord(r.options.Tile, denoiser, p.Operator); err != nil {
		return err
	}
	if run.Tiles == nil {
		run.Padded = paddedSize(height, width, denoiser.SizeMultiple())
	}
	run.Prior, run.Engine = priorRecord, r.flags.engineOptions.record(q.Engine)
	run.Sampler, run.Samples = samplerRecord, r.flags.samplesOptions.record(sampler.IsDeterministic(method))
	run.Warnings = p.warnings
	run.Output = r.flags.output.record(p.picture, height, width, p.channels(), r.write)
	r.record = run
	if r.again != nil {
		run.Repeat = &report.Repeat{}
		if run.Repeat.Differences, err = r.again.check(r.flags, run); err != nil {
			return err
		}
		for _, d := range run.Repeat.Differences {
			c.warn("the bytes will not be those of " + r.again.path + ": " + d)
		}
	}
	c.logf("%s on %dx%d pixels, %s, prior %s, seed %d", p.Operator.Name(), width, height, describeNoise(p.Noise, p.Operator), denoiser.Name(), r.flags.seed)
	c.logf("%s", methodLog)
	c.logf("about %s, %s", bytesize.Format(r.takes), describeTiles(run.Tiles))
	return r.takeUp()
}

// sample runs the method.
func (r *restoration) sample(ctx context.Context, q *equipment) (err error) {
	r.watch()
	r.keepSamples(r.lasting(ctx), q)
	ctx, done := r.keep(ctx)
	a := q.Accelerator()
	if a != nil {
		r.console.logf("compiling for %s, which may take minutes", a.Name)
	}
	r.result, err = q.restorer.Restore(ctx, r.problem.Measurement, r.settings, r.options)
	r.console.endProgress()
	if a != nil && err == nil {
		if r.inStages() {
			r.console.logf("the memory of %s does not suffice for programs of whole steps: each stage is one", a.Name)
		}
		r.console.logf("of %s, %s went into compiling", duration(r.result.Run.Elapsed.Seconds()), duration(r.result.Run.Compile.Seconds()))
	}
	return done(err)
}

// inStages says whether it was for want of memory that an accelerator ran programs of stages.
func (r *restoration) inStages() bool {
	return r.options.Programs == sampler.ProgramsAuto && r.record.Engine.Device != "" && r.result.Run.Programs == sampler.ProgramsStage
}

// finish makes the picture of the result and judges it.
func (r *restoration) finish(ctx context.Context, q *equipment) (err error) {
	r.image = r.result.Images[0]
	if r.problem.channels() == 1 {
		r.image = r.image.Grey()
	}
	if err := imageio.Clip(r.image, r.write.Profile); err != nil { // as the file does
		return err
	}
	r.takeSpread()
	r.takeStarts()
	if r.inStages() {
		r.record.Engine.Programs = string(sampler.ProgramsStage)
	}
	cost := r.result.Run.Cost
	r.record.Cost = &report.Cost{Forwards: cost.Forwards, VJPs: cost.VJPs, NFE: cost.NFE()}
	r.record.DataFit, err = r.dataFit(ctx, q.Engine)
	return err
}

// save writes the output file, with the record inside, and adds to the record what the file does not
// hold.
func (r *restoration) save(ctx context.Context) (err error) {
	if r.write.Metadata, err = metadata(r.record); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.again == nil {
		err = as(errOutput, imageio.Write(r.flags.output.path, r.image, r.write))
	} else {
		repeat := r.record.Repeat
		repeat.Identical, err = r.again.write(r.flags, r.image, r.write)
		r.note = ", identical to " + r.again.path
		if !repeat.Identical {
			r.note = ", not identical to " + r.again.path
		}
	}
	if err != nil {
		return err
	}
	if err := r.writeSpread(); err != nil {
		return err
	}
	if err := resume.Remove(r.checkpointPath()); err != nil {
		r.console.warn(message(as(errOutput, err)))
	}
	run, total := r.result.Run, seconds(time.Since(r.start))
	if earlier := r.record.Resumed; earlier != nil {
		total += earlier.Elapsed
		r.note += fmt.Sprintf(", resumed after step %d%s", earlier.Step, ofSample(earlier.Sample-1, run.Samples))
	}
	r.record.Timings = &report.Timings{
		Load: seconds(r.load), Compile: seconds(run.Compile), Sample: seconds(run.Elapsed - run.Compile), Total: total,
	}
	r.record.Steps = stepRecords(run.Records)
	return r.writePage()
}

// print writes the result to stdout.
func (r *restoration) print() error {
	if r.console.json {
		return r.console.printJSON(r.record)
	}
	return r.console.printf("%s\n", r.summary())
}

// summary is the result in a line.
func (r *restoration) summary() string {
	run, samples := r.record, ""
	if run.Spread != nil {
		samples = fmt.Sprintf(", mean of %d samples with a spread of %.4f", run.Samples.Number, float64(run.Spread.Mean))
	}
	if s := run.Starts; s != nil {
		samples = fmt.Sprintf(", start %d of %d to %d by its residual", s.Chosen, run.Samples.First, run.Samples.First+run.Samples.Number-1)
	}
	return fmt.Sprintf("%s: %s, %dx%d%s, %d evaluations of the prior and %d with gradient in %s, residual %.4f (noise %s)%s",
		run.Output.Path, run.Operator, run.Image.Width, run.Image.Height, samples, run.Cost.Forwards, run.Cost.VJPs, duration(float64(run.Timings.Total)),
		float64(run.DataFit.ResidualRMS), number(float64(run.Noise.Sigma)), r.note)
}
