package cpu

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// ErrPrecision is wrapped by the error of an unknown Options.Precision.
var ErrPrecision = errors.New("unknown precision")

// ErrNoBF16 is wrapped by the error of Options.Precision "bf16" on a processor that lacks the
// instructions for it.
var ErrNoBF16 = errors.New("no bfloat16 instructions")

// PrecisionF32 and PrecisionBF16 are the values of Options.Precision.
const (
	PrecisionF32  = "f32"
	PrecisionBF16 = "bf16"
)

// parsePrecision reads Options.Precision. The error is an ErrPrecision or an ErrNoBF16.
func parsePrecision(name string) (kernel.Precision, error) {
	switch name {
	case "", PrecisionF32:
		return kernel.F32, nil
	case PrecisionBF16:
		if !kernel.HasBF16() {
			return kernel.F32, fmt.Errorf("cpu: %w: precision bf16 needs AVX-512 BF16, which this %s processor lacks or SPGD_ISA hides (instruction set in use: %s); f32 works", ErrNoBF16, runtime.GOARCH, kernel.ISA())
		}
		return kernel.BF16, nil
	}
	return kernel.F32, fmt.Errorf("cpu: %w %q (want f32 or bf16)", ErrPrecision, name)
}

// HasBF16 says whether Options.Precision "bf16" works on this processor.
func HasBF16() bool { return kernel.HasBF16() }
