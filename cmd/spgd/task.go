package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/report"
)

// taskOptions say what degraded the picture.
type taskOptions struct {
	task  operator.Task
	noise measurement.Noise

	noiseByDefault bool     // that it is estimated
	noiseWarnings  []string // of the estimate that a repetition repeats
}

// taskFlags are the names of the flags of taskOptions.
var taskFlags = []string{"task", "scale", "mask", "invert-mask", "kernel", "noise", "noise-model"}

// AddFlags adds them.
func (o *taskOptions) AddFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	addChoice(f, &o.task.Name, "task", "task", "", "what degraded the picture", operator.TaskNames())
	f.IntVar(&o.task.Scale, "scale", 0, "sr: the picture is smaller than the image by this whole `FACTOR`, 2 to 16")
	f.StringVar(&o.task.Mask, "mask", "", "inpaint: `MASK` is a picture of the image's size (white is kept, black is filled),\n"+
		"random:FRACTION (the fraction of the pixels that is dropped, 0 to 1) or\n"+
		"box:SIZE (the side of the dropped square in pixels); places are drawn from --seed")
	f.BoolVar(&o.task.InvertMask, "invert-mask", false, "inpaint: white is filled, black is kept")
	f.StringVar(&o.task.Kernel, "kernel", "", "deblur: `KERNEL` is a picture (black is 0; it is normalised to sum 1),\n"+
		"gaussian:STD (standard deviation in pixels),\n"+
		"motion:LENGTH:ANGLE (pixels; degrees counter-clockwise from the horizontal) or\n"+
		"motion:random:INTENSITY (0 straight to 1 crooked, drawn from --seed)")
	f.Var((*noiseValue)(&o.noise), "noise", "standard deviation `SIGMA` of the noise, in units of the pixel range [-1,1]:\n"+
		"0.01 is 1.3 of 255 grey levels (phase: in units of the amplitudes)")
	addChoice(f, &o.noise.Model, "noise-model", "noise model", measurement.Gaussian,
		"how the noise is distributed; of poisson SIGMA is the standard deviation at white", []string{measurement.Gaussian, measurement.Poisson})
}

// noiseAuto stands for a standard deviation that is estimated.
const noiseAuto = "auto"

// noiseValue is the value of --noise.
type noiseValue measurement.Noise

// String implements pflag.Value.
func (v *noiseValue) String() string {
	if v.Estimated {
		return noiseAuto
	}
	return strconv.FormatFloat(v.Sigma, 'g', -1, 64)
}

// Set implements pflag.Value.
func (v *noiseValue) Set(text string) error {
	if v.Estimated = text == noiseAuto; v.Estimated {
		v.Sigma = 0
		return nil
	}
	sigma, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return errors.New("it is not a number, nor auto")
	}
	v.Sigma = sigma
	return nil
}

// Type implements pflag.Value.
func (v *noiseValue) Type() string { return "float64" }

// validate checks what can be checked without the files.
func (o *taskOptions) validate() error {
	switch task := &o.task; {
	case task.Name == "":
		return usagef("no task is given: use --task with one of %s", strings.Join(operator.TaskNames(), ", "))
	case task.Name == operator.TaskSuperResolution && task.Scale == 0:
		return usagef("--task sr needs --scale FACTOR")
	case task.Name != operator.TaskSuperResolution && task.Scale != 0:
		return usagef("--scale is for --task sr, not %s", task.Name)
	case task.Name == operator.TaskInpaint && task.Mask == "":
		return usagef("--task inpaint needs --mask with a file, random:FRACTION or box:SIZE")
	case task.Name != operator.TaskInpaint && task.Mask != "":
		return usagef("--mask is for --task inpaint, not %s", task.Name)
	case task.Name != operator.TaskInpaint && task.InvertMask:
		return usagef("--invert-mask is for --task inpaint, not %s", task.Name)
	case task.Name == operator.TaskDeblur && task.Kernel == "":
		return usagef("--task deblur needs --kernel with a file, gaussian:STD, motion:LENGTH:ANGLE or motion:random:INTENSITY")
	case task.Name != operator.TaskDeblur && task.Kernel != "":
		return usagef("--kernel is for --task deblur, not %s", task.Name)
	case o.noise.Estimated && o.noise.Model == measurement.Poisson:
		return usagef("--noise auto is for --noise-model gaussian, not poisson: give the noise's standard deviation at white")
	case !(o.noise.Sigma >= 0 && o.noise.Sigma <= measurement.MaxSigma):
		return usagef("--noise %g: the noise's standard deviation must be at least 0 and at most %g", o.noise.Sigma, float64(measurement.MaxSigma))
	}
	if err := o.task.Validate(); err != nil {
		return as(errUsage, err)
	}
	return as(errUsage, o.noise.Validate())
}

// describeNoise says what the noise is, with the range that is its unit.
func describeNoise(n measurement.Noise, op operator.Operator) string {
	if n.Sigma == 0 {
		return "no noise"
	}
	black, white := operator.Range(op)
	estimated := ""
	if n.Estimated {
		estimated = ", estimated from the picture"
	}
	return fmt.Sprintf("%s noise of sigma %s (values in [%g,%g]%s)", n.Model, number(n.Sigma), black, white, estimated)
}

// files reads the pictures that the task refers to, and describes the task with them. warnings are
// about what is not used of them.
func (o *taskOptions) files() (f operator.Files, settings *report.TaskSettings, warnings []string, err error) {
	settings = o.settings()
	if path, needed := o.task.MaskFile(); needed {
		p, err := readTaskFile("mask", path, "random:FRACTION or box:SIZE")
		if err != nil {
			return f, nil, nil, err
		}
		settings.Mask, settings.MaskSHA256 = report.FromFile, p.SHA256
		f.Mask, warnings = p.Image, append(warnings, p.ignoredAlpha("mask")...)
	}
	if path, needed := o.task.KernelFile(); needed {
		p, err := readTaskFile("kernel", path, "gaussian:STD, motion:LENGTH:ANGLE or motion:random:INTENSITY")
		if err != nil {
			return f, nil, nil, err
		}
		settings.Kernel, settings.KernelSHA256 = report.FromFile, p.SHA256
		f.Kernel, warnings = p.Image, append(warnings, p.ignoredAlpha("kernel")...)
	}
	return f, settings, warnings, nil
}

// settings are those of the task as the flags say them.
func (o *taskOptions) settings() *report.TaskSettings {
	return &report.TaskSettings{Scale: o.task.Scale, Mask: o.task.Mask, InvertMask: o.task.InvertMask, Kernel: o.task.Kernel}
}

// ignoredAlpha warns if a mask or kernel is transparent somewhere: a mask may have been painted
// that way.
func (p *picture) ignoredAlpha(what string) []string {
	if p.Alpha != nil && slices.Min(p.Alpha.Pix) < 1 {
		return []string{"the " + what + " is transparent in places, which is ignored: only its brightness counts"}
	}
	return nil
}

func readTaskFile(what, path, other string) (*picture, error) {
	// A mask and a kernel are numbers, which no colour profile changes.
	p, err := readWith(path, imageio.ReadOptions{Raw: true})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, as(errInput, fmt.Errorf("%s %q is neither a file nor %s", what, path, other))
	}
	if err != nil {
		return nil, as(errInput, fmt.Errorf("%s: %w", what, err))
	}
	return p, nil
}

// picture is an image file that was read.
type picture struct {
	*imageio.Image
	imageio.Info
	path string
}

// bytesPerPixel is what a picture takes when it is copied into a measurement. What is computed with it is checked on
// its own.
const bytesPerPixel = 3 * 4

func readPicture(path string) (*picture, error) { return readWith(path, imageio.ReadOptions{}) }

func readWith(path string, o imageio.ReadOptions) (*picture, error) {
	o.Check = func(height, width, bytes int) error {
		return cpu.CheckMemory(bytes + height*width*bytesPerPixel)
	}
	img, info, err := imageio.ReadWith(path, o)
	if err != nil {
		return nil, as(errInput, err)
	}
	return &picture{img, info, path}, nil
}
