package cpu

import (
	"math"

	"github.com/gomlx/gomlx/backends"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// opcode is an operation of a program. Binary ones come in three forms: array with array,
// array with scalar, scalar with array.
type opcode uint8

const (
	opAdd opcode = iota
	opSub
	opMul
	opDiv
	opMax
	opMin
	numBinary
	// The same with the right operand a scalar, then with the left one.
	opScalarRight = numBinary
	opScalarLeft  = 2 * numBinary
	opNeg         = 3*numBinary + iota
	opAbs
	opSqrt
	opExp
	opLogistic
	opLog
	opLog1p
	opSin
	opCos
	opTanh
	opRsqrt
	opSign
	opFloor
	opSiLU     // x*logistic(x)
	opSiLUGrad // its derivative
	// Several operations of arrays; see plan_fuse.go.
	opMulAdd         // a*b + c
	opMulAddSiLU     // SiLU of a*b + c
	opMulAddSiLUGrad // its derivative at a*b + c, times d
	opMulMulAdd      // a*b + c*d + e
	opSubMul         // (a-b) * c
	opSubSquare      // (a-b) * (a-b)
)

func (o opcode) binary() bool     { return o < 3*numBinary }
func (o opcode) scalarLeft() bool { return o >= opScalarLeft && o < 3*numBinary }

// binaryOpcodes and unaryOpcodes are the operations that programs take; others run by the
// generic executors.
var binaryOpcodes = map[backends.OpType]opcode{
	backends.OpTypeAdd: opAdd, backends.OpTypeSub: opSub, backends.OpTypeMul: opMul,
	backends.OpTypeDiv: opDiv, backends.OpTypeMax: opMax, backends.OpTypeMin: opMin,
}

var unaryOpcodes = map[backends.OpType]opcode{
	backends.OpTypeNeg: opNeg, backends.OpTypeAbs: opAbs, backends.OpTypeSqrt: opSqrt,
	backends.OpTypeExp: opExp, backends.OpTypeLogistic: opLogistic, backends.OpTypeLog: opLog,
	backends.OpTypeLog1p: opLog1p, backends.OpTypeSin: opSin, backends.OpTypeCos: opCos,
	backends.OpTypeTanh: opTanh, backends.OpTypeRsqrt: opRsqrt, backends.OpTypeSign: opSign,
	backends.OpTypeFloor: opFloor,
}

// cost is a rough price per element, in units of an addition.
func (o opcode) cost() int {
	switch {
	case o == opExp || o == opLogistic || o == opSiLU || o == opSiLUGrad:
		return 6
	case o >= opLog && o <= opTanh:
		return 60 // scalar code through float64
	case o == opDiv || o == opDiv+opScalarRight || o == opDiv+opScalarLeft || o == opSqrt || o == opRsqrt:
		return 3
	default:
		return 1
	}
}

// apply computes dst = op(a, b), where s stands for the scalar operand if the form has one.
func (o opcode) apply(dst, a, b []float32, s float32) {
	switch o {
	case opAdd:
		kernel.Add(dst, a, b)
	case opSub:
		kernel.Sub(dst, a, b)
	case opMul:
		kernel.Mul(dst, a, b)
	case opDiv:
		kernel.Div(dst, a, b)
	case opMax:
		kernel.Max(dst, a, b)
	case opMin:
		kernel.Min(dst, a, b)
	case opAdd + opScalarRight, opAdd + opScalarLeft:
		kernel.AddScalar(dst, a, s)
	case opSub + opScalarRight:
		kernel.SubScalar(dst, a, s)
	case opSub + opScalarLeft:
		kernel.SubFromScalar(dst, a, s)
	case opMul + opScalarRight, opMul + opScalarLeft:
		kernel.MulScalar(dst, a, s)
	case opDiv + opScalarRight:
		kernel.DivScalar(dst, a, s)
	case opDiv + opScalarLeft:
		kernel.DivIntoScalar(dst, a, s)
	case opMax + opScalarRight, opMax + opScalarLeft:
		kernel.MaxScalar(dst, a, s)
	case opMin + opScalarRight, opMin + opScalarLeft:
		kernel.MinScalar(dst, a, s)
	case opNeg:
		kernel.Neg(dst, a)
	case opAbs:
		kernel.Abs(dst, a)
	case opSqrt:
		kernel.Sqrt(dst, a)
	case opExp:
		kernel.Exp(dst, a)
	case opLogistic:
		kernel.Logistic(dst, a)
	case opSiLU:
		kernel.SiLU(dst, a)
	case opSiLUGrad:
		kernel.SiLUGrad(dst, a)
	case opRsqrt:
		kernel.Sqrt(dst, a)
		kernel.DivIntoScalar(dst, dst, 1)
	default:
		f := scalarFunctions[o]
		for i, x := range a {
			dst[i] = f(x)
		}
	}
}

// scalarFunctions are the operations too rare to deserve a vector kernel.
var scalarFunctions = map[opcode]func(float32) float32{
	opLog:   through64(math.Log),
	opLog1p: through64(math.Log1p),
	opSin:   through64(math.Sin),
	opCos:   through64(math.Cos),
	opTanh:  through64(math.Tanh),
	opFloor: through64(math.Floor),
	opSign: func(x float32) float32 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		default:
			return x // keeps NaN and the sign of zero
		}
	},
}

func through64(f func(float64) float64) func(float32) float32 {
	return func(x float32) float32 { return float32(f(float64(x))) }
}
