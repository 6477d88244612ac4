package bench

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/operator"
)

// Task is a degradation: an operator and noise.
type Task struct {
	operator.Task
	Noise measurement.Noise
	// Starts is the number of restorations of a cell, from different noise, of which the one with the
	// smallest residual counts: 1 but for tasks with more than one solution.
	Starts int
	Name   string // canonical, as ParseTask reads it
}

// maxStarts bounds Task.Starts.
const maxStarts = 100

// ParseTask reads a task in one word, OPERATOR@NOISE: the operator as its canonical name has it,
// "sr:4", "inpaint:random:0.8", "inpaint:box:128", "deblur:gaussian:3", "deblur:motion:15:30",
// "deblur:motion:random:0.5", "denoise", "colorize", "phase" or "hdr", and the noise's standard deviation,
// with the model before it if it is not Gaussian: "@0.01", "@poisson:0.05". Without noise it ends
// before the @. Last comes the number of starts if it is not 1: "phase@0.05*4".
func ParseTask(text string) (Task, error) {
	fail := func(format string, args ...any) (Task, error) {
		return Task{}, fmt.Errorf("bench: task %q: %w: %s", text, ErrSpec, fmt.Sprintf(format, args...))
	}
	rest, starts, several := strings.Cut(text, "*")
	op, noise, noisy := strings.Cut(rest, "@")
	t := Task{Noise: measurement.Noise{Model: measurement.Gaussian}, Starts: 1}
	if several {
		n, err := strconv.Atoi(starts)
		if err != nil || n < 1 || n > maxStarts {
			return fail("%q is not a number of starts from 1 to %d", starts, maxStarts)
		}
		t.Starts = n
	}
	if noisy {
		if model, sigma, ok := strings.Cut(noise, ":"); ok {
			t.Noise.Model, noise = model, sigma
		}
		sigma, err := strconv.ParseFloat(noise, 64)
		if err != nil {
			return fail("the noise %q is not a number", noise)
		}
		t.Noise.Sigma = sigma
	}
	if err := t.Noise.Validate(); err != nil {
		return fail("%v", err)
	}
	name, settings, _ := strings.Cut(op, ":")
	t.Task.Name = name
	switch name {
	case operator.TaskSuperResolution:
		scale, err := strconv.Atoi(settings)
		if err != nil {
			return fail("write sr:FACTOR")
		}
		t.Scale = scale
	case operator.TaskInpaint:
		t.Mask = settings
	case operator.TaskDeblur:
		t.Kernel = settings
	default:
		if settings != "" {
			return fail("%s has no settings", name)
		}
	}
	canonical, err := t.OperatorName()
	if err != nil {
		return fail("%v", err)
	}
	_, maskFile := t.MaskFile()
	_, kernelFile := t.KernelFile()
	if maskFile || kernelFile {
		return fail("masks and kernels are drawn or made from numbers, not read from files")
	}
	t.Name = canonical
	if t.Noise.Sigma > 0 {
		model := ""
		if t.Noise.Model != measurement.Gaussian {
			model = t.Noise.Model + ":"
		}
		t.Name += "@" + model + strconv.FormatFloat(t.Noise.Sigma, 'g', -1, 64)
	}
	if t.Starts > 1 {
		t.Name += "*" + strconv.Itoa(t.Starts)
	}
	return t, nil
}
