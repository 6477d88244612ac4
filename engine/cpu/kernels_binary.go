package cpu

import (
	"math"
	"math/cmplx"

	"github.com/gomlx/gomlx/backends"
)

// arithmetic has the kernels of the commonest operations, written out because a call per
// element costs more than the arithmetic.
func arithmetic[T number](op backends.OpType) func(out, x, y []T) {
	switch op {
	case backends.OpTypeAdd:
		return func(out, x, y []T) {
			if len(x) < len(y) {
				x, y = y, x
			}
			x = x[:len(out)]
			if len(y) < len(x) {
				v := y[0]
				for i := range out {
					out[i] = x[i] + v
				}
				return
			}
			y = y[:len(out)]
			for i := range out {
				out[i] = x[i] + y[i]
			}
		}
	case backends.OpTypeMul:
		return func(out, x, y []T) {
			if len(x) < len(y) {
				x, y = y, x
			}
			x = x[:len(out)]
			if len(y) < len(x) {
				v := y[0]
				for i := range out {
					out[i] = x[i] * v
				}
				return
			}
			y = y[:len(out)]
			for i := range out {
				out[i] = x[i] * y[i]
			}
		}
	case backends.OpTypeSub:
		return func(out, x, y []T) {
			switch {
			case len(x) < len(out):
				v := x[0]
				for i := range out {
					out[i] = v - y[i]
				}
			case len(y) < len(out):
				v := y[0]
				for i := range out {
					out[i] = x[i] - v
				}
			default:
				x, y = x[:len(out)], y[:len(out)]
				for i := range out {
					out[i] = x[i] - y[i]
				}
			}
		}
	}
	return nil
}

func binaryFloat[T float](op backends.OpType) func(out, x, y []T) {
	switch op {
	case backends.OpTypeDiv:
		return func(out, x, y []T) {
			switch {
			case len(x) < len(out):
				v := x[0]
				for i := range out {
					out[i] = v / y[i]
				}
			case len(y) < len(out):
				v := y[0]
				for i := range out {
					out[i] = x[i] / v
				}
			default:
				for i := range out {
					out[i] = x[i] / y[i]
				}
			}
		}
	case backends.OpTypeMax:
		return zip(maxOf[T])
	case backends.OpTypeMin:
		return zip(minOf[T])
	case backends.OpTypePow:
		return zip(func(x, y T) T { return T(math.Pow(float64(x), float64(y))) })
	case backends.OpTypeRem:
		return zip(func(x, y T) T { return T(math.Mod(float64(x), float64(y))) })
	}
	return arithmetic[T](op)
}

// maxOf is the larger one, or NaN if one is NaN.
func maxOf[T ordered](x, y T) T { return max(x, y) }

// minOf is the smaller one, or NaN if one is NaN.
func minOf[T ordered](x, y T) T { return min(x, y) }

func binaryComplex[T complexNumber](op backends.OpType) func(out, x, y []T) {
	switch op {
	case backends.OpTypeDiv:
		return zip(func(x, y T) T { return x / y })
	case backends.OpTypePow:
		return zip(func(x, y T) T { return T(cmplx.Pow(complex128(x), complex128(y))) })
	}
	return arithmetic[T](op)
}

func binaryBool(op backends.OpType) func(out, x, y []bool) {
	switch op {
	case backends.OpTypeLogicalAnd, backends.OpTypeMin:
		return zip(func(x, y bool) bool { return x && y })
	case backends.OpTypeLogicalOr, backends.OpTypeMax:
		return zip(func(x, y bool) bool { return x || y })
	case backends.OpTypeLogicalXor:
		return zip(func(x, y bool) bool { return x != y })
	}
	return nil
}

// binaryInt has XLA's semantics where Go has none or others: x/0 is -1 (all bits set), x%0 is x,
// and a shift by the size or more, or by a negative number, shifts everything out.
func binaryInt[T integer](op backends.OpType, size int) func(out, x, y []T) {
	mask := ^uint64(0) >> (64 - size)
	count := func(y T) uint64 { return uint64(y) & mask }
	switch op {
	case backends.OpTypeBitwiseAnd:
		return zip(func(x, y T) T { return x & y })
	case backends.OpTypeBitwiseOr:
		return zip(func(x, y T) T { return x | y })
	case backends.OpTypeBitwiseXor:
		return zip(func(x, y T) T { return x ^ y })
	case backends.OpTypeDiv:
		return zip(func(x, y T) T {
			if y == 0 {
				return ^T(0)
			}
			return x / y
		})
	case backends.OpTypeMax:
		return zip(maxOf[T])
	case backends.OpTypeMin:
		return zip(minOf[T])
	case backends.OpTypePow:
		return zip(intPow[T])
	case backends.OpTypeRem:
		return zip(func(x, y T) T {
			if y == 0 {
				return x
			}
			return x % y
		})
	case backends.OpTypeShiftLeft:
		return zip(func(x, y T) T { return x << count(y) })
	case backends.OpTypeShiftRightArithmetic:
		// An unsigned x counts as its two's complement.
		return zip(func(x, y T) T {
			wide := int64(uint64(x)<<(64-size)) >> (64 - size)
			return T(wide >> count(y))
		})
	case backends.OpTypeShiftRightLogical:
		return zip(func(x, y T) T { return T(uint64(x) & mask >> count(y)) })
	}
	return arithmetic[T](op)
}

// intPow raises to a whole power, wrapping around. A negative power of anything but 1 and -1
// is 0.
func intPow[T integer](x, y T) T {
	if y < 0 {
		switch {
		case x == 1:
			return 1
		case x == ^T(0): // -1, as y is signed
			if y&1 == 0 {
				return 1
			}
			return x
		}
		return 0
	}
	var p T = 1
	for ; y > 0; y >>= 1 {
		if y&1 == 1 {
			p *= x
		}
		x *= x
	}
	return p
}
