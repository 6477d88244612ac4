package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/report"
)

// measurementExtension is that of measurement files.
const measurementExtension = ".safetensors"

// degradeOptions are the flags of degrade.
type degradeOptions struct {
	taskOptions
	engineOptions
	output outputOptions
	seed   uint64
}

// AddFlags adds them.
func (o *degradeOptions) AddFlags(f *pflag.FlagSet) {
	o.output.AddFlags(f, "degraded picture (.png, .jpg, .jpeg) or measurement file (.safetensors)")
	o.taskOptions.AddFlags(f)
	f.Uint64Var(&o.seed, "seed", 0, "`SEED` of the random numbers: the mask, the kernel and the noise")
	o.engineOptions.AddFlags(f)
}

func newDegradeCommand(c *console) *cobra.Command {
	var o degradeOptions
	cmd := &cobra.Command{
		Use:   "degrade IN -o OUT",
		Short: "Simulate a degraded picture from a clean one",
		Long: `Simulate the measurement y = A(x) + noise of the clean picture IN: a PNG, JPEG or WebP
file of any size.

With -o y.png, the mask or kernel that was drawn or used is written too, as y.mask.png or
y.kernel.png, ready for "spgd restore". A picture is rounded to its bit depth and clipped
to black and white, which the noise may exceed (a warning says so), and dropped pixels
are shown black.

With -o y.safetensors, the measurement is kept in float32 with operator, mask or kernel,
noise and seed, and "spgd restore y.safetensors" needs no other flag. It is the only form
for phase retrieval.

` + exitStatusHelp(exitInput, exitMemory, exitOutput, exitInterrupted),
		Example: `  spgd degrade --task inpaint --mask random:0.8 --noise 0.01 photo.png -o y.png
  spgd degrade --task phase --noise 0.05 photo.png -o y.safetensors`,
		Args: exactArgs(1, "one input file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDegrade(cmd.Context(), c, &o, args[0])
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}

func runDegrade(ctx context.Context, c *console, o *degradeOptions, in string) error {
	start := time.Now()
	if o.noise.Estimated {
		return usagef("--noise auto is for spgd restore, which estimates the noise: give the standard deviation of the noise to add")
	}
	if err := o.taskOptions.validate(); err != nil {
		return err
	}
	side, err := o.checkOutput(in)
	if err != nil {
		return err
	}
	e, err := o.start()
	if err != nil {
		return err
	}
	defer e.Close()
	clean, err := readPicture(in)
	if err != nil {
		return err
	}
	files, taskSettings, ignored, err := o.files()
	if err != nil {
		return err
	}
	op, warnings, err := operator.Build(o.task, clean.Height, clean.Width, o.seed, files)
	if err != nil {
		return err
	}
	m, err := measurement.Simulate(ctx, e, []*imageio.Image{clean.Image}, op, o.task, o.noise, o.seed)
	if err != nil {
		return err
	}

	r := report.New("degrade")
	r.Task, r.Operator, r.Noise, r.Seed = o.task.Name, op.Name(), noiseRecord(o.noise), o.seed
	r.TaskSettings = taskSettings
	file := clean.record()
	r.Input = &file
	r.Image = report.Size{Width: clean.Width, Height: clean.Height, Channels: clean.Image.Channels}
	r.Measurement = measurementSize(op)
	r.Engine = o.record(e)
	r.Warnings = slices.Concat(clean.Warnings, ignored, warnings)
	var written []string
	if isSafetensorsName(o.output.path) {
		written, err = o.writeMeasurement(ctx, m, clean, r)
	} else {
		written, err = o.writePicture(ctx, m, clean, side, r)
	}
	if err != nil {
		return err
	}
	for _, w := range r.Warnings {
		c.warn(w)
	}
	r.Timings = &report.Timings{Total: seconds(time.Since(start))}
	if c.json {
		return c.printJSON(r)
	}
	return c.printf("%s: %s on %dx%d pixels, %s, seed %d\n",
		strings.Join(written, ", "), op.Name(), clean.Width, clean.Height, describeNoise(o.noise, op), o.seed)
}

// checkOutput checks the output before any work is done, and returns the path of the mask or
// kernel that goes with a picture, if one does.
func (o *degradeOptions) checkOutput(in string) (side string, err error) {
	if isSafetensorsName(o.output.path) {
		if err := o.output.checkInputs(in, o.task.Mask, o.task.Kernel); err != nil {
			return "", err
		}
		if o.output.depth != 0 {
			return "", usagef("--depth is for a picture, and %s holds float32", o.output.path)
		}
		return "", as(errOutput, imageio.CheckWritable(o.output.path))
	}
	if err := o.output.check(in, o.task.Mask, o.task.Kernel); err != nil {
		return "", err
	}
	base := strings.TrimSuffix(o.output.path, filepath.Ext(o.output.path))
	source := ""
	switch o.task.Name {
	case operator.TaskPhase:
		return "", usagef("--task phase measures amplitudes, which a picture cannot hold: use -o y.safetensors")
	case operator.TaskInpaint:
		side, source = base+".mask.png", o.task.Mask
	case operator.TaskDeblur:
		side, source = base+".kernel.png", o.task.Kernel
	default:
		return "", nil
	}
	if sameFile(side, in) || sameFile(side, source) {
		return "", usagef("the output %s would replace the input %s", o.output.path, side)
	}
	return side, as(errOutput, imageio.CheckOutput(side, imageio.WriteOptions{}))
}

// writeMeasurement writes a measurement file.
func (o *degradeOptions) writeMeasurement(ctx context.Context, m *measurement.Measurement, clean *picture, r *report.Run) ([]string, error) {
	if clean.Alpha != nil {
		r.Warnings = append(r.Warnings, "the opacity of the input is not kept in a measurement file")
	}
	r.Output = &report.File{Path: o.output.path, Format: "safetensors", Width: r.Measurement.Width, Height: r.Measurement.Height, Channels: r.Measurement.Channels}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return []string{o.output.path}, as(errOutput, m.Save(o.output.path))
}

// writePicture writes the measurement as a picture, and its mask or kernel to side.
func (o *degradeOptions) writePicture(ctx context.Context, m *measurement.Measurement, clean *picture, side string, r *report.Run) ([]string, error) {
	y, err := m.Picture(0)
	if err != nil {
		return nil, err
	}
	if clean.Gray && o.noise.Sigma == 0 {
		y = y.Grey() // noise differs from channel to channel
	}
	alpha, err := resized(clean.Alpha, y.Height, y.Width)
	if err != nil {
		return nil, err
	}
	write, warnings := o.output.writeOptions(clean, alpha, y.Channels)
	r.Warnings = append(r.Warnings, warnings...)
	n, err := clipCount(y, write.Profile)
	if err != nil {
		return nil, err
	}
	if n > 0 {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%d of %d values lie outside of what a picture holds and were clipped; a .safetensors output keeps them", n, len(y.Pix)))
	}
	if inpaint, ok := m.Operator.(*operator.Inpaint); ok {
		blacken(y, inpaint.Mask())
	}
	if h, w := measurement.ImageSize(o.task, y.Height, y.Width); h != clean.Height || w != clean.Width {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the image's %dx%d pixels are not multiples of %d, so a restoration from the picture has %dx%d; one from a .safetensors output has the image's size",
			clean.Width, clean.Height, o.task.Scale, w, h))
	}
	r.Output = o.output.record(clean, y.Height, y.Width, y.Channels, write)
	if write.Metadata, err = metadata(r); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	written := []string{o.output.path}
	if side != "" {
		fresh := !exists(side)
		if err := writeSide(side, m); err != nil {
			return nil, as(errOutput, err)
		}
		written = append(written, side)
		defer func() {
			if err != nil && fresh {
				os.Remove(side)
			}
		}()
	}
	if err = imageio.Write(o.output.path, y, write); err != nil {
		return nil, as(errOutput, err)
	}
	return written, nil
}

// writeSide writes the mask, or the kernel with the precision of 16 bits.
func writeSide(path string, m *measurement.Measurement) error {
	if mask := m.Mask(); mask != nil {
		return imageio.Write(path, mask, imageio.WriteOptions{Depth: 8})
	}
	return imageio.Write(path, m.Kernel(), imageio.WriteOptions{Depth: 16})
}

// clipCount clips the image to what a file with this profile can hold and counts the values that
// were changed, beyond the rounding of the conversion.
func clipCount(m *imageio.Image, profile []byte) (int, error) {
	before := m.Clone()
	if err := imageio.Clip(m, profile); err != nil {
		return 0, err
	}
	n := 0
	for i, v := range m.Pix {
		if d := v - before.Pix[i]; d < -1e-4 || d > 1e-4 {
			n++
		}
	}
	return n, nil
}

// blacken makes the dropped pixels black. What they hold is noise that says nothing.
func blacken(m *imageio.Image, keep []bool) {
	for i, k := range keep {
		if k {
			continue
		}
		for c := range m.Channels {
			m.Pix[i*m.Channels+c] = -1
		}
	}
}

// exists says whether there is a file of this name.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
