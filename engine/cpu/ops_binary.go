package cpu

import (
	"fmt"
	"math"
	"math/cmplx"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// binaryKinds lists the elementwise operations of two operands of one data type, which is the
// result's too, with the data types they are defined for.
var binaryKinds = map[backends.OpType]kind{
	backends.OpTypeAdd:                  kindNumber,
	backends.OpTypeBitwiseAnd:           kindInt,
	backends.OpTypeBitwiseOr:            kindInt,
	backends.OpTypeBitwiseXor:           kindInt,
	backends.OpTypeDiv:                  kindNumber,
	backends.OpTypeLogicalAnd:           kindBool,
	backends.OpTypeLogicalOr:            kindBool,
	backends.OpTypeLogicalXor:           kindBool,
	backends.OpTypeMax:                  kindOrdered | kindBool,
	backends.OpTypeMin:                  kindOrdered | kindBool,
	backends.OpTypeMul:                  kindNumber,
	backends.OpTypePow:                  kindNumber,
	backends.OpTypeRem:                  kindOrdered,
	backends.OpTypeShiftLeft:            kindInt,
	backends.OpTypeShiftRightArithmetic: kindInt,
	backends.OpTypeShiftRightLogical:    kindInt,
	backends.OpTypeSub:                  kindNumber,
}

func init() {
	for op := range binaryKinds {
		register(widenHalf(execBinary), op)
	}
}

func (bd *Builder) binary(op backends.OpType, x, y backends.Op) (backends.Op, error) {
	in, err := bd.check(op.String(), x, y)
	if err != nil {
		return nil, err
	}
	shape, err := binaryShape(op, in[0].shape, in[1].shape, binaryKinds[op])
	if err != nil {
		return nil, err
	}
	return bd.add(op, shape, nil, in...), nil
}

// binaryShape infers the shape of an operation on two operands of one data type out of kinds.
func binaryShape(op backends.OpType, x, y shapes.Shape, kinds kind) (shapes.Shape, error) {
	if x.DType != y.DType {
		return shapes.Invalid(), fmt.Errorf("cpu: %s of %s and %s: the data types must be the same", op, x, y)
	}
	if kindOf(x.DType)&kinds == 0 {
		return shapes.Invalid(), fmt.Errorf("cpu: %s of %s is not supported", op, x.DType)
	}
	dims, err := broadcastDims(op.String(), x, y)
	if err != nil {
		return shapes.Invalid(), err
	}
	return shapes.Shape{DType: x.DType, Dimensions: dims}, nil
}

func (bd *Builder) Add(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeAdd, x, y)
}
func (bd *Builder) BitwiseAnd(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeBitwiseAnd, x, y)
}
func (bd *Builder) BitwiseOr(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeBitwiseOr, x, y)
}
func (bd *Builder) BitwiseXor(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeBitwiseXor, x, y)
}
func (bd *Builder) Div(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeDiv, x, y)
}
func (bd *Builder) LogicalAnd(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeLogicalAnd, x, y)
}
func (bd *Builder) LogicalOr(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeLogicalOr, x, y)
}
func (bd *Builder) LogicalXor(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeLogicalXor, x, y)
}
func (bd *Builder) Max(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeMax, x, y)
}
func (bd *Builder) Min(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeMin, x, y)
}
func (bd *Builder) Mul(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeMul, x, y)
}
func (bd *Builder) Pow(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypePow, x, y)
}
func (bd *Builder) Rem(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeRem, x, y)
}
func (bd *Builder) ShiftLeft(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeShiftLeft, x, y)
}
func (bd *Builder) ShiftRightArithmetic(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeShiftRightArithmetic, x, y)
}
func (bd *Builder) ShiftRightLogical(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeShiftRightLogical, x, y)
}
func (bd *Builder) Sub(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeSub, x, y)
}

func execBinary(b *Backend, n *node, in, out []*Buffer) error {
	switch in[0].shape.DType {
	case dtypes.Bool:
		return runBinary(b, n, in, out, binaryBool(n.op))
	case dtypes.Float32:
		return runBinary(b, n, in, out, binaryFloat[float32](n.op))
	case dtypes.Float64:
		return runBinary(b, n, in, out, binaryFloat[float64](n.op))
	case dtypes.Complex64:
		return runBinary(b, n, in, out, binaryComplex[complex64](n.op))
	case dtypes.Complex128:
		return runBinary(b, n, in, out, binaryComplex[complex128](n.op))
	case dtypes.Int8:
		return runBinary(b, n, in, out, binaryInt[int8](n.op, 8))
	case dtypes.Int16:
		return runBinary(b, n, in, out, binaryInt[int16](n.op, 16))
	case dtypes.Int32:
		return runBinary(b, n, in, out, binaryInt[int32](n.op, 32))
	case dtypes.Int64:
		return runBinary(b, n, in, out, binaryInt[int64](n.op, 64))
	case dtypes.Uint8:
		return runBinary(b, n, in, out, binaryInt[uint8](n.op, 8))
	case dtypes.Uint16:
		return runBinary(b, n, in, out, binaryInt[uint16](n.op, 16))
	case dtypes.Uint32:
		return runBinary(b, n, in, out, binaryInt[uint32](n.op, 32))
	case dtypes.Uint64:
		return runBinary(b, n, in, out, binaryInt[uint64](n.op, 64))
	}
	return errDType(n, in[0].shape.DType)
}

func runBinary[T any](b *Backend, n *node, in, out []*Buffer, kernel func(out, x, y []T)) error {
	if kernel == nil {
		return errDType(n, in[0].shape.DType)
	}
	zipRows(b, out[0], in[0], in[1], kernel)
	return nil
}

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
