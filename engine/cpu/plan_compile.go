package cpu

import "slices"

// compileProgram makes the program that computes v, a point or a view, from stored values.
func compileProgram(v *vertex) *program {
	c := compiler{p: &program{size: v.size()}, done: make(map[*vertex]operand)}
	c.root(v)
	c.allocate()
	c.p.finish()
	return c.p
}

// inputProgram makes the program that computes the elements of x in order for a reader that
// takes them from there, such as a reduction.
func inputProgram(x *vertex) *program {
	c := compiler{p: &program{size: x.size()}, done: make(map[*vertex]operand)}
	c.value(x)
	c.allocate()
	c.p.finish()
	return c.p
}

type compiler struct {
	p    *program
	done map[*vertex]operand
}

// root compiles v although it is stored.
func (c *compiler) root(v *vertex) {
	x := v.in[0]
	switch {
	case v.kind == vertexPoint:
		c.point(v)
	case x.base == nil:
		c.value(x)
	default:
		w := x.view
		if !x.opaque {
			if m, ok := v.move(w); ok {
				w = m
			}
		}
		c.leaf(x.base, w)
	}
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
	default:
		o = c.point(v)
	}
	c.done[v] = o
	return o
}

func (c *compiler) leaf(base *vertex, w view) operand {
	w = w.collapse()
	for i, f := range c.p.leaves {
		if f.base == base && f.view.off == w.off && slices.Equal(f.view.dims, w.dims) && slices.Equal(f.view.strides, w.strides) {
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
	arg := func(x *vertex) operand {
		if x.size() == v.size() {
			return c.value(x)
		}
		// Implicit broadcasting: connect saw to it that x can be read through strides.
		return c.leaf(x.base, x.view.broadcastTo(v.shape.Dimensions))
	}
	in := instruction{op: v.op}
	in.a = arg(v.in[0])
	if len(v.in) > 1 {
		in.b = arg(v.in[1])
		switch {
		case c.isScalar(in.b):
			in.op += opScalarRight
		case c.isScalar(in.a):
			in.op += opScalarLeft
		}
	}
	in.dst = int32(len(c.p.code)) // a virtual register each; see allocate
	c.p.code = append(c.p.code, in)
	return operand(in.dst)
}

func (c *compiler) isScalar(o operand) bool { return o < 0 && c.p.leaves[^o].kind == leafScalar }

// allocate maps the virtual registers to few real ones. An instruction may write the register
// of an operand that it reads last.
func (c *compiler) allocate() {
	code := c.p.code
	last := make([]int, len(code))
	for i, in := range code {
		if in.a >= 0 {
			last[in.a] = i
		}
		if in.op.binary() && in.b >= 0 {
			last[in.b] = i
		}
	}
	real := make([]operand, len(code))
	var free []operand
	for i := range code {
		in := &code[i]
		use := func(o *operand) {
			if *o < 0 {
				return
			}
			virtual := *o
			*o = real[virtual]
			if last[virtual] == i {
				last[virtual] = -1
				free = append(free, *o)
			}
		}
		a, b := in.a, in.b
		use(&in.a)
		if in.op.binary() {
			if b >= 0 && b == a {
				in.b = in.a
			} else {
				use(&in.b)
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
	// A program without code, or one that hands out tiles, needs a register for its result.
	c.p.regs = max(c.p.regs, 1)
}
