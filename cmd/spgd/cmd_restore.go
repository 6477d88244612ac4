package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	taskOptions
	samplingOptions
	samplesOptions
	priorOptions
	engineOptions
	tileOptions
	memoryOptions
	repeatOptions
	resumeOptions
	watchOptions
	batch  batchOptions
	output outputOptions
	seed   uint64
}

// AddFlags adds them.
func (o *restoreOptions) AddFlags(f *pflag.FlagSet) {
	o.output.AddFlags(f, "restored image: .png, .jpg or .jpeg")
	o.batch.AddFlags(f)
	o.repeatOptions.AddFlags(f)
	o.resumeOptions.AddFlags(f)
	o.watchOptions.AddFlags(f)
	o.taskOptions.AddFlags(f)
	o.samplingOptions.AddFlags(f)
	o.samplesOptions.AddFlags(f)
	f.Uint64Var(&o.seed, "seed", 0, "`SEED` of the random numbers: the starting noise, and the place of a drawn mask or kernel")
	o.priorOptions.AddFlags(f)
	o.engineOptions.AddFlags(f)
	o.addDevice(f)
	o.tileOptions.AddFlags(f)
	o.memoryOptions.AddFlags(f)
}

func newRestoreCommand(c *console) *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore IN... -o OUT",
		Short: "Restore degraded pictures",
		Long: `Restore the picture IN: a PNG, JPEG or WebP file and the flags that say what degraded it,
or a measurement file of "spgd degrade" (.safetensors), which says that itself and takes
none of the flags from --task to --noise-model. OUT is a PNG or JPEG file. Of many pictures,
IN are files, patterns such as '*.jpg' and folders, and OUT is a folder: see FOLDERS.

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

A large picture can be cut into overlapping tiles, which the prior sees one after the other and
whose estimates are blended, while the measurement is compared with the whole picture: --tile SIDE.
The memory then depends little on the size of the picture. A picture no larger than a tile stays whole.
By itself (auto) spgd takes tiles of 256 pixels, in which larger pictures come out as well as whole, or of 192 or
128 if those of 256 do not fit into --memory; for priors with attention a tile is no larger than what they
were trained at. --tile off keeps the picture whole. The log says what the restoration will take at most, before it begins, and
what cannot fit ends with the exit status 5. The tile is a part of the settings that OUT keeps, since
it changes the result a little; --memory does not change it in any other way.

The noise level --noise decides how closely spgd with --step-size auto, the default, follows IN; other
methods that need it take it as their setting sigma-y. --noise auto estimates it from
IN, and for the task denoise that is the default; for the others it is 0. The estimate is the median of fine
differences between colours, in which textures hardly count. It is right to some percent for noise of 0.02 and
more that is independent from pixel to pixel and from colour to colour. A JPEG file or a camera smooths the colours' noise: the
estimate is then one of brightness, with a warning, and too large for a picture full of texture. OUT
keeps the estimate, which --from uses again. Every result is judged by the noise: a residual (of the result, degraded again, against IN) far above the noise means that the result does
not explain IN, one far below that it reproduces the noise.

` + methodHelp() + `
With --step-size auto, spgd takes its steps from the problem: docs/step-size.md derives them. Denoising
with a known --noise is then a single step. The published step size is c/lambda_max: lambda_max is the largest eigenvalue of A^T A for
the task's operator A, and c = 2.5 for inpaint, 7/16 for sr, 2 for phase, 1/2 for denoise
and 1 otherwise. The log says what it came to.

` + samplesHelp + `
FOLDERS
With several inputs, a folder or a pattern as IN, or a folder as OUT (one that is there, or a
name that ends in a slash), every picture is restored to OUTDIR under its name, with the bytes
that it would have alone with the same flags and seed. Of a folder, files with the extensions
.png, .jpg, .jpeg, .webp and .safetensors count, not hidden ones, nor a mask or kernel in use
(such as NAME.mask.png beside NAME.png); --recursive takes the folders below too and repeats them
in OUTDIR. The flags from --task to --noise-model are for the pictures, not for measurement files
among them. Results are JPEG if the picture is, otherwise PNG, unless --format says it. Two
inputs that would have one output are an error, before anything is done.

A result in OUTDIR that has the settings of the command and was made from the same content of IN is
finished and is skipped, whatever version made it; one of other settings, or of a picture that has
changed since, is made again. Files there that spgd restore did not write are never replaced
without --overwrite: the command ends before it does anything. --dry-run says what would be done.
A picture that fails does not keep the others from being restored: failures are listed at the
end, with the exit status 9, and tried again by the next run. After an interruption, or a
crash, the same command goes on. While it runs, another run that would write to OUTDIR ends before it touches
anything, with the exit status 7. For each picture a line is printed, with --json a JSON object,
which OUTDIR/` + batchLog + ` keeps.

--manifest FILE takes the inputs from a file in JSON Lines, an object for each picture:
  {"input": "a.png", "output": "out/a.png", "task": "inpaint", "mask": "a.mask.png"}
  {"input": "b.jpg", "task": "sr", "scale": 4, "noise": 0.02, "seed": 7}
Keys are input, output (otherwise OUTDIR and the input's name) and the flags that are not for the whole run;
those on the command line are for the pictures that do not say otherwise, and a line with a task
or method of its own takes none of the settings of another. Paths start from the folder of FILE.

Several small pictures are restored at once on a processor with enough cores, which --jobs sets; it
changes no result. On an accelerator (--device), pictures of one size, task, noise (low noise that is estimated
may differ) and setting are restored as batches, of --jobs pictures at most: the results differ by rounding,
and OUT records the size of its batch. Errors and checkpoints are those of each picture for itself.

` + resumeHelp + `
` + exitStatusHelp(exitInput, exitCheckpoint, exitMemory, exitDiverged, exitOutput, exitDifferent, exitSome, exitDevice, exitInterrupted),
		Example: `  spgd restore --task inpaint --mask y.mask.png --noise 0.01 y.png -o restored.png
  spgd restore --task sr --scale 4 small.jpg -o large.png
  spgd restore --task deblur --kernel motion:15:30 --noise 0.01 blurred.png -o sharp.png
  spgd restore --method dps --steps 200 --set scale=0.5 y.safetensors -o restored.png
  spgd restore y.safetensors -o restored.png --seed 2 --json
  spgd restore --task denoise --noise 0.1 noisy.jpg -o clean.jpg --report clean.html
  spgd restore --task denoise --noise 0.1 photos -o restored --dry-run
  spgd restore --manifest jobs.jsonl -o restored
  spgd restore --from restored.png y.safetensors -o again.png
  spgd restore --samples 8 --spread spread.png y.safetensors -o restored.png
  spgd restore --resume y.safetensors -o restored.png`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.isBatch(args) {
				return runBatch(cmd.Context(), c, &o, cmd.Flags(), args)
			}
			if err := o.checkLone(cmd.Flags()); err != nil {
				return err
			}
			return runRestore(cmd.Context(), c, &o, cmd.Flags(), args[0])
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

// runRestore restores one picture.
func runRestore(ctx context.Context, c *console, o *restoreOptions, f *pflag.FlagSet, in string) error {
	r, err := newRestoration(c, o, f, in)
	if err != nil {
		return err
	}
	if err := o.output.checkFile(); err != nil {
		return err
	}
	q, err := equip(o.engineOptions, o.priorOptions, o.memoryOptions.budget(1))
	if err != nil {
		return err
	}
	defer q.Close()
	announce(c, q.Engine)
	if err := r.restore(ctx, q); err != nil {
		return err
	}
	return r.print()
}

// settle returns the settings of SPGD or of another method that the flags ask for, or those of the
// result that is to be repeated, whose other settings take the flags' places.
func (o *restoreOptions) settle(f *pflag.FlagSet) (s spgd.Settings, set map[string]string, again *earlier, err error) {
	if err = o.memoryOptions.check(); err != nil {
		return s, nil, nil, err
	}
	if o.from != "" {
		if again, err = readEarlier(o.from); err == nil {
			s, set, err = again.apply(o, f)
		}
		return s, set, again, err
	}
	if o.allowDifferent {
		return s, nil, nil, usagef("--allow-different is for --from")
	}
	if err = o.tileOptions.check(); err != nil {
		return s, nil, nil, err
	}
	if s, err = o.resolve(f); err == nil {
		set, err = o.other(f)
	}
	if o.quality == qualityBest && !f.Changed("samples") {
		o.samples = bestSamples
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
	if o.task.Name == operator.TaskDenoise && !f.Changed("noise") && o.noise.Model != measurement.Poisson && o.from == "" {
		o.noise.Estimated, o.noiseByDefault = true, true
	}
	if err := o.taskOptions.validate(); err != nil {
		return err
	}
	if o.task.Name == operator.TaskPhase {
		return usagef("--task phase cannot start from a picture, because it measures amplitudes: simulate them with spgd degrade --task phase PICTURE -o y.safetensors and restore y.safetensors")
	}
	return nil
}
