package kernel

//lint:file-ignore U1000 The variables are used by the assembly.

// lanes is 16 times all ones and 16 zeros: a mask for n lanes starts 16-n words from the start.
var lanes = [32]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}

func binaryAssembly(s isa, op binaryOp, dst, a, b *float32, n, stepA, stepB int) {
	if s == isaAVX512 {
		switch op {
		case opAdd:
			addAVX512(dst, a, b, n, stepA, stepB)
		case opSub:
			subAVX512(dst, a, b, n, stepA, stepB)
		case opMul:
			mulAVX512(dst, a, b, n, stepA, stepB)
		case opDiv:
			divAVX512(dst, a, b, n, stepA, stepB)
		case opMax:
			maxAVX512(dst, a, b, n, stepA, stepB)
		case opMin:
			minAVX512(dst, a, b, n, stepA, stepB)
		}
		return
	}
	switch op {
	case opAdd:
		addAVX2(dst, a, b, n, stepA, stepB)
	case opSub:
		subAVX2(dst, a, b, n, stepA, stepB)
	case opMul:
		mulAVX2(dst, a, b, n, stepA, stepB)
	case opDiv:
		divAVX2(dst, a, b, n, stepA, stepB)
	case opMax:
		maxAVX2(dst, a, b, n, stepA, stepB)
	case opMin:
		minAVX2(dst, a, b, n, stepA, stepB)
	}
}

func unaryAssembly(s isa, op unaryOp, dst, a *float32, n int) {
	if s == isaAVX512 {
		switch op {
		case opNeg:
			negAVX512(dst, a, n)
		case opAbs:
			absAVX512(dst, a, n)
		case opSqrt:
			sqrtAVX512(dst, a, n)
		case opExp:
			expAVX512(dst, a, n)
		case opLogistic:
			logisticAVX512(dst, a, n)
		case opSiLU:
			siluAVX512(dst, a, n)
		case opSiLUGrad:
			siluGradAVX512(dst, a, n)
		}
		return
	}
	switch op {
	case opNeg:
		negAVX2(dst, a, n)
	case opAbs:
		absAVX2(dst, a, n)
	case opSqrt:
		sqrtAVX2(dst, a, n)
	case opExp:
		expAVX2(dst, a, n)
	case opLogistic:
		logisticAVX2(dst, a, n)
	case opSiLU:
		siluAVX2(dst, a, n)
	case opSiLUGrad:
		siluGradAVX2(dst, a, n)
	}
}

func mulAddAssembly(is isa, dst, a, b, c *float32, n, stepB, stepC int) {
	if is == isaAVX512 {
		mulAddAVX512(dst, a, b, c, n, stepB, stepC)
		return
	}
	mulAddAVX2(dst, a, b, c, n, stepB, stepC)
}

//go:noescape
func mulAddAVX512(dst, a, b, c *float32, n, stepB, stepC int)

//go:noescape
func mulAddAVX2(dst, a, b, c *float32, n, stepB, stepC int)

func sumAssembly(is isa, a *float32, n int) float64 {
	if is == isaAVX512 {
		return sumAVX512(a, n)
	}
	return sumAVX2(a, n)
}

//go:noescape
func sumAVX512(a *float32, n int) float64

//go:noescape
func sumAVX2(a *float32, n int) float64

func dotAssembly(is isa, a, b *float32, n int) float64 {
	if is == isaAVX512 {
		return dotAVX512(a, b, n)
	}
	return dotAVX2(a, b, n)
}

//go:noescape
func dotAVX512(a, b *float32, n int) float64

//go:noescape
func dotAVX2(a, b *float32, n int) float64

func mulAddRowsAssembly(is isa, dst, a, s, t *float32, pixels, channels, stepS, stepT int) {
	if is == isaAVX512 {
		mulAddRowsAVX512(dst, a, s, t, pixels, channels, stepS, stepT)
		return
	}
	mulAddRowsAVX2(dst, a, s, t, pixels, channels, stepS, stepT)
}

//go:noescape
func mulAddRowsAVX512(dst, a, s, t *float32, pixels, channels, stepS, stepT int)

//go:noescape
func mulAddRowsAVX2(dst, a, s, t *float32, pixels, channels, stepS, stepT int)

func colSumAssembly(is isa, part, x *float32, rows, stride, n int) {
	if is == isaAVX512 {
		colSumAVX512(part, x, rows, stride, n)
		return
	}
	colSumAVX2(part, x, rows, stride, n)
}

//go:noescape
func colSumAVX512(part, x *float32, rows, stride, n int)

//go:noescape
func colSumAVX2(part, x *float32, rows, stride, n int)

func colDotAssembly(is isa, part, x, y *float32, rows, stride, n int) {
	if is == isaAVX512 {
		colDotAVX512(part, x, y, rows, stride, n)
		return
	}
	colDotAVX2(part, x, y, rows, stride, n)
}

//go:noescape
func colDotAVX512(part, x, y *float32, rows, stride, n int)

//go:noescape
func colDotAVX2(part, x, y *float32, rows, stride, n int)

func accumulateAssembly(is isa, acc []float64, part []float32) {
	if is == isaAVX512 {
		accumulateAVX512(&acc[0], &part[0], len(part))
		return
	}
	accumulateAVX2(&acc[0], &part[0], len(part))
}

//go:noescape
func accumulateAVX512(acc *float64, part *float32, n int)

//go:noescape
func accumulateAVX2(acc *float64, part *float32, n int)

//go:noescape
func addAVX512(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func subAVX512(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func mulAVX512(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func divAVX512(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func maxAVX512(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func minAVX512(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func addAVX2(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func subAVX2(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func mulAVX2(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func divAVX2(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func maxAVX2(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func minAVX2(dst, a, b *float32, n, stepA, stepB int)

//go:noescape
func negAVX512(dst, a *float32, n int)

//go:noescape
func absAVX512(dst, a *float32, n int)

//go:noescape
func sqrtAVX512(dst, a *float32, n int)

//go:noescape
func expAVX512(dst, a *float32, n int)

//go:noescape
func logisticAVX512(dst, a *float32, n int)

//go:noescape
func siluAVX512(dst, a *float32, n int)

//go:noescape
func siluGradAVX512(dst, a *float32, n int)

//go:noescape
func negAVX2(dst, a *float32, n int)

//go:noescape
func absAVX2(dst, a *float32, n int)

//go:noescape
func sqrtAVX2(dst, a *float32, n int)

//go:noescape
func expAVX2(dst, a *float32, n int)

//go:noescape
func logisticAVX2(dst, a *float32, n int)

//go:noescape
func siluAVX2(dst, a *float32, n int)

//go:noescape
func siluGradAVX2(dst, a *float32, n int)
