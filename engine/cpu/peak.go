package cpu

import (
	"time"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// PeakGFLOPS measures how many 10^9 floating-point operations a second all threads together can
// do in registers, with the instruction set in use and a multiply-add counted as two: the
// ceiling of every product and convolution. It takes about the given time.
func (b *Backend) PeakGFLOPS(d time.Duration) (float64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.pool.Workers()
	rates, errs := make([]float64, n), make([]error, n)
	b.pool.Run(n, func(_, i int) { rates[i], errs[i] = kernel.PeakGFLOPS(kernel.ISA(), d) })
	sum := 0.0
	for i, r := range rates {
		if errs[i] != nil {
			return 0, errs[i]
		}
		sum += r
	}
	return sum, nil
}
