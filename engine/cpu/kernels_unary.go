package cpu

import (
	"math"
	"math/bits"
	"math/cmplx"

	"github.com/gomlx/gomlx/backends"
)

// unaryFloat computes in float64 and rounds once.
func unaryFloat[T float](op backends.OpType) func(out, x []T) {
	via := func(f func(float64) float64) func(out, x []T) {
		return func(out, x []T) {
			for i, v := range x {
				out[i] = T(f(float64(v)))
			}
		}
	}
	switch op {
	case backends.OpTypeNeg:
		return func(out, x []T) {
			for i, v := range x {
				out[i] = -v
			}
		}
	case backends.OpTypeSqrt:
		return func(out, x []T) {
			for i, v := range x {
				out[i] = T(math.Sqrt(float64(v)))
			}
		}
	case backends.OpTypeAbs:
		return via(math.Abs)
	case backends.OpTypeCeil:
		return via(math.Ceil)
	case backends.OpTypeCos:
		return via(math.Cos)
	case backends.OpTypeErf:
		return via(math.Erf)
	case backends.OpTypeExp:
		return via(math.Exp)
	case backends.OpTypeExpm1:
		return via(math.Expm1)
	case backends.OpTypeFloor:
		return via(math.Floor)
	case backends.OpTypeLog:
		return via(math.Log)
	case backends.OpTypeLog1p:
		return via(math.Log1p)
	case backends.OpTypeLogistic:
		return via(func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })
	case backends.OpTypeRound:
		return via(math.RoundToEven)
	case backends.OpTypeRsqrt:
		return via(func(x float64) float64 { return 1 / math.Sqrt(x) })
	case backends.OpTypeSign:
		return each(func(x T) T {
			switch {
			case x > 0:
				return 1
			case x < 0:
				return -1
			}
			return x // +0, -0 or NaN
		})
	case backends.OpTypeSin:
		return via(math.Sin)
	case backends.OpTypeTanh:
		return via(math.Tanh)
	}
	return nil
}

func unaryComplex[T complexNumber](op backends.OpType) func(out, x []T) {
	via := func(f func(complex128) complex128) func(out, x []T) {
		return func(out, x []T) {
			for i, v := range x {
				out[i] = T(f(complex128(v)))
			}
		}
	}
	switch op {
	case backends.OpTypeExp:
		return via(cmplx.Exp)
	case backends.OpTypeExpm1:
		return via(complexExpm1)
	case backends.OpTypeLog:
		return via(cmplx.Log)
	case backends.OpTypeLog1p:
		return via(complexLog1p)
	case backends.OpTypeNeg:
		return via(func(z complex128) complex128 { return -z })
	case backends.OpTypeRsqrt:
		return via(func(z complex128) complex128 { return 1 / cmplx.Sqrt(z) })
	case backends.OpTypeSign:
		return via(func(z complex128) complex128 {
			if z == 0 {
				return z
			}
			return z / complex(cmplx.Abs(z), 0)
		})
	case backends.OpTypeSqrt:
		return via(cmplx.Sqrt)
	}
	return nil
}

// complexExpm1 keeps its relative precision near 0:
// exp(a+bi)-1 = expm1(a) cos(b) + (cos(b)-1) + i exp(a) sin(b), cos(b)-1 = -2 sin(b/2)^2.
func complexExpm1(z complex128) complex128 {
	a, b := real(z), imag(z)
	s := math.Sin(b / 2)
	return complex(math.Expm1(a)*math.Cos(b)-2*s*s, math.Exp(a)*math.Sin(b))
}

// complexLog1p keeps its relative precision near 0: |1+z|^2 = 1 + (a(2+a) + b^2).
func complexLog1p(z complex128) complex128 {
	a, b := real(z), imag(z)
	return complex(math.Log1p(a*(2+a)+b*b)/2, math.Atan2(b, 1+a))
}

func unaryInt[T integer](op backends.OpType, size int) func(out, x []T) {
	mask := ^uint64(0) >> (64 - size)
	switch op {
	case backends.OpTypeAbs:
		return each(func(x T) T {
			if x < 0 {
				return -x
			}
			return x
		})
	case backends.OpTypeBitCount:
		return each(func(x T) T { return T(bits.OnesCount64(uint64(x) & mask)) })
	case backends.OpTypeBitwiseNot:
		return each(func(x T) T { return ^x })
	case backends.OpTypeClz:
		return each(func(x T) T { return T(bits.LeadingZeros64(uint64(x)&mask) - (64 - size)) })
	case backends.OpTypeNeg:
		return each(func(x T) T { return -x })
	case backends.OpTypeSign:
		return each(func(x T) T {
			switch {
			case x > 0:
				return 1
			case x < 0:
				var one T = 1
				return -one
			}
			return 0
		})
	}
	return nil
}
