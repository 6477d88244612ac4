package cpu

import (
	"errors"
	"fmt"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// ErrISA is wrapped by the error of an environment variable SPGD_ISA that names an instruction set
// which is unknown or which the processor lacks.
var ErrISA = errors.New("bad SPGD_ISA")

// ISA names the instruction set of the kernels: "avx512", "avx2", "neon" or "portable". The best
// that the processor has is chosen when the program starts, unless the environment variable
// SPGD_ISA names another.
func ISA() string { return kernel.ISA() }

// CheckISA returns an ErrISA if SPGD_ISA cannot be obeyed. New returns it too.
func CheckISA() error {
	if err := kernel.CheckISA(); err != nil {
		return fmt.Errorf("cpu: %w: %w", ErrISA, err)
	}
	return nil
}
