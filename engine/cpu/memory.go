package cpu

import (
	"errors"
	"fmt"
)

// ErrMemory is wrapped by Compile's error when a computation needs more memory than there is.
var ErrMemory = errors.New("not enough memory")

// MemoryError is the error itself, an ErrMemory. Sizes are in bytes.
type MemoryError struct {
	Need int // beyond what the process holds already
	Have int // what it can still get
}

// Error says how much is missing.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("%v: the computation needs %s more, %s are available", ErrMemory, bytesString(e.Need), bytesString(e.Have))
}

// Unwrap returns ErrMemory.
func (e *MemoryError) Unwrap() error { return ErrMemory }

// checkMemory tells whether a plan fits: its arena, beyond what the backend holds already, its
// outputs and the packed forms of kernels and matrices.
func (b *Backend) checkMemory(p *plan) error {
	need := max(0, p.arenaBytes-len(b.arena)) + p.strips.Bytes()
	for _, v := range p.outputs {
		need += int(v.shape.Memory())
	}
	packs := 0 // of right operands that are not kept
	for _, s := range p.steps {
		switch s := s.(type) {
		case *convolutionStep:
			need += s.conv.PackedBytes()
		case *productStep:
			if s.keeps() {
				need += s.packBytes()
			} else {
				packs = max(packs, min(s.batch, p.workers)*s.packBytes())
			}
		}
	}
	return CheckMemory(need + packs)
}

// CheckMemory tells whether the process can get need more bytes. The error is a MemoryError; where
// the system does not say what there is, there is none.
func CheckMemory(need int) error {
	if have, known := availableMemory(); known && need > have {
		return fmt.Errorf("cpu: %w", &MemoryError{Need: need, Have: have})
	}
	return nil
}

// AvailableMemory is what the process can still get, in bytes; known is false where the system does
// not say.
func AvailableMemory() (bytes int, known bool) { return availableMemory() }

func bytesString(n int) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
