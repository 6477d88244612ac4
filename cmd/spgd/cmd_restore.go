package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/engine"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/report"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	taskOptions
	samplingOptions
	priorOptions
	engineOptions
	repeatOptions
	output outputOptions
	seed   uint64
}

// AddFlags adds them.
func (o *restoreOptions) AddFlags(f *pflag.FlagSet) {
	o.output.AddFlags(f, "restored image: .png, .jpg or .jpeg")
	o.repeatOptions.AddFlags(f)
	o.taskOptions.AddFlags(f)
	o.samplingOptions.AddFlags(f)
	f.Uint64Var(&o.seed, "seed", 0, "`SEED` of the random numbers: the starting noise, and the place of a drawn mask or kernel")
	o.priorOptions.AddFlags(f)
	o.engineOptions.AddFlags(f)
	o.addPrecision(f)
}

func newRestoreCommand(c *console) *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore IN -o OUT",
		Short: "Restore a degraded picture",
		Long: `Restore the picture IN: a PNG, JPEG or WebP file and the flags that say what degraded it,
or a measurement file of "spgd degrade" (.safetensors), which says that itself and takes
none of the flags from --task to --noise-model. OUT is a PNG or JPEG file.

TASKS
  sr        enlarge by --scale FACTOR
  inpaint   fill the pixels that --mask drops; what IN shows there does not matter
  deblur    undo the blur by --kernel
  denoise   remove noise
  colorize  colour a grey picture
  phase     phase retrieval, from a measurement file only
  hdr       recover clipped highlights and shadows of a picture of doubled contrast

Pictures may have any size. A grey picture stays grey (but for colorize), opacity is
carried over, and 16 bits a channel stay 16 bits in a PNG. The EXIF orientation is applied
and the rest of EXIF kept, but for the thumbnail. A picture with an ICC profile is worked
on in sRGB, converted back and stored with its profile; where that cannot be done (profiles
made of tables, as those of CMYK pictures are) the result is in sRGB.

The settings are kept in OUT, under the text key "spgd". The same command, seed and
instruction set give the same bytes: "spgd restore --from OUT IN -o AGAIN" repeats a
restoration with all its settings. It compares the SHA-256 of IN (and of a mask, kernel or
prior, which have to be named again if they are files) and what computed with what OUT
records, and ends with the exit status 8 before it computes anything if version, engine or
instruction set differ, or after it if the bytes do.

The noise level --noise does not change the restoration by spgd; methods that need it take
it as their setting sigma-y. Every result is judged by it: a residual (of the result, degraded again, against IN) far above the noise means that the result does
not explain IN, one far below that it reproduces the noise.

` + methodHelp() + `
The default step size of spgd is c/lambda_max: lambda_max is the largest eigenvalue of A^T A for
the task's operator A, and c = 2.5 for inpaint, 7/16 for sr, 2 for phase, 1/2 for denoise
and 1 otherwise. The log says what it came to.

` + exitStatusHelp(exitInput, exitCheckpoint, exitMemory, exitDiverged, exitOutput, exitDifferent, exitInterrupted),
		Example: `  spgd restore --task inpaint --mask y.mask.png --noise 0.01 y.png -o restored.png
  spgd restore --task sr --scale 4 small.jpg -o large.png
  spgd restore --task deblur --kernel motion:15:30 --noise 0.01 blurred.png -o sharp.png
  spgd restore --method dps --steps 200 --set scale=0.5 y.safetensors -o restored.png
  spgd restore y.safetensors -o restored.png --seed 2 --json
  spgd restore --from restored.png y.safetensors -o again.png`,
		Args: exactArgs(1, "one input file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRestore(cmd.Context(), c, &o, cmd.Flags(), args[0])
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

// problem is what restore reads: the measurement and what is known about the files.
type problem struct {
	*measurement.Measurement
	file     report.File
	settings *report.TaskSettings // nil for a measurement file
	picture  *picture             // nil for a measurement file
	alpha    *imageio.Image       // opacity to carry over, or nil
	warnings []string
}

// channels is the number of channels of the result: a grey picture stays grey.
func (p *problem) channels() int {
	if p.picture != nil && p.picture.Gray && p.Task.Name != operator.TaskColorize {
		return 1
	}
	return 3
}

func runRestore(ctx context.Context, c *console, o *restoreOptions, f *pflag.FlagSet, in string) error {
	start := time.Now()
	settings, set, again, err := o.settle(f)
	if err != nil {
		return err
	}
	fromMeasurement := isMeasurement(in)
	if again != nil && fromMeasurement != (again.run.TaskSettings == nil) {
		return as(errInput, fmt.Errorf("%s is not the input that %s was made with: only one of them is a measurement file", in, again.path))
	}
	if err := o.checkTask(f, fromMeasurement); err != nil {
		return err
	}
	if err := o.output.check(in, o.task.Mask, o.task.Kernel, o.prior); err != nil {
		return err
	}
	e, err := o.start()
	if err != nil {
		return err
	}
	defer e.Close()

	var p *problem
	if fromMeasurement {
		p, err = loadMeasurement(in)
	} else {
		p, err = o.readDegraded(in)
	}
	if err != nil {
		return err
	}
	write, lost := o.output.writeOptions(p.picture, p.alpha, p.channels())
	p.warnings = append(p.warnings, lost...)
	for _, w := range p.warnings {
		c.warn(w)
	}
	denoiser, priorRecord, err := o.load()
	if err != nil {
		return err
	}
	load := time.Since(start)

	options := spgd.Options{Seed: o.seed, Progress: newProgress(c).report}
	methodLog, samplerRecord, err := o.choose(set, p.Measurement, &settings, &options)
	if err != nil {
		return err
	}
	height, width := p.Operator.ImageSize()
	r := report.New("restore")
	r.Task, r.Operator, r.Noise, r.Seed = p.Task.Name, p.Operator.Name(), noiseRecord(p.Noise), o.seed
	r.TaskSettings = p.settings
	r.Input = &p.file
	r.Image = report.Size{Width: width, Height: height, Channels: p.channels()}
	r.Measurement = measurementSize(p.Operator)
	r.Padded = paddedSize(height, width, denoiser.SizeMultiple())
	r.Prior, r.Engine = priorRecord, o.record()
	r.Sampler = samplerRecord
	r.Warnings = p.warnings
	r.Output = o.output.record(p.picture, height, width, p.channels(), write)
	if again != nil {
		r.Repeat = &report.Repeat{}
		if r.Repeat.Differences, err = again.check(o, r); err != nil {
			return err
		}
		for _, d := range r.Repeat.Differences {
			c.warn("the bytes will not be those of " + again.path + ": " + d)
		}
	}
	c.logf("%s on %dx%d pixels, %s, prior %s, seed %d", p.Operator.Name(), width, height, describeNoise(p.Noise, p.Operator), denoiser.Name(), o.seed)
	c.logf("%s", methodLog)

	res, err := spgd.Restore(ctx, e, denoiser, p.Measurement, settings, options)
	c.endProgress()
	if err != nil {
		return err
	}
	img := res.Images[0]
	if p.channels() == 1 {
		img = img.Grey()
	}
	if err := imageio.Clip(img, write.Profile); err != nil { // as the file does
		return err
	}
	fit, err := dataFit(ctx, e, p.Measurement, img)
	if err != nil {
		return err
	}

	cost := res.Run.Cost
	r.Cost = &report.Cost{Forwards: cost.Forwards, VJPs: cost.VJPs, NFE: cost.NFE()}
	r.DataFit = fit
	if write.Metadata, err = metadata(r); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	note := ""
	if again == nil {
		err = as(errOutput, imageio.Write(o.output.path, img, write))
	} else {
		r.Repeat.Identical, err = again.write(o, img, write)
		note = ", identical to " + again.path
		if !r.Repeat.Identical {
			note = ", not identical to " + again.path
		}
	}
	if err != nil {
		return err
	}
	total := time.Since(start)
	r.Timings = &report.Timings{
		Load: seconds(load), Compile: seconds(res.Run.Compile), Sample: seconds(res.Run.Elapsed - res.Run.Compile), Total: seconds(total),
	}
	r.Steps = stepRecords(res.Run.Records)
	if c.json {
		return c.printJSON(r)
	}
	return c.printf("%s: %s, %dx%d, %d evaluations of the prior and %d with gradient in %s, residual %.4f (noise %s)%s\n",
		o.output.path, r.Operator, width, height, cost.Forwards, cost.VJPs, duration(total.Seconds()), float64(fit.ResidualRMS), number(p.Noise.Sigma), note)
}

// settle returns the settings of SPGD or of another method that the flags ask for, or those of the
// result that is to be repeated, whose other settings take the flags' places.
func (o *restoreOptions) settle(f *pflag.FlagSet) (s spgd.Settings, set map[string]string, again *earlier, err error) {
	if o.from != "" {
		if again, err = readEarlier(o.from); err == nil {
			s, set, err = again.apply(o, f)
		}
		return s, set, again, err
	}
	if o.allowDifferent {
		return s, nil, nil, usagef("--allow-different is for --from")
	}
	if s, err = o.resolve(f); err == nil {
		set, err = o.other(f)
	}
	return s, set, nil, err
}

// checkTask checks the task's flags, which a measurement file leaves no room for.
func (o *restoreOptions) checkTask(f *pflag.FlagSet, fromMeasurement bool) error {
	if fromMeasurement {
		for _, name := range taskFlags {
			if f.Changed(name) {
				return usagef("--%s is not for a measurement file, which says how it was made", name)
			}
		}
		return nil
	}
	if err := o.taskOptions.validate(); err != nil {
		return err
	}
	if o.task.Name == operator.TaskPhase {
		return usagef("--task phase cannot start from a picture, because it measures amplitudes: simulate them with spgd degrade --task phase PICTURE -o y.safetensors and restore y.safetensors")
	}
	return nil
}

// isMeasurement says whether the input is to be read as a measurement file.
func isMeasurement(path string) bool {
	return isSafetensorsName(path) || measurement.IsFile(path)
}

func isSafetensorsName(path string) bool {
	return strings.EqualFold(filepath.Ext(path), measurementExtension)
}

func loadMeasurement(path string) (*problem, error) {
	m, err := measurement.Load(path)
	if err != nil {
		return nil, as(errInput, err)
	}
	if m.Len() != 1 {
		return nil, as(errInput, fmt.Errorf("%s holds the measurements of %d images, restore takes one", path, m.Len()))
	}
	hash, err := report.HashFile(path)
	if err != nil {
		return nil, as(errInput, err)
	}
	h, w, c := m.Operator.MeasurementSize()
	return &problem{
		Measurement: m,
		file:        report.File{Path: path, Format: "safetensors", Width: w, Height: h, Channels: c, SHA256: hash},
	}, nil
}

// readDegraded makes the measurement of the task's picture.
func (o *restoreOptions) readDegraded(path string) (*problem, error) {
	pic, err := readPicture(path)
	if err != nil {
		return nil, err
	}
	files, settings, ignored, err := o.files()
	if err != nil {
		return nil, err
	}
	m, warnings, err := measurement.FromImage(o.task, pic.Image, o.noise, o.seed, files)
	if err != nil {
		return nil, err
	}
	p := &problem{Measurement: m, file: pic.record(), settings: settings, picture: pic, warnings: slices.Concat(pic.Warnings, ignored, warnings)}
	if inpaint, ok := m.Operator.(*operator.Inpaint); ok && !slices.Contains(inpaint.Mask(), false) {
		p.warnings = append(p.warnings, "the mask keeps every pixel: there is nothing to fill")
	}
	if o.task.Drawn() {
		p.warnings = append(p.warnings, fmt.Sprintf("%s is drawn from the seed %d, which fits only a picture that was degraded with the same draw", m.Operator.Name(), o.seed))
	}
	if pic.Alpha != nil {
		h, w := m.Operator.ImageSize()
		if p.alpha, err = resized(pic.Alpha, h, w); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// resized scales an opacity to another size, if it is one.
func resized(alpha *imageio.Image, height, width int) (*imageio.Image, error) {
	if alpha == nil || alpha.Height == height && alpha.Width == width {
		return alpha, nil
	}
	return imageio.Resize(alpha, height, width)
}

// dataFit measures how well the image explains the measurement.
func dataFit(ctx context.Context, e *engine.Engine, m *measurement.Measurement, img *imageio.Image) (*report.DataFit, error) {
	sums, entries, err := m.Residual(ctx, e, []*imageio.Image{img})
	if err != nil {
		return nil, err
	}
	return report.NewDataFit(sums[0], entries, m.Noise.Sigma), nil
}

// sameFile says whether two paths name one existing file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
