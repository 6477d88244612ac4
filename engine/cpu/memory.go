package cpu

import (
	"errors"
	"fmt"
)

// ErrMemory is wrapped by Compile's error when a computation needs more memory than there is.
var ErrMemory = errors.New("not enough memory")

// checkMemory tells whether a plan fits: its arena, beyond what the backend holds already, its
// outputs and the packed forms of the kernels, for which as much as their parameters is counted.
func (b *Backend) checkMemory(p *plan) error {
	need := max(0, p.arenaBytes-len(b.arena)) + p.strips.Bytes()
	for _, v := range p.outputs {
		need += int(v.shape.Memory())
	}
	for _, v := range p.params {
		if v != nil {
			need += int(v.shape.Memory())
		}
	}
	if have, known := availableMemory(); known && need > have {
		return fmt.Errorf("cpu: %w: the computation needs %s more, %s are available", ErrMemory, bytesString(need), bytesString(have))
	}
	return nil
}

func bytesString(n int) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
