package kernel

func addHalfAssembly(dst, a []float32, b []uint16) {
	addHalfAVX512(&dst[0], &a[0], &b[0], len(dst))
}

func mulAddSiLUHalfAssembly(dst []float32, a []uint16, b, c []float32) {
	mulAddSiLUHalfAVX512(&dst[0], &a[0], &b[0], &c[0], len(dst))
}

func mulAddSiLUGradHalfAssembly(dst []float32, a []uint16, b, c, d []float32) {
	mulAddSiLUGradHalfAVX512(&dst[0], &a[0], &b[0], &c[0], &d[0], len(dst))
}

func mulMulAddHalfAssembly(dst []float32, a Numbers, b []float32, c Numbers, d, e []float32) {
	switch {
	case c.Half == nil:
		mulMulAddHalfAAVX512(&dst[0], &a.Half[0], &b[0], &c.Wide[0], &d[0], &e[0], len(dst))
	case a.Half == nil:
		mulMulAddHalfCAVX512(&dst[0], &a.Wide[0], &b[0], &c.Half[0], &d[0], &e[0], len(dst))
	default:
		mulMulAddHalfACAVX512(&dst[0], &a.Half[0], &b[0], &c.Half[0], &d[0], &e[0], len(dst))
	}
}

func subMulHalfAssembly(dst []float32, a []uint16, b, c []float32) {
	subMulHalfAVX512(&dst[0], &a[0], &b[0], &c[0], len(dst))
}

//go:noescape
func mulAddSiLUHalfAVX512(dst *float32, a *uint16, b, c *float32, n int)

//go:noescape
func mulAddSiLUGradHalfAVX512(dst *float32, a *uint16, b, c, d *float32, n int)

//go:noescape
func mulMulAddHalfAAVX512(dst *float32, a *uint16, b, c, d, e *float32, n int)

//go:noescape
func mulMulAddHalfCAVX512(dst, a, b *float32, c *uint16, d, e *float32, n int)

//go:noescape
func mulMulAddHalfACAVX512(dst *float32, a *uint16, b *float32, c *uint16, d, e *float32, n int)

//go:noescape
func subMulHalfAVX512(dst *float32, a *uint16, b, c *float32, n int)

//go:noescape
func addHalfAVX512(dst, a *float32, b *uint16, n int)
