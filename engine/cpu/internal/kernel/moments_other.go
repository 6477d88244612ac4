//go:build !amd64

package kernel

// colMomentsAssembly would do as colMomentsPortable for the first columns.
func colMomentsAssembly(_ isa, _, _, _, _ []float32, _, _ int) int { return 0 }
