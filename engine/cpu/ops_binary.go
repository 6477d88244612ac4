package cpu

import (
	"fmt"

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

// Add returns x + y.
func (bd *Builder) Add(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeAdd, x, y)
}

// BitwiseAnd combines bits.
func (bd *Builder) BitwiseAnd(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeBitwiseAnd, x, y)
}

// BitwiseOr combines bits.
func (bd *Builder) BitwiseOr(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeBitwiseOr, x, y)
}

// BitwiseXor combines bits.
func (bd *Builder) BitwiseXor(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeBitwiseXor, x, y)
}

// Div returns x / y; of whole numbers, it truncates, and x/0 is -1 (all bits set).
func (bd *Builder) Div(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeDiv, x, y)
}

// LogicalAnd combines booleans.
func (bd *Builder) LogicalAnd(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeLogicalAnd, x, y)
}

// LogicalOr combines booleans.
func (bd *Builder) LogicalOr(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeLogicalOr, x, y)
}

// LogicalXor combines booleans.
func (bd *Builder) LogicalXor(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeLogicalXor, x, y)
}

// Max returns the larger element, or NaN if one is NaN.
func (bd *Builder) Max(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeMax, x, y)
}

// Min returns the smaller element, or NaN if one is NaN.
func (bd *Builder) Min(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeMin, x, y)
}

// Mul returns x * y.
func (bd *Builder) Mul(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeMul, x, y)
}

// Pow returns x to the power of y.
func (bd *Builder) Pow(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypePow, x, y)
}

// Rem returns the remainder of x / y with the sign of x; of whole numbers, x%0 is x.
func (bd *Builder) Rem(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeRem, x, y)
}

// ShiftLeft shifts bits; by the size or more, or by a negative number, it shifts all out.
func (bd *Builder) ShiftLeft(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeShiftLeft, x, y)
}

// ShiftRightArithmetic shifts bits and keeps the sign.
func (bd *Builder) ShiftRightArithmetic(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeShiftRightArithmetic, x, y)
}

// ShiftRightLogical shifts bits and fills with zeros.
func (bd *Builder) ShiftRightLogical(x, y backends.Op) (backends.Op, error) {
	return bd.binary(backends.OpTypeShiftRightLogical, x, y)
}

// Sub returns x - y.
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
