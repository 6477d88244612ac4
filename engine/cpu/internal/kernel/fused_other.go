//go:build !amd64

package kernel

// There is no assembly that fuses operations: they run one after the other.

func mulAddSiLUAssembly(_ isa, _, _, _, _ []float32) int { return 0 }

func mulAddSiLUGradAssembly(_ isa, _, _, _, _, _ []float32) int { return 0 }

func mulMulAddAssembly(_ isa, _, _, _, _, _, _ []float32) int { return 0 }

func subMulAssembly(_ isa, _, _, _, _ []float32) int { return 0 }

func subSquareAssembly(_ isa, _, _, _ []float32) int { return 0 }
