package cpu

import "slices"

// compileProgram makes the program that computes v, a point or a view, from stored values.
func compileProgram(v *vertex) *program {
	c := compiler{p: &program{size: v.size()}, done: make(map[*vertex]operand)}
	c.p.result = []operand{c.root(v)}
	c.fuse()
	c.allocate()
	c.p.finish()
	return c.p
}

// inputProgram makes the program that computes the elements of the operands, all of one size,
// in order for a reader that takes them from there, such as a reduction.
func inputProgram(operands ...*vertex) *program {
	c := compiler{p: &program{size: operands[0].size()}, done: make(map[*vertex]operand)}
	for _, x := range operands {
		c.p.result = append(c.p.result, c.value(x))
	}
	c.fuse()
	c.allocate()
	c.p.finish()
	return c.p
}

type compiler struct {
	p    *program
	done map[*vertex]operand
}

// root compiles v although it is stored.
func (c *compiler) root(v *vertex) operand {
	x := v.in[0]
	if v.kind == vertexPoint {
		return c.point(v)
	}
	if x.base == nil {
		return c.value(x)
	}
	w := x.view
	if !x.opaque {
		if m, ok := v.move(w); ok {
			w = m
		}
	}
	return c.leaf(x.base, w)
}

// value compiles a use of v.
func (c *compiler) value(v *vertex) operand {
	if o, ok := c.done[v]; ok {
		return o
	}
	var o operand
	switch {
	case v.base != nil:
		o = c.leaf(v.base, v.view)
	case v.kind == vertexView:
		o = c.value(v.in[0])
	case v.kind == vertexConcatenate:
		o = c.join(v)
	default:
		o = c.point(v)
	}
	c.done[v] = o
	return o
}

func (c *compiler) leaf(base *vertex, w view) operand {
	w = w.collapse()
	for i, f := range c.p.leaves {
		if f.base == base && !f.part && (f.kind == leafScalar || !w.isScalar()) && f.view.off == w.off && slices.Equal(f.view.dims, w.dims) && slices.Equal(f.view.strides, w.strides) {
			return ^operand(i)
		}
	}
	f := leaf{base: base, view: w}
	f.classify()
	c.p.leaves = append(c.p.leaves, f)
	return ^operand(len(c.p.leaves) - 1)
}

// point compiles the operation of v.
func (c *compiler) point(v *vertex) operand {
	if y := siluGradOf(v); y != nil {
		return c.emit(instruction{op: opSiLUGrad, a: c.value(y)})
	}
	if x := siluOf(v); x != nil {
		return c.emit(instruction{op: opSiLU, a: c.value(x)})
	}
	if o, ok := c.mulAdd(v); ok {
		return o
	}
	in := instruction{op: v.op, a: c.argument(v, v.in[0])}
	if len(v.in) > 1 {
		in.b = c.argument(v, v.in[1])
		switch {
		case c.isScalar(in.b):
			in.op += opScalarRight
		case c.isScalar(in.a):
			in.op += opScalarLeft
		}
	}
	return c.emit(in)
}

// emit appends an instruction with a virtual register of its own; see allocate.
func (c *compiler) emit(in instruction) operand {
	in.dst = int32(len(c.p.code))
	c.p.code = append(c.p.code, in)
	return operand(in.dst)
}

// argument compiles an operand x of v.
func (c *compiler) argument(v, x *vertex) operand {
	if x.size() == v.size() {
		return c.value(x)
	}
	// Implicit broadcasting: connect saw to it that x can be read through strides.
	return c.leaf(x.base, x.view.broadcastTo(v.shape.Dimensions))
}

// mulAdd compiles a sum with a product that nobody else reads.
func (c *compiler) mulAdd(v *vertex) (operand, bool) {
	if v.op != opAdd {
		return 0, false
	}
	for i, m := range v.in {
		if m.base != nil || m.kind != vertexPoint || m.op != opMul || m.readers != 1 || m.size() != v.size() || siluOf(m) != nil {
			continue
		}
		return c.emit(instruction{
			op: opMulAdd,
			a:  c.spread(c.argument(m, m.in[0])),
			b:  c.spread(c.argument(m, m.in[1])),
			c:  c.spread(c.argument(v, v.in[1-i])),
		}), true
	}
	return 0, false
}

// spread replaces a scalar by an array that repeats it. What is rounded together must not depend
// on whether there is one image, whose numbers are scalars, or a batch.
func (c *compiler) spread(o operand) operand {
	if !c.isScalar(o) {
		return o
	}
	f := c.p.leaves[^o]
	f.kind, f.period, f.repeat = leafRepeat, 1, c.p.size
	f.view = view{off: f.view.off, dims: []int{c.p.size}, strides: []int{0}}
	for i, g := range c.p.leaves {
		if g.base == f.base && g.kind == leafRepeat && g.view.off == f.view.off && g.repeat == f.repeat {
			return ^operand(i)
		}
	}
	c.p.leaves = append(c.p.leaves, f)
	return ^operand(len(c.p.leaves) - 1)
}

// siluOf returns x where v is x*logistic(x) of one size.
func siluOf(v *vertex) *vertex {
	if v.kind != vertexPoint || v.op != opMul {
		return nil
	}
	for i, x := range v.in {
		if l := v.in[1-i]; isInline(l, opLogistic) && l.in[0] == x {
			return x
		}
	}
	return nil
}

// siluGradOf returns y where v is s + y s (1-s) with s = logistic(y), the derivative of
// y*logistic(y), as it is written in package prior.
func siluGradOf(v *vertex) *vertex {
	if v.kind != vertexPoint || v.op != opAdd {
		return nil
	}
	s, p := v.in[0], v.in[1]
	if !isInline(s, opLogistic) || !isInline(p, opMul) || siluOf(p.in[0]) != s.in[0] {
		return nil
	}
	d := p.in[1]
	if !isInline(d, opSub) || d.in[1] != s || !isConstant(d.in[0], 1) {
		return nil
	}
	return s.in[0]
}

// isInline says whether v is computed by its readers, with the operation op.
func isInline(v *vertex, op opcode) bool {
	return v.base == nil && v.kind == vertexPoint && v.op == op
}

// isConstant says whether v is the scalar constant x.
func isConstant(v *vertex, x float32) bool {
	if v.kind != vertexConstant {
		return false
	}
	f, ok := v.node.attr.(*constantAttr).flat.([]float32)
	return ok && len(f) == 1 && f[0] == x
}

func (c *compiler) isScalar(o operand) bool { return o < 0 && c.p.leaves[^o].kind == leafScalar }

// allocate maps the virtual registers to few real ones. An instruction may write the register
// of an operand that it reads last.
func (c *compiler) allocate() {
	code := c.p.code
	last := make([]int, len(code))
	for i := range code {
		for _, o := range code[i].operands() {
			if *o >= 0 {
				last[*o] = i
			}
		}
	}
	for _, o := range c.p.result {
		if o >= 0 {
			last[o] = len(code)
		}
	}
	real := make([]operand, len(code))
	var free []operand
	for i := range code {
		in := &code[i]
		freed := -1
		for _, o := range in.operands() {
			virtual := int(*o)
			if virtual < 0 {
				continue
			}
			*o = real[virtual]
			if last[virtual] == i && virtual != freed {
				freed = virtual
				last[virtual] = -1
				free = append(free, *o)
			}
		}
		if n := len(free); n > 0 {
			real[i], free = free[n-1], free[:n-1]
		} else {
			real[i] = operand(c.p.regs)
			c.p.regs++
		}
		in.dst = int32(real[i])
	}
	for i, o := range c.p.result {
		if o >= 0 {
			c.p.result[i] = real[o]
		}
	}
	// A result that is a scalar needs a register to be spread over.
	if slices.ContainsFunc(c.p.result, c.isScalar) {
		c.p.regs++
	}
}

// operands are the operands that the instruction has.
func (in *instruction) operands() []*operand {
	switch {
	case in.op == opMulMulAdd:
		return []*operand{&in.a, &in.b, &in.c, &in.d, &in.e}
	case in.op == opMulAddSiLUGrad:
		return []*operand{&in.a, &in.b, &in.c, &in.d}
	case in.op == opMulAdd || in.op == opMulAddSiLU || in.op == opSubMul:
		return []*operand{&in.a, &in.b, &in.c}
	case in.op == opSubSquare || in.op.binary():
		return []*operand{&in.a, &in.b}
	default:
		return []*operand{&in.a}
	}
}
