package cpu

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// kind is a set of data types.
type kind uint

const (
	kindBool kind = 1 << iota
	kindSigned
	kindUnsigned
	kindFloat
	kindComplex

	kindInt     = kindSigned | kindUnsigned
	kindOrdered = kindInt | kindFloat
	kindNumber  = kindOrdered | kindComplex
	kindAny     = kindNumber | kindBool
)

func kindOf(t dtypes.DType) kind {
	switch {
	case t == dtypes.Bool:
		return kindBool
	case t.IsComplex():
		return kindComplex
	case t.IsFloat():
		return kindFloat
	case t.IsUnsigned():
		return kindUnsigned
	default:
		return kindSigned
	}
}

// unaryKinds lists the elementwise operations of one operand whose result has its data type,
// with the data types they are defined for.
var unaryKinds = map[backends.OpType]kind{
	backends.OpTypeAbs:        kindOrdered, // of complex numbers: see Builder.Abs
	backends.OpTypeBitCount:   kindInt,
	backends.OpTypeBitwiseNot: kindInt,
	backends.OpTypeCeil:       kindFloat,
	backends.OpTypeClz:        kindInt,
	backends.OpTypeCos:        kindFloat,
	backends.OpTypeErf:        kindFloat,
	backends.OpTypeExp:        kindFloat | kindComplex,
	backends.OpTypeExpm1:      kindFloat | kindComplex,
	backends.OpTypeFloor:      kindFloat,
	backends.OpTypeLog:        kindFloat | kindComplex,
	backends.OpTypeLog1p:      kindFloat | kindComplex,
	backends.OpTypeLogicalNot: kindBool,
	backends.OpTypeLogistic:   kindFloat,
	backends.OpTypeNeg:        kindSigned | kindFloat | kindComplex,
	backends.OpTypeRound:      kindFloat,
	backends.OpTypeRsqrt:      kindFloat | kindComplex,
	backends.OpTypeSign:       kindNumber,
	backends.OpTypeSin:        kindFloat,
	backends.OpTypeSqrt:       kindFloat | kindComplex,
	backends.OpTypeTanh:       kindFloat,
}

func init() {
	for op := range unaryKinds {
		if op != backends.OpTypeAbs {
			register(widenHalf(execUnary), op)
		}
	}
	register(widenHalf(execFloatTest), backends.OpTypeIsFinite, backends.OpTypeIsNaN)
}

func (bd *Builder) unary(op backends.OpType, x backends.Op) (backends.Op, error) {
	in, err := bd.check(op.String(), x)
	if err != nil {
		return nil, err
	}
	if t := in[0].shape.DType; kindOf(t)&unaryKinds[op] == 0 {
		return nil, fmt.Errorf("cpu: %s of %s is not supported", op, t)
	}
	return bd.add(op, in[0].shape, nil, in...), nil
}

// floatTest adds IsFinite or IsNaN.
func (bd *Builder) floatTest(op backends.OpType, x backends.Op) (backends.Op, error) {
	in, err := bd.check(op.String(), x)
	if err != nil {
		return nil, err
	}
	t := in[0].shape.DType
	if kindOf(t)&kindNumber == 0 {
		return nil, fmt.Errorf("cpu: %s of %s is not supported", op, t)
	}
	return bd.add(op, shapes.Shape{DType: dtypes.Bool, Dimensions: in[0].shape.Dimensions}, nil, in...), nil
}

// BitCount counts the bits that are set.
func (bd *Builder) BitCount(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeBitCount, x)
}

// BitwiseNot inverts all bits.
func (bd *Builder) BitwiseNot(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeBitwiseNot, x)
}

// Ceil rounds up.
func (bd *Builder) Ceil(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeCeil, x) }

// Clz counts the leading zero bits.
func (bd *Builder) Clz(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeClz, x) }

// Cos returns the cosine.
func (bd *Builder) Cos(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeCos, x) }

// Erf returns the error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.
func (bd *Builder) Erf(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeErf, x) }

// Exp returns e^x.
func (bd *Builder) Exp(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeExp, x) }

// Expm1 returns e^x - 1, precise near 0.
func (bd *Builder) Expm1(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeExpm1, x)
}

// Floor rounds down.
func (bd *Builder) Floor(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeFloor, x)
}

// Log returns the natural logarithm.
func (bd *Builder) Log(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeLog, x) }

// Log1p returns log(1 + x), precise near 0.
func (bd *Builder) Log1p(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeLog1p, x)
}

// LogicalNot negates booleans.
func (bd *Builder) LogicalNot(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeLogicalNot, x)
}

// Logistic returns 1 / (1 + e^-x).
func (bd *Builder) Logistic(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeLogistic, x)
}

// Neg returns -x.
func (bd *Builder) Neg(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeNeg, x) }

// Round rounds to the nearest whole number, ties to even.
func (bd *Builder) Round(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeRound, x)
}

// Rsqrt returns 1 / sqrt(x).
func (bd *Builder) Rsqrt(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeRsqrt, x)
}

// Sign returns -1, 0 or 1 with the sign of x, NaN for NaN, and x/|x| for complex numbers.
func (bd *Builder) Sign(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeSign, x) }

// Sin returns the sine.
func (bd *Builder) Sin(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeSin, x) }

// Sqrt returns the square root.
func (bd *Builder) Sqrt(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeSqrt, x) }

// Tanh returns the hyperbolic tangent.
func (bd *Builder) Tanh(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeTanh, x) }

// IsFinite tells which elements are neither infinite nor NaN.
func (bd *Builder) IsFinite(x backends.Op) (backends.Op, error) {
	return bd.floatTest(backends.OpTypeIsFinite, x)
}

// IsNaN tells which elements are NaN.
func (bd *Builder) IsNaN(x backends.Op) (backends.Op, error) {
	return bd.floatTest(backends.OpTypeIsNaN, x)
}

func execUnary(b *Backend, n *node, in, out []*Buffer) error {
	x, o := in[0], out[0]
	switch x.shape.DType {
	case dtypes.Bool:
		mapRows(b, o, x, each(func(x bool) bool { return !x }))
		return nil
	case dtypes.Float32:
		return runUnary(b, n, o, x, unaryFloat[float32](n.op))
	case dtypes.Float64:
		return runUnary(b, n, o, x, unaryFloat[float64](n.op))
	case dtypes.Complex64:
		return runUnary(b, n, o, x, unaryComplex[complex64](n.op))
	case dtypes.Complex128:
		return runUnary(b, n, o, x, unaryComplex[complex128](n.op))
	case dtypes.Int8:
		return runUnary(b, n, o, x, unaryInt[int8](n.op, 8))
	case dtypes.Int16:
		return runUnary(b, n, o, x, unaryInt[int16](n.op, 16))
	case dtypes.Int32:
		return runUnary(b, n, o, x, unaryInt[int32](n.op, 32))
	case dtypes.Int64:
		return runUnary(b, n, o, x, unaryInt[int64](n.op, 64))
	case dtypes.Uint8:
		return runUnary(b, n, o, x, unaryInt[uint8](n.op, 8))
	case dtypes.Uint16:
		return runUnary(b, n, o, x, unaryInt[uint16](n.op, 16))
	case dtypes.Uint32:
		return runUnary(b, n, o, x, unaryInt[uint32](n.op, 32))
	case dtypes.Uint64:
		return runUnary(b, n, o, x, unaryInt[uint64](n.op, 64))
	}
	return errDType(n, x.shape.DType)
}

func runUnary[T any](b *Backend, n *node, out, x *Buffer, kernel func(out, x []T)) error {
	if kernel == nil {
		return errDType(n, x.shape.DType)
	}
	mapRows(b, out, x, kernel)
	return nil
}

func execFloatTest(b *Backend, n *node, in, out []*Buffer) error {
	x, o := in[0], out[0]
	test := func(v float64) bool { return v-v == 0 } // neither infinite nor NaN
	if n.op == backends.OpTypeIsNaN {
		test = math.IsNaN
	}
	finite := n.op == backends.OpTypeIsFinite
	switch x.shape.DType {
	case dtypes.Float32:
		mapRows(b, o, x, each(func(v float32) bool { return test(float64(v)) }))
	case dtypes.Float64:
		mapRows(b, o, x, each(test))
	case dtypes.Complex64:
		mapRows(b, o, x, each(complexTest[complex64](test, finite)))
	case dtypes.Complex128:
		mapRows(b, o, x, each(complexTest[complex128](test, finite)))
	default: // whole numbers
		flat := flatOf[bool](o)
		for i := range flat {
			flat[i] = finite
		}
	}
	return nil
}

// complexTest holds for both parts (all) or for one of them.
func complexTest[T complexNumber](test func(float64) bool, all bool) func(T) bool {
	return func(v T) bool {
		re, im := test(real(complex128(v))), test(imag(complex128(v)))
		return re && im || !all && (re || im)
	}
}
