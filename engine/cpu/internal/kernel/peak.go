package kernel

import (
	"fmt"
	"runtime"
	"time"
)

// PeakGFLOPS measures how many 10^9 floating-point operations a second one core can do with the
// instruction set named (see ISAs), counting a multiply-add as two: the ceiling of every matrix
// product and convolution. It takes about the given time and returns the best of several rounds.
// It returns an error for an instruction set that this processor lacks.
func PeakGFLOPS(name string, d time.Duration) (float64, error) {
	s, ok := parseISA(name)
	if !ok || !s.supported() {
		return 0, fmt.Errorf("kernel: no instruction set %q on this processor", name)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const n = 20000
	lanes := map[isa]float64{isaPortable: 1, isaAVX2: 8, isaAVX512: 16, isaNEON: 4}[s]
	flops := 2 * 12 * lanes * n
	best := 0.0
	for start := time.Now(); ; {
		t := time.Now()
		peak(s, n)
		best = max(best, flops/time.Since(t).Seconds())
		if time.Since(start) >= d {
			return best / 1e9, nil
		}
	}
}

// peak does 12*n multiply-adds of whole registers, in 12 independent chains.
func peak(s isa, n int) {
	if s != isaPortable {
		peakAssembly(s, n)
		return
	}
	x, y := float32(1), float32(0.5)
	if n < 0 { // unknown to the compiler
		x, y = 2, 3
	}
	var a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11 float32
	for range n {
		a0, a1, a2, a3 = a0*x+y, a1*x+y, a2*x+y, a3*x+y
		a4, a5, a6, a7 = a4*x+y, a5*x+y, a6*x+y, a7*x+y
		a8, a9, a10, a11 = a8*x+y, a9*x+y, a10*x+y, a11*x+y
	}
	if s := a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7 + a8 + a9 + a10 + a11; s < 0 {
		panic("kernel: a sum of positive terms is negative") // it is not, but must be computed
	}
}
