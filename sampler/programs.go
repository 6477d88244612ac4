package sampler

import (
	"errors"
	"fmt"

	"github.com/seed-0f004ec9/spgd/engine/xla"
)

// Programs says what is compiled as one program. There is a choice for samplers that use Run.Then and images that stay
// whole; otherwise each stage is one. Results differ by rounding.
type Programs string

const (
	// ProgramsAuto is ProgramsStep on an accelerator, unless its memory does not suffice for that, and ProgramsStage on the CPU.
	ProgramsAuto Programs = ""
	// ProgramsStep makes an outer step one program, which is launched once.
	ProgramsStep Programs = "step"
	// ProgramsStage makes each stage one, which compiles in 1/N of the time for N likelihood steps.
	ProgramsStage Programs = "stage"
)

// WithPrograms says what is compiled as one program, otherwise ProgramsAuto. NewDriver's error for another word is an
// ErrSettings.
func WithPrograms(p Programs) Option { return func(d *Driver) { d.form = p } }

// checkForm returns an error for an unknown form of programs.
func (d *Driver) checkForm() error {
	switch d.form {
	case ProgramsAuto, ProgramsStep, ProgramsStage:
		return nil
	}
	return fmt.Errorf("sampler: %w: programs of a %q, want %s or %s", ErrSettings, d.form, ProgramsStep, ProgramsStage)
}

// formFor is what is one program for a batch of n images, where there is a choice.
func (d *Driver) formFor(n int) Programs {
	switch {
	case d.tiler != nil:
		return ProgramsStage
	case d.form != ProgramsAuto:
		return d.form
	case d.engine.Accelerator() != nil && (d.tooMany == 0 || n < d.tooMany):
		return ProgramsStep
	}
	return ProgramsStage
}

// smaller makes do with programs of stages, and after that with smaller batches of samples, where an accelerator's memory
// does not suffice for what the driver has chosen, before the first step is done. It says whether that is so.
func (c *course) smaller(d *Driver, j Job, n int, err error) bool {
	switch {
	case !errors.Is(err, xla.ErrMemory) || j.Resume != nil || c.stepped:
		return false
	case c.chosen == ProgramsStep && d.form == ProgramsAuto:
		d.tooMany = n * c.batch
	case c.batch > 1 && j.Samples.Batch == 0:
		c.divide(c.batch / 2)
	default:
		return false
	}
	c.form, c.chosen, c.cost = d.formFor(n*c.batch), "", Cost{}
	return true
}
