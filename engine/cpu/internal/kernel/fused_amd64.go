package kernel

// The functions report whether there is assembly for the instruction set. The slices have one
// length, which is not 0.

func mulAddSiLUAssembly(s isa, dst, a, b, c []float32) bool {
	if s != isaAVX512 {
		return false
	}
	mulAddSiLUAVX512(&dst[0], &a[0], &b[0], &c[0], len(dst))
	return true
}

func mulAddSiLUGradAssembly(s isa, dst, a, b, c, d []float32) bool {
	if s != isaAVX512 {
		return false
	}
	mulAddSiLUGradAVX512(&dst[0], &a[0], &b[0], &c[0], &d[0], len(dst))
	return true
}

func mulMulAddAssembly(s isa, dst, a, b, c, d, e []float32) bool {
	if s != isaAVX512 {
		return false
	}
	mulMulAddAVX512(&dst[0], &a[0], &b[0], &c[0], &d[0], &e[0], len(dst))
	return true
}

func subMulAssembly(s isa, dst, a, b, c []float32) bool {
	if s != isaAVX512 {
		return false
	}
	subMulAVX512(&dst[0], &a[0], &b[0], &c[0], len(dst))
	return true
}

func subSquareAssembly(s isa, dst, a, b []float32) bool {
	if s != isaAVX512 {
		return false
	}
	subSquareAVX512(&dst[0], &a[0], &b[0], len(dst))
	return true
}

//go:noescape
func mulAddSiLUAVX512(dst, a, b, c *float32, n int)

//go:noescape
func mulAddSiLUGradAVX512(dst, a, b, c, d *float32, n int)

//go:noescape
func mulMulAddAVX512(dst, a, b, c, d, e *float32, n int)

//go:noescape
func subMulAVX512(dst, a, b, c *float32, n int)

//go:noescape
func subSquareAVX512(dst, a, b *float32, n int)
