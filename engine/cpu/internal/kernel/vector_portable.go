package kernel

import "math"

func binaryPortable(op binaryOp, dst, a, b []float32) {
	a, b = a[:len(dst)], b[:len(dst)]
	switch op {
	case opAdd:
		for i := range dst {
			dst[i] = a[i] + b[i]
		}
	case opSub:
		for i := range dst {
			dst[i] = a[i] - b[i]
		}
	case opMul:
		for i := range dst {
			dst[i] = a[i] * b[i]
		}
	case opDiv:
		for i := range dst {
			dst[i] = a[i] / b[i]
		}
	case opMax:
		for i := range dst {
			dst[i] = max(a[i], b[i])
		}
	case opMin:
		for i := range dst {
			dst[i] = min(a[i], b[i])
		}
	}
}

func mulAddPortable(dst, a, b, c []float32) {
	a, b, c = a[:len(dst)], b[:len(dst)], c[:len(dst)]
	for i := range dst {
		dst[i] = a[i]*b[i] + c[i]
	}
}

func unaryPortable(op unaryOp, dst, a []float32) {
	a = a[:len(dst)]
	switch op {
	case opNeg:
		for i := range dst {
			dst[i] = -a[i]
		}
	case opAbs:
		for i := range dst {
			dst[i] = math.Float32frombits(math.Float32bits(a[i]) &^ (1 << 31))
		}
	case opSqrt:
		for i := range dst {
			dst[i] = float32(math.Sqrt(float64(a[i])))
		}
	case opExp:
		for i := range dst {
			dst[i] = float32(math.Exp(float64(a[i])))
		}
	case opLogistic:
		for i := range dst {
			dst[i] = float32(1 / (1 + math.Exp(-float64(a[i]))))
		}
	case opSiLU:
		for i := range dst {
			x := float64(a[i])
			dst[i] = float32(x * (1 / (1 + math.Exp(-x))))
		}
	case opSiLUGrad:
		for i := range dst {
			x := float64(a[i])
			e := math.Exp(-math.Abs(x)) // no overflow, and no cancellation in 1-L
			l, r := 1/(1+e), e/(1+e)
			if x < 0 {
				l, r = r, l
			}
			dst[i] = float32(l * (1 + x*r))
		}
	}
}

func sumPortable(a []float32) float64 {
	var s [4]float64 // chains that the processor can run side by side
	for len(a) >= 4 {
		s[0] += float64(a[0])
		s[1] += float64(a[1])
		s[2] += float64(a[2])
		s[3] += float64(a[3])
		a = a[4:]
	}
	for i, v := range a {
		s[i] += float64(v)
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

func dotPortable(a, b []float32) float64 {
	var s [4]float64
	for len(a) >= 4 && len(b) >= 4 {
		s[0] += float64(a[0]) * float64(b[0])
		s[1] += float64(a[1]) * float64(b[1])
		s[2] += float64(a[2]) * float64(b[2])
		s[3] += float64(a[3]) * float64(b[3])
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s[i] += float64(v) * float64(b[i])
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// colSumPortable sets part[j] to the sum over r < rows of x[r*stride+j].
func colSumPortable(part, x []float32, rows, stride int) {
	clear(part)
	for range rows {
		for j := range part {
			part[j] += x[j]
		}
		x = x[min(stride, len(x)):]
	}
}

// colDotPortable sets part[j] to the sum over r < rows of x[r*stride+j]*y[r*stride+j].
func colDotPortable(part, x, y []float32, rows, stride int) {
	clear(part)
	for range rows {
		for j := range part {
			part[j] += x[j] * y[j]
		}
		x, y = x[min(stride, len(x)):], y[min(stride, len(y)):]
	}
}

func accumulatePortable(acc []float64, part []float32) {
	for i, v := range part {
		acc[i] += float64(v)
	}
}
