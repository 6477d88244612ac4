package cpu

import (
	"slices"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// Some instructions read some of their operands as bfloat16 numbers, straight from the array. That
// saves a trip through the first-level cache for leaves that nobody reads otherwise.

// halves are the operands that the instruction can read as bfloat16 numbers.
func (in *instruction) halves() []*operand {
	switch in.op {
	case opAdd:
		return []*operand{&in.b}
	case opMulAddSiLU, opMulAddSiLUGrad, opSubMul:
		return []*operand{&in.a}
	case opMulMulAdd:
		return []*operand{&in.a, &in.c}
	}
	return nil
}

// readHalves finds the leaves that are read as bfloat16 numbers. It is asked when the arrays of the
// leaves are known.
func (p *program) readHalves() {
	could := func(o operand) bool {
		return o < 0 && p.leaves[^o].kind == leafDense && p.leaves[^o].narrowed() && !p.leaves[^o].part
	}
	uses := make([]int, len(p.leaves)) // that need float32
	for i := range p.code {
		in := &p.code[i]
		// Sums and products do not care about the order of two operands.
		order := func(narrow, other *operand) {
			if could(*other) && !could(*narrow) {
				*narrow, *other = *other, *narrow
			}
		}
		switch in.op {
		case opAdd:
			order(&in.b, &in.a)
		case opMulAddSiLU, opMulAddSiLUGrad:
			order(&in.a, &in.b)
		case opMulMulAdd:
			order(&in.a, &in.b)
			order(&in.c, &in.d)
		}
		for _, o := range in.operands() {
			if *o < 0 {
				uses[^*o]++
			}
		}
		for _, o := range in.halves() {
			if *o < 0 {
				uses[^*o]--
			}
		}
	}
	for i := range p.leaves {
		o := ^operand(i)
		p.leaves[i].direct = could(o) && uses[i] == 0 && !slices.Contains(p.result, o)
	}
}

// half is the current tile of an operand that is read as bfloat16 numbers; nil if it is not.
func (e *evaluator) half(o operand) []uint16 {
	if o >= 0 {
		return nil
	}
	return e.direct[^o]
}

// fusedHalf runs an instruction one of whose operands is read as bfloat16 numbers, if one is.
func (e *evaluator) fusedHalf(in *instruction, dst []float32) bool {
	n := len(dst)
	h, b := e.half(in.a), e.operand(in.b, n)
	switch c := e.half(in.c); {
	case in.op == opMulMulAdd && (h != nil || c != nil):
		kernel.MulMulAddHalf(dst, kernel.Numbers{Wide: e.operand(in.a, n), Half: h}, b,
			kernel.Numbers{Wide: e.operand(in.c, n), Half: c}, e.operand(in.d, n), e.operand(in.e, n))
	case h == nil:
		return false
	case in.op == opMulAddSiLU:
		kernel.MulAddSiLUHalf(dst, h, b, e.operand(in.c, n))
	case in.op == opMulAddSiLUGrad:
		kernel.MulAddSiLUGradHalf(dst, h, b, e.operand(in.c, n), e.operand(in.d, n))
	case in.op == opSubMul:
		kernel.SubMulHalf(dst, h, b, e.operand(in.c, n))
	}
	return true
}
