package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/priors"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// repeatOptions say that an earlier result is to be made again.
type repeatOptions struct {
	from           string
	allowDifferent bool
}

// AddFlags adds them.
func (o *repeatOptions) AddFlags(f *pflag.FlagSet) {
	f.StringVar(&o.from, "from", "", "repeat the restoration that made `RESULT`, a picture that restore wrote, from the same IN:\n"+
		"all settings are taken from RESULT, and OUT is the same to the byte or there is an error")
	f.BoolVar(&o.allowDifferent, "allow-different", false, "--from: restore with the settings of RESULT all the same where its bytes cannot be\nmatched, as with another version or instruction set")
}

// repeatFlags may be given beside --from: where things are, and what does not change the result.
var repeatFlags = []string{"from", "allow-different", "output", "mask", "kernel", "prior", "threads", "device", "memory", "json", "quiet", "resume", "checkpoint-every", "report", "preview", "preview-every", "spread", "keep-samples"}

// earlier is the result that is repeated.
type earlier struct {
	path   string
	sha256 string // of the file
	run    *report.Run
}

// readEarlier reads the record in a picture that restore wrote. The picture itself is not decoded.
func readEarlier(path string) (*earlier, error) {
	text, err := imageio.ReadMetadata(path)
	if err != nil {
		return nil, as(errInput, err)
	}
	hash, err := report.HashFile(path)
	if err != nil {
		return nil, as(errInput, err)
	}
	return newEarlier(path, hash, text)
}

// newEarlier takes the record out of a picture's text.
func newEarlier(path, sha256 string, text map[string]string) (*earlier, error) {
	record, ok := text[report.MetadataKey]
	if !ok {
		return nil, as(errInput, fmt.Errorf("%s does not hold the settings of a restoration", path))
	}
	r, err := report.Parse([]byte(record))
	if err != nil {
		return nil, as(errInput, fmt.Errorf("%s: %w", path, err))
	}
	switch {
	case r.Command != "restore":
		return nil, as(errInput, fmt.Errorf("%s was made by spgd %s, not by spgd restore", path, r.Command))
	case r.Sampler == nil || r.Prior == nil || r.Output == nil || r.Input == nil || r.Input.SHA256 == "":
		return nil, as(errInput, fmt.Errorf("%s was made by version %s, whose record is not complete enough to repeat it", path, r.Program.Version))
	}
	return &earlier{path, sha256, r}, nil
}

// apply sets the flags' values to those of the earlier result and returns its sampling settings, set
// being those of another method than SPGD.
func (e *earlier) apply(o *restoreOptions, f *pflag.FlagSet) (s spgd.Settings, set map[string]string, err error) {
	f.Visit(func(flag *pflag.Flag) {
		if err == nil && !slices.Contains(repeatFlags, flag.Name) {
			err = usagef("--%s is not for --from, which takes the settings from %s", flag.Name, e.path)
		}
	})
	if err != nil {
		return s, nil, err
	}
	r := e.run
	if err := e.applyTask(o, f); err != nil {
		return s, nil, err
	}
	o.seed, o.network, o.preset = r.Seed, r.Prior.Network, r.Sampler.Preset
	o.tileOptions.repeated(r)
	o.samplesOptions.repeated(r)
	if r.Engine.Precision != "" {
		o.precision = r.Engine.Precision
	}
	switch {
	case r.Engine.Programs != "":
		o.programs = r.Engine.Programs
	case r.Engine.Device != "" && o.device != deviceCPU: // not stages for want of memory, by which the bytes would differ
		o.programs = string(sampler.ProgramsStep)
	}
	if !f.Changed("prior") {
		if _, _, embedded := priors.Open(r.Prior.Name); !embedded {
			return s, nil, usagef("%s was made with the prior %q, which is not embedded: give its file with --prior", e.path, r.Prior.Name)
		}
		o.prior = r.Prior.Name
	}
	format, err := imageio.FormatOf(o.output.path)
	if err == nil && string(format) != r.Output.Format {
		return s, nil, usagef("%s is a %s file, and the output %s would be another kind", e.path, r.Output.Format, o.output.path)
	}
	if format == imageio.PNG {
		o.output.depth = r.Output.BitDepth
	} else if r.Output.Quality != 0 {
		o.output.quality = r.Output.Quality
	}
	if r.Sampler.Name != methodSPGD {
		if base, _ := strings.CutSuffix(r.Sampler.Name, sampler.FilterSuffix); !slices.Contains(sampler.MethodNames(), base) {
			return s, nil, as(errInput, fmt.Errorf("%s was made by the method %q, which is unknown", e.path, r.Sampler.Name))
		}
		o.method = r.Sampler.Name
		return s, recordedSettings(r.Sampler), nil
	}
	s = spgd.Settings{
		Steps: r.Sampler.Steps, Warmup: r.Sampler.Warmup, Beta: float64(r.Sampler.Beta),
		SigmaMax: float64(r.Sampler.SigmaMax), SigmaMin: float64(r.Sampler.SigmaMin),
		StepSize: float64(r.Sampler.StepSize), MinStepRatio: float64(r.Sampler.MinStepRatio),
		ADM: sampler.ADM(r.Sampler.ADM), Denoise: sampler.DenoiseFrom(r.Sampler.Denoise), Average: r.Sampler.Average, Antithetic: r.Sampler.Antithetic,
		Ancestral: r.Sampler.Ancestral,
	}
	checked := s
	if r.Sampler.StepSizeRule == stepSizeAuto {
		s.StepSize, checked.StepSize = sampler.AutoStep, 1
	}
	if err := checked.Validate(); err != nil {
		return s, nil, as(errInput, fmt.Errorf("%s: %w", e.path, err))
	}
	if r.Sampler.StepSizeRule != stepSizeGiven && r.Sampler.StepSizeRule != stepSizeAuto {
		s.StepSize = 0 // the operator's, which has to come out the same
	}
	return s, nil, nil
}

// applyTask sets the task. The files that it needs have to be named again; that they are the same is
// for check to see.
func (e *earlier) applyTask(o *restoreOptions, f *pflag.FlagSet) error {
	r := e.run
	if r.TaskSettings == nil { // made from a measurement file, which holds the task
		for _, name := range []string{"mask", "kernel"} {
			if f.Changed(name) {
				return usagef("--%s: %s was made from a measurement file, which holds it", name, e.path)
			}
		}
		return nil
	}
	t := r.TaskSettings
	for _, file := range []struct {
		name, spec string
		value      *string // what the flag holds
	}{{"mask", t.Mask, &o.task.Mask}, {"kernel", t.Kernel, &o.task.Kernel}} {
		switch given := f.Changed(file.name); {
		case file.spec == report.FromFile && !given:
			return usagef("%s was made with a %s file: give it with --%s", e.path, file.name, file.name)
		case file.spec != report.FromFile && given:
			return usagef("--%s: %s was made without a %s file", file.name, e.path, file.name)
		case !given:
			*file.value = file.spec
		}
	}
	o.task.Name, o.task.Scale, o.task.InvertMask = r.Task, t.Scale, t.InvertMask
	o.noise = measurement.Noise{Model: r.Noise.Model, Sigma: float64(r.Noise.Sigma), Estimated: r.Noise.Estimated}
	for _, w := range r.Warnings {
		if strings.HasSuffix(w, noiseHint) {
			o.noiseWarnings = append(o.noiseWarnings, w)
		}
	}
	if err := o.task.Validate(); err != nil {
		return as(errInput, fmt.Errorf("%s: %w", e.path, err))
	}
	mask, maskFile := o.task.MaskFile()
	kernel, kernelFile := o.task.KernelFile()
	if maskFile && t.Mask != report.FromFile || kernelFile && t.Kernel != report.FromFile {
		return as(errInput, fmt.Errorf("%s: its record names the file %q, which a record never does", e.path, mask+kernel))
	}
	return nil
}

// check compares the files of this run with those of the earlier one, and then everything else that
// is settled before the sampling. It returns the differences, which are an error unless they are
// allowed.
func (e *earlier) check(o *restoreOptions, r *report.Run) ([]string, error) {
	same := func(what, path, sha256, want string) error {
		if sha256 == want {
			return nil
		}
		return fmt.Errorf("%s is not the %s that %s was made with: its SHA-256 begins with %.8s instead of %.8s", path, what, e.path, sha256, want)
	}
	before := e.run
	if err := same("input", r.Input.Path, r.Input.SHA256, before.Input.SHA256); err != nil {
		return nil, as(errInput, err)
	}
	if now, then := r.TaskSettings, before.TaskSettings; now != nil && then != nil {
		if err := same("mask", o.task.Mask, now.MaskSHA256, then.MaskSHA256); err != nil {
			return nil, as(errInput, err)
		}
		if err := same("kernel", o.task.Kernel, now.KernelSHA256, then.KernelSHA256); err != nil {
			return nil, as(errInput, err)
		}
	}
	if err := same("prior", o.prior, r.Prior.SHA256, before.Prior.SHA256); err != nil {
		return nil, as(errCheckpoint, err)
	}
	differences, err := r.Differences(before, e.path)
	if err != nil {
		return nil, err
	}
	if len(differences) > 0 && !o.allowDifferent {
		return nil, as(errDifferent, fmt.Errorf("the bytes of %s cannot be repeated: %s (--allow-different restores all the same)", e.path, strings.Join(differences, ", ")))
	}
	return differences, nil
}

// write writes the result like imageio.Write, and says whether it is the earlier one to the byte. If
// it is not and has to be, nothing is written.
func (e *earlier) write(o *restoreOptions, img *imageio.Image, w imageio.WriteOptions) (identical bool, err error) {
	format, err := imageio.FormatOf(o.output.path)
	if err != nil {
		return false, as(errOutput, err)
	}
	err = imageio.WriteFileAtomic(o.output.path, func(file io.Writer) error {
		hash := sha256.New()
		if err := imageio.Encode(io.MultiWriter(file, hash), img, format, w); err != nil {
			return err
		}
		if identical = hex.EncodeToString(hash.Sum(nil)) == e.sha256; !identical && !o.allowDifferent {
			return as(errDifferent, fmt.Errorf("the result is not %s to the byte, though nothing that is recorded differs: either was changed or made by a changed program (--allow-different writes it all the same)", e.path))
		}
		return nil
	})
	return identical, as(errOutput, err)
}
