//go:build !amd64

package kernel

// There is no assembly that reads bfloat16 numbers: they are widened first.

func addHalfAssembly(_, _ []float32, _ []uint16) {}

func mulAddSiLUHalfAssembly(_ []float32, _ []uint16, _, _ []float32) {}

func mulAddSiLUGradHalfAssembly(_ []float32, _ []uint16, _, _, _ []float32) {}

func mulMulAddHalfAssembly(_ []float32, _ Numbers, _ []float32, _ Numbers, _, _ []float32) {}

func subMulHalfAssembly(_ []float32, _ []uint16, _, _ []float32) {}
