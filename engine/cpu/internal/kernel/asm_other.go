//go:build !amd64 && !arm64

package kernel

// haveAssembly says whether this architecture has kernels in assembly. Without it the portable
// instruction set is always chosen and the functions below are never called.
const haveAssembly = false

const noAssembly = "kernel: no assembly for this architecture"

func computeAssembly(isa, *block) { panic(noAssembly) }

func binaryAssembly(s isa, op binaryOp, dst, a, b *float32, n, stepA, stepB int) { panic(noAssembly) }

func mulAddAssembly(s isa, dst, a, b, c *float32, n, stepB, stepC int) { panic(noAssembly) }

func unaryAssembly(s isa, op unaryOp, dst, a *float32, n int) { panic(noAssembly) }

func sumAssembly(is isa, a *float32, n int) float64 { panic(noAssembly) }

func dotAssembly(s isa, a, b *float32, n int) float64 { panic(noAssembly) }

func mulAddRowsAssembly(is isa, dst, a, s, t *float32, pixels, channels, stepS, stepT int) {
	panic(noAssembly)
}

func accumulateAssembly(isa, []float64, []float32) { panic(noAssembly) }

func colSumAssembly(s isa, part, x *float32, rows, stride, n int) { panic(noAssembly) }

func colDotAssembly(s isa, part, x, y *float32, rows, stride, n int) { panic(noAssembly) }

func peakAssembly(s isa, n int) { panic(noAssembly) }

func planeAssembly(s isa, p *plane) { panic(noAssembly) }
