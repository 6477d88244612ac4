//go:build !amd64

package kernel

// There is no assembly that fuses operations: they run one after the other.

func mulAddSiLUAssembly(_ isa, _, _, _, _ []float32) bool { return false }

func mulAddSiLUGradAssembly(_ isa, _, _, _, _, _ []float32) bool { return false }

func mulMulAddAssembly(_ isa, _, _, _, _, _, _ []float32) bool { return false }

func subMulAssembly(_ isa, _, _, _, _ []float32) bool { return false }

func subSquareAssembly(_ isa, _, _, _ []float32) bool { return false }
