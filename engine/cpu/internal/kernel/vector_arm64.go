package kernel

func binaryAssembly(_ isa, op binaryOp, dst, a, b *float32, n, stepA, stepB int) {
	switch op {
	case opAdd:
		addNEON(dst, a, b, n, stepA, stepB)
	case opSub:
		subNEON(dst, a, b, n, stepA, stepB)
	case opMul:
		mulNEON(dst, a, b, n, stepA, stepB)
	case opDiv:
		divNEON(dst, a, b, n, stepA, stepB)
	case opMax:
		maxNEON(dst, a, b, n, stepA, stepB)
	case opMin:
		minNEON(dst, a, b, n, stepA, stepB)
	}
}

func unaryAssembly(_ isa, op unaryOp, dst, a *float32, n int) {
	switch op {
	case opNeg:
		negNEON(dst, a, n)
	case opAbs:
		absNEON(dst, a, n)
	case opSqrt:
		sqrtNEON(dst, a, n)
	case opExp:
		expNEON(dst, a, n)
	case opLogistic:
		logisticNEON(dst, a, n)
	case opSiLU:
		siluNEON(dst, a, n)
	case opSiLUGrad:
		siluGradNEON(dst, a, n)
	}
}

func mulAddAssembly(_ isa, dst, a, b, c *float32, n, stepB, stepC int) {
	mulAddNEON(dst, a, b, c, n, stepB, stepC)
}

func sumAssembly(_ isa, a *float32, n int) float64 { return sumNEON(a, n) }

func dotAssembly(_ isa, a, b *float32, n int) float64 { return dotNEON(a, b, n) }

func mulAddRowsAssembly(_ isa, dst, a, s, t *float32, pixels, channels, stepS, stepT int) {
	mulAddRowsNEON(dst, a, s, t, pixels, channels, stepS, stepT)
}

func colSumAssembly(_ isa, part, x *float32, rows, stride, n int) {
	colSumNEON(part, x, rows, stride, n)
}

func colDotAssembly(_ isa, part, x, y *float32, rows, stride, n int) {
	colDotNEON(part, x, y, rows, stride, n)
}

func accumulateAssembly(_ isa, acc []float64, part []float32) { accumulatePortable(acc, part) }

//go:noescape
func addNEON(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func subNEON(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func mulNEON(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func divNEON(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func maxNEON(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func minNEON(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func negNEON(dst, a *float32, n int)

//go:noescape
func absNEON(dst, a *float32, n int)

//go:noescape
func sqrtNEON(dst, a *float32, n int)

//go:noescape
func expNEON(dst, a *float32, n int)

//go:noescape
func logisticNEON(dst, a *float32, n int)

//go:noescape
func siluNEON(dst, a *float32, n int)

//go:noescape
func siluGradNEON(dst, a *float32, n int)

//go:noescape
func mulAddNEON(dst, a, b, c *float32, n, stepB, stepC int)

//go:noescape
func sumNEON(a *float32, n int) float64

//go:noescape
func dotNEON(a, b *float32, n int) float64

//go:noescape
func mulAddRowsNEON(dst, a, s, t *float32, pixels, channels, stepS, stepT int)

//go:noescape
func colSumNEON(part, x *float32, rows, stride, n int)

//go:noescape
func colDotNEON(part, x, y *float32, rows, stride, n int)
