package cpu

import (
	"slices"

	"github.com/seed-0f004ec9/spgd/engine/cpu/internal/kernel"
)

// fuse replaces the common sequences of instructions by one that does them in one pass: its
// operands are arrays, and what is between its operations stays in registers. The results are the
// same to the bit, so that it does not matter where it happens. It runs before allocate: register i
// is what instruction i makes.
func (c *compiler) fuse() {
	code := c.p.code
	uses := make([]int, len(code))
	for i := range code {
		for _, o := range code[i].operands() {
			if *o >= 0 {
				uses[*o]++
			}
		}
	}
	for _, o := range c.p.result {
		if o >= 0 {
			uses[o]++
		}
	}
	gone := make([]bool, len(code))
	// made returns the instruction that makes o, if it is op and nobody else reads o.
	made := func(o operand, op opcode) *instruction {
		if o < 0 || gone[o] || code[o].op != op || uses[o] != 1 {
			return nil
		}
		return &code[o]
	}
	for i := range code {
		in := &code[i]
		switch in.op {
		case opSiLU:
			if m := made(in.a, opMulAdd); m != nil {
				gone[m.dst] = true
				in.op, in.a, in.b, in.c = opMulAddSiLU, m.a, m.b, m.c
			}
		case opMul:
			c.fuseMul(in, uses, gone, made)
		case opAdd:
			for _, o := range [][2]operand{{in.a, in.b}, {in.b, in.a}} {
				m := made(o[0], opMulAdd)
				if m == nil {
					continue
				}
				if p := made(m.c, opMul); p != nil {
					gone[m.dst], gone[p.dst] = true, true
					in.op, in.a, in.b, in.c, in.d, in.e = opMulMulAdd, m.a, m.b, p.a, p.b, o[1]
					break
				}
			}
		}
	}
	c.remove(gone)
}

// fuseMul is fuse for a product.
func (c *compiler) fuseMul(in *instruction, uses []int, gone []bool, made func(operand, opcode) *instruction) {
	code := c.p.code
	if o := in.a; o == in.b {
		if o >= 0 && !gone[o] && code[o].op == opSub && uses[o] == 2 {
			gone[o] = true
			in.op, in.a, in.b = opSubSquare, code[o].a, code[o].b
		}
		return
	}
	for _, o := range [][2]operand{{in.a, in.b}, {in.b, in.a}} {
		if g := made(o[0], opSiLUGrad); g != nil {
			if m := made(g.a, opMulAdd); m != nil {
				gone[g.dst], gone[m.dst] = true, true
				in.op, in.a, in.b, in.c, in.d = opMulAddSiLUGrad, m.a, m.b, m.c, o[1]
				return
			}
		}
		if d := made(o[0], opSub); d != nil {
			gone[d.dst] = true
			in.op, in.a, in.b, in.c = opSubMul, d.a, d.b, o[1]
			return
		}
	}
}

// remove drops instructions whose registers nobody reads any more.
func (c *compiler) remove(gone []bool) {
	at := make([]operand, len(gone))
	n := operand(0)
	for i := range gone {
		at[i] = n
		if !gone[i] {
			n++
		}
	}
	moved := func(o *operand) {
		if *o >= 0 {
			*o = at[*o]
		}
	}
	i := -1
	c.p.code = slices.DeleteFunc(c.p.code, func(instruction) bool { i++; return gone[i] })
	for i := range c.p.code {
		in := &c.p.code[i]
		in.dst = int32(i)
		for _, o := range in.operands() {
			moved(o)
		}
	}
	for i := range c.p.result {
		moved(&c.p.result[i])
	}
}

// fused runs an instruction of several operations.
func (e *evaluator) fused(in *instruction, dst []float32) {
	if e.fusedHalf(in, dst) {
		return
	}
	n := len(dst)
	a, b := e.operand(in.a, n), e.operand(in.b, n)
	switch in.op {
	case opMulAdd:
		kernel.MulAdd(dst, a, b, e.operand(in.c, n))
	case opMulAddSiLU:
		kernel.MulAddSiLU(dst, a, b, e.operand(in.c, n))
	case opMulAddSiLUGrad:
		kernel.MulAddSiLUGrad(dst, a, b, e.operand(in.c, n), e.operand(in.d, n))
	case opMulMulAdd:
		kernel.MulMulAdd(dst, a, b, e.operand(in.c, n), e.operand(in.d, n), e.operand(in.e, n))
	case opSubMul:
		kernel.SubMul(dst, a, b, e.operand(in.c, n))
	case opSubSquare:
		kernel.SubSquare(dst, a, b)
	}
}
