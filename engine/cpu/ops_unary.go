package cpu

import (
	"fmt"
	"math"
	"math/bits"
	"math/cmplx"

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

func (bd *Builder) BitCount(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeBitCount, x)
}
func (bd *Builder) BitwiseNot(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeBitwiseNot, x)
}
func (bd *Builder) Ceil(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeCeil, x) }
func (bd *Builder) Clz(x backends.Op) (backends.Op, error)  { return bd.unary(backends.OpTypeClz, x) }
func (bd *Builder) Cos(x backends.Op) (backends.Op, error)  { return bd.unary(backends.OpTypeCos, x) }
func (bd *Builder) Erf(x backends.Op) (backends.Op, error)  { return bd.unary(backends.OpTypeErf, x) }
func (bd *Builder) Exp(x backends.Op) (backends.Op, error)  { return bd.unary(backends.OpTypeExp, x) }
func (bd *Builder) Expm1(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeExpm1, x)
}
func (bd *Builder) Floor(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeFloor, x)
}
func (bd *Builder) Log(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeLog, x) }
func (bd *Builder) Log1p(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeLog1p, x)
}
func (bd *Builder) LogicalNot(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeLogicalNot, x)
}
func (bd *Builder) Logistic(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeLogistic, x)
}
func (bd *Builder) Neg(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeNeg, x) }
func (bd *Builder) Round(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeRound, x)
}
func (bd *Builder) Rsqrt(x backends.Op) (backends.Op, error) {
	return bd.unary(backends.OpTypeRsqrt, x)
}
func (bd *Builder) Sign(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeSign, x) }
func (bd *Builder) Sin(x backends.Op) (backends.Op, error)  { return bd.unary(backends.OpTypeSin, x) }
func (bd *Builder) Sqrt(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeSqrt, x) }
func (bd *Builder) Tanh(x backends.Op) (backends.Op, error) { return bd.unary(backends.OpTypeTanh, x) }
func (bd *Builder) IsFinite(x backends.Op) (backends.Op, error) {
	return bd.floatTest(backends.OpTypeIsFinite, x)
}
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
