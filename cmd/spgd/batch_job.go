package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/report"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// What a batch does with a picture.
type jobState string

const (
	jobRestore  jobState = "restore"
	jobFinished jobState = "finished" // by an earlier run
	jobFailed   jobState = "failed"   // before anything was computed
)

// job is a picture of a batch.
type job struct {
	*restoration
	state  jobState
	reason string // of a failure, or why a picture that is there is made again
	err    error  // of a failure
	// height and width are those of the result, 0 if the input cannot be read.
	height, width int
	steps         sampler.Cost // evaluations in all
	earlier       *report.Run  // of what is there
	foreign       bool         // what is there is not ours
	leftover      bool         // beside what is there is its checkpoint
}

func (j *job) pixels() int { return j.height * j.width }

// work measures what the picture takes.
func (j *job) work() float64 { return float64(j.pixels()) * j.steps.Work() }

// job makes a job of an input. line has the settings of its own, and its output unless that goes to the
// folder of the outputs.
func (o *restoreOptions) job(c *console, f *pflag.FlagSet, line *manifestLine, in source) (*job, error) {
	var except []string
	if isMeasurement(in.path) {
		except = taskFlags // they are for the pictures beside it
	}
	own, g, err := o.derive(f, slices.Concat(except, line.replaced()))
	if err != nil {
		return nil, err
	}
	if err := line.apply(g); err != nil {
		return nil, err
	}
	own.output.path = line.output
	if line.output == "" {
		own.output.path = filepath.Join(o.output.path, in.below, o.batch.outputName(in.path))
	}
	if _, err := imageio.FormatOf(own.output.path); err != nil {
		return nil, as(errOutput, err)
	}
	r, err := newRestoration(c, own, g, in.path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in.path, err)
	}
	j := &job{restoration: r, state: jobRestore}
	method, err := r.method()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", in.path, err)
	}
	cost, steps := method.StepCost(), len(method.Sigmas())-1
	steps *= own.samples
	j.steps = sampler.Cost{Forwards: cost.Forwards * steps, VJPs: cost.VJPs * steps}
	return j, nil
}

// outputName is the name of an input's result.
func (o *batchOptions) outputName(input string) string {
	base := filepath.Base(input)
	ext := filepath.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	switch {
	case o.format != "":
		ext = "." + o.format
	case strings.EqualFold(ext, ".jpg") || strings.EqualFold(ext, ".jpeg") || strings.EqualFold(ext, ".png"):
	default:
		ext = ".png"
	}
	return stem + ext
}

// method is the sampler with the settings, as far as they do not depend on the operator: number and
// cost of its steps do not.
func (r *restoration) method() (sampler.Sampler, error) {
	if r.flags.method == methodSPGD {
		return sampler.SPGD{Settings: r.settings}, nil
	}
	op, err := operator.NewDenoise(16, 16)
	if err != nil {
		return nil, err
	}
	return sampler.New(r.flags.method, sampler.Problem{Operator: op, SigmaY: r.flags.noise.Sigma}, r.set)
}

// measure finds the size of the result.
func (j *job) measure() (err error) {
	if isMeasurement(j.input) {
		j.height, j.width, err = measurement.ReadSize(j.input)
		return as(errInput, err)
	}
	h, w, err := imageio.ReadSize(j.input)
	j.height, j.width = measurement.ImageSize(j.flags.task, h, w)
	return as(errInput, err)
}

// checkOutputs finds inputs whose results would be one file, and results that would replace an input.
func checkOutputs(jobs []*job) error {
	key := func(path string) string {
		if full, err := filepath.Abs(path); err == nil {
			path = full
		}
		if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
			path = strings.ToLower(path)
		}
		return path
	}
	inputs, outputs := map[string]string{}, map[string]string{}
	for _, j := range jobs {
		inputs[key(j.input)] = j.input
	}
	var errs []error
	for _, j := range jobs {
		out := j.flags.output.path
		k := key(out)
		if other, ok := outputs[k]; ok {
			errs = append(errs, fmt.Errorf("%s and %s would both become %s", other, j.input, out))
		}
		outputs[k] = j.input
		if _, ok := inputs[k]; ok {
			errs = append(errs, fmt.Errorf("the result of %s would replace the input %s", j.input, out))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return usagef("%w: restore them into different folders, or name the outputs in a manifest", listErrors(errs))
}

// listErrors is one error that lists the first few of many.
func listErrors(errs []error) error {
	const most = 5
	text := make([]string, 0, most+1)
	for _, err := range errs[:min(len(errs), most)] {
		text = append(text, err.Error())
	}
	if more := len(errs) - most; more > 0 {
		text = append(text, fmt.Sprintf("and %d more", more))
	}
	return errors.New(strings.Join(text, "; "))
}

// inspect settles whether the picture has to be restored. Errors of its files become a failure.
func (j *job) inspect(q *equipment, hashes *fileHashes) {
	fail := func(err error) {
		j.state, j.err, j.reason = jobFailed, err, message(err)
	}
	if err := j.measure(); err != nil {
		fail(err)
		return
	}
	out := j.flags.output.path
	if _, err := os.Lstat(out); err != nil {
		return
	}
	old, err := recordIn(out)
	if err != nil || old == nil || old.Command != "restore" {
		j.foreign = true
		return
	}
	differences, err := j.differences(old, q, hashes)
	switch {
	case err != nil:
		fail(err)
	case len(differences) == 0:
		j.state, j.earlier = jobFinished, old
		// A process that was killed in between has left the checkpoint of what it had finished.
		if file, err := resume.Load(j.checkpointPath()); err == nil && file.Check(old) == nil {
			j.leftover = true
		}
	default:
		j.reason = "made again: " + strings.Join(differences, ", ")
	}
}
