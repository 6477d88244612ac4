package kernel

// The functions return how many elements they have computed, from the first one on: all of them with
// AVX-512, whole registers with AVX2. The slices have one length.

func mulAddSiLUAssembly(s isa, dst, a, b, c []float32) int {
	n := assemblyLen(s, len(dst))
	switch {
	case n == 0:
	case s == isaAVX512:
		mulAddSiLUAVX512(&dst[0], &a[0], &b[0], &c[0], n)
	default:
		mulAddSiLUAVX2(&dst[0], &a[0], &b[0], &c[0], n)
	}
	return n
}

func mulAddSiLUGradAssembly(s isa, dst, a, b, c, d []float32) int {
	n := assemblyLen(s, len(dst))
	switch {
	case n == 0:
	case s == isaAVX512:
		mulAddSiLUGradAVX512(&dst[0], &a[0], &b[0], &c[0], &d[0], n)
	default:
		mulAddSiLUGradAVX2(&dst[0], &a[0], &b[0], &c[0], &d[0], n)
	}
	return n
}

func mulMulAddAssembly(s isa, dst, a, b, c, d, e []float32) int {
	n := assemblyLen(s, len(dst))
	switch {
	case n == 0:
	case s == isaAVX512:
		mulMulAddAVX512(&dst[0], &a[0], &b[0], &c[0], &d[0], &e[0], n)
	default:
		mulMulAddAVX2(&dst[0], &a[0], &b[0], &c[0], &d[0], &e[0], n)
	}
	return n
}

func subMulAssembly(s isa, dst, a, b, c []float32) int {
	n := assemblyLen(s, len(dst))
	switch {
	case n == 0:
	case s == isaAVX512:
		subMulAVX512(&dst[0], &a[0], &b[0], &c[0], n)
	default:
		subMulAVX2(&dst[0], &a[0], &b[0], &c[0], n)
	}
	return n
}

func subSquareAssembly(s isa, dst, a, b []float32) int {
	n := assemblyLen(s, len(dst))
	switch {
	case n == 0:
	case s == isaAVX512:
		subSquareAVX512(&dst[0], &a[0], &b[0], n)
	default:
		subSquareAVX2(&dst[0], &a[0], &b[0], n)
	}
	return n
}

// assemblyLen is how many of n elements the assembly for an instruction set takes.
func assemblyLen(s isa, n int) int {
	switch s {
	case isaAVX512:
		return n
	case isaAVX2:
		return n &^ 7
	}
	return 0
}

//go:noescape
func mulAddSiLUAVX512(dst, a, b, c *float32, n int)

//go:noescape
func mulAddSiLUAVX2(dst, a, b, c *float32, n int)

//go:noescape
func mulAddSiLUGradAVX512(dst, a, b, c, d *float32, n int)

//go:noescape
func mulAddSiLUGradAVX2(dst, a, b, c, d *float32, n int)

//go:noescape
func mulMulAddAVX512(dst, a, b, c, d, e *float32, n int)

//go:noescape
func mulMulAddAVX2(dst, a, b, c, d, e *float32, n int)

//go:noescape
func subMulAVX512(dst, a, b, c *float32, n int)

//go:noescape
func subMulAVX2(dst, a, b, c *float32, n int)

//go:noescape
func subSquareAVX512(dst, a, b *float32, n int)

//go:noescape
func subSquareAVX2(dst, a, b *float32, n int)
