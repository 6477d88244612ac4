package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-0f004ec9/spgd/engine/cpu"
	"github.com/seed-0f004ec9/spgd/engine/xla"
	"github.com/seed-0f004ec9/spgd/imageio"
	"github.com/seed-0f004ec9/spgd/internal/bench"
	"github.com/seed-0f004ec9/spgd/measurement"
	"github.com/seed-0f004ec9/spgd/metric"
	"github.com/seed-0f004ec9/spgd/operator"
	"github.com/seed-0f004ec9/spgd/prior"
	"github.com/seed-0f004ec9/spgd/prior/checkpoint"
	"github.com/seed-0f004ec9/spgd/resume"
	"github.com/seed-0f004ec9/spgd/sampler"
)

// Exit codes. They are part of the command line's interface and do not change.
const (
	exitOK          = 0
	exitInternal    = 1
	exitUsage       = 2
	exitInput       = 3
	exitCheckpoint  = 4
	exitMemory      = 5
	exitDiverged    = 6
	exitOutput      = 7
	exitDifferent   = 8
	exitSome        = 9
	exitDevice      = 10
	exitInterrupted = 130
)

// exitStatuses describes every exit code, for the help texts.
var exitStatuses = []struct {
	code    int
	meaning string
}{
	{exitOK, "done"},
	{exitInternal, "unexpected error: a defect of the program, please report it"},
	{exitUsage, "unknown command or flag, or a setting out of its range"},
	{exitInput, "an input (image, mask, kernel or measurement) cannot be read or does not fit"},
	{exitCheckpoint, "the prior's checkpoint cannot be read or is not that of a supported network"},
	{exitMemory, "not enough memory"},
	{exitDiverged, "the restoration diverged: the step size is too large"},
	{exitOutput, "the output cannot be written, or the result cannot be printed on stdout"},
	{exitDifferent, "--from: the result cannot be repeated to the byte, for a reason that is said"},
	{exitSome, "some of several pictures could not be restored; the others are"},
	{exitDevice, "the device of --device is not there, cannot be used or was lost; the CPU works"},
	{exitInterrupted, "interrupted by SIGINT or SIGTERM; restore says how to go on"},
}

// exitStatusHelp is the section on exit codes that ends the help of every command. codes are those
// that the command can return beside 0, 1 and 2.
func exitStatusHelp(codes ...int) string {
	var b strings.Builder
	b.WriteString("EXIT STATUS\n")
	for _, s := range exitStatuses {
		shown := s.code <= exitUsage
		for _, c := range codes {
			shown = shown || s.code == c
		}
		if shown {
			fmt.Fprintf(&b, "  %3d  %s\n", s.code, s.meaning)
		}
	}
	b.WriteString("No output file is written or changed unless the status is 0 (or it is 7 because stdout\n" +
		"or the page of --report failed after the file was complete). A --preview stays, and so do the\n" +
		"checkpoint of an interrupted restoration and the finished ones of several pictures.")
	return b.String()
}

// What an error concerns, where the place tells it better than the cause: a file that does not
// exist may be an input or a checkpoint.
var (
	errUsage      = errors.New("usage")
	errInput      = errors.New("input")
	errCheckpoint = errors.New("checkpoint")
	errOutput     = errors.New("output")
	errDifferent  = errors.New("different")
)

// kindError is an error that also is one of the above. The kind is not part of the message.
type kindError struct{ kind, err error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.err, e.kind} }

// as says what an error concerns; nil stays nil.
func as(kind, err error) error {
	if err == nil {
		return nil
	}
	return &kindError{kind, err}
}

// usagef is an error about the command line.
func usagef(format string, args ...any) error { return as(errUsage, fmt.Errorf(format, args...)) }

// exitCodes maps errors to exit codes; the first that matches counts. This is the only place
// that does.
var exitCodes = []struct {
	code int
	errs []error
}{
	{exitInterrupted, []error{context.Canceled, context.DeadlineExceeded, resume.ErrStopped}},
	{exitSome, []error{errSome}},
	{exitMemory, []error{cpu.ErrMemory, xla.ErrMemory}},
	{exitDevice, []error{xla.ErrUnsupported, xla.ErrNoDevice, xla.ErrNoPlugin, xla.ErrPlugin, xla.ErrLost}},
	{exitDiverged, []error{sampler.ErrDiverged}},
	{exitDifferent, []error{errDifferent}},
	{exitUsage, []error{errUsage, bench.ErrSpec}},
	{exitInput, []error{errInput}},
	{exitCheckpoint, []error{errCheckpoint}},
	{exitOutput, []error{errOutput}},
	{exitInput, []error{
		measurement.ErrFile, measurement.ErrVersion, measurement.ErrPicture,
		operator.ErrSize, operator.ErrMask, operator.ErrKernel, sampler.ErrProblem,
		resume.ErrFile, resume.ErrVersion, resume.ErrOther, sampler.ErrCheckpoint,
		imageio.ErrFormat, imageio.ErrTooLarge, imageio.ErrNotFinite, metric.ErrSize,
	}},
	{exitUsage, []error{sampler.ErrSettings, sampler.ErrOperator, operator.ErrTask, measurement.ErrNoise, cpu.ErrConvolution, xla.ErrPrecision}},
	{exitCheckpoint, []error{
		prior.ErrConfig, prior.ErrNoConfig,
		checkpoint.ErrFormat, checkpoint.ErrTruncated, checkpoint.ErrUnsupported, checkpoint.ErrAmbiguous,
		checkpoint.ErrNotFinite, checkpoint.ErrTensors,
	}},
}

// exitCode is the exit code of a command that ended with err.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	for _, e := range exitCodes {
		for _, target := range e.errs {
			if errors.Is(err, target) {
				return e.code
			}
		}
	}
	return exitInternal
}

// packageNames are the prefixes by which packages mark their errors. They serve programmers; the
// user of the command line gets the sentence without them.
var packageNames = []string{
	"engine", "cpu", "kernel", "xla", "checkpoint", "prior", "operator", "measurement", "sampler",
	"metric", "lpips", "imageio", "report", "html", "plot", "dynamics", "spgd", "atomicfile", "resume", "bench",
}

// message is what the user is told about an error: one sentence in one line. Only an internal error
// keeps further lines, which hold the stack.
func message(err error) string {
	code := exitCode(err)
	text := strings.TrimSpace(err.Error())
	if code == exitInterrupted && (errors.As(err, new(*interruptedError)) || errors.As(err, new(*interruptedBatch))) {
		return text
	}
	if code == exitInterrupted && !errors.Is(err, resume.ErrStopped) {
		return "interrupted: no output was written"
	}
	if memory := (*cpu.MemoryError)(nil); errors.As(err, &memory) {
		text = memory.Error() + " (a smaller image needs less)"
	}
	switch {
	case errors.Is(err, xla.ErrMemory):
		text += " (a smaller image, or smaller tiles with --tile, need less)"
	case errors.Is(err, xla.ErrLost):
		text += " (a new run may find it again; --device cpu works)"
	}
	for again := true; again; {
		again = false
		for _, name := range packageNames {
			if rest, ok := strings.CutPrefix(text, name+": "); ok {
				text, again = rest, true
			}
		}
	}
	for _, name := range packageNames {
		text = strings.ReplaceAll(text, ": "+name+": ", ": ")
	}
	if code != exitInternal {
		text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	}
	return text
}
