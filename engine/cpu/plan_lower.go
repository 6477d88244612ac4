package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// lower rewrites the nodes that the outputs need into vertices: products and convolutions get
// operands in one fixed order of axes (by views), everything that has no fast path stays as it
// is for the generic executors.
func (p *plan) lower(bd *Builder, outputs []*node) {
	need := make([]bool, len(bd.nodes))
	for _, n := range outputs {
		need[n.id] = true
	}
	for i, n := range slices.Backward(bd.nodes) {
		if !need[i] {
			continue
		}
		if n.from != nil {
			need[n.from.id] = true
		}
		if c := n.chosen(); c != nil {
			need[c.id] = true
			continue
		}
		for _, in := range n.inputs {
			need[in.id] = true
		}
	}
	of := make([]*vertex, len(bd.nodes))
	for i, n := range bd.nodes {
		if need[i] && n.from == nil {
			p.lowerNode(n, of)
		}
	}
	for i, n := range outputs {
		v := of[n.id]
		if v.output >= 0 || v.kind == vertexParameter || v.kind == vertexConstant {
			// An output must be a buffer of its own.
			v = p.copyOf(v)
		}
		v.output = i
		p.outputs = append(p.outputs, v)
	}
	p.prune()
}

// vertex appends a vertex.
func (p *plan) vertex(kind vertexKind, shape shapes.Shape, in ...*vertex) *vertex {
	v := &vertex{id: len(p.vertices), kind: kind, shape: shape, in: in, output: -1}
	p.vertices = append(p.vertices, v)
	return v
}

// copyOf appends a vertex with the same value.
func (p *plan) copyOf(v *vertex) *vertex {
	if isFloat32(v.shape) {
		return p.view(v, v.shape.Dimensions, true, func(x view) (view, bool) { return x, true })
	}
	n := &node{op: backends.OpTypeIdentity, shape: v.shape}
	c := p.vertex(vertexGeneric, v.shape, v)
	c.node = n
	return c
}

// view appends a movement of x.
func (p *plan) view(x *vertex, dims []int, linear bool, move func(view) (view, bool)) *vertex {
	v := p.vertex(vertexView, shapes.Shape{DType: x.shape.DType, Dimensions: slices.Clone(dims)}, x)
	v.linear, v.move = linear, move
	return v
}

func (p *plan) reshape(x *vertex, dims []int) *vertex {
	return p.view(x, dims, true, func(v view) (view, bool) { return v.reshape(dims) })
}

func (p *plan) transpose(x *vertex, perm []int) *vertex {
	dims := make([]int, len(perm))
	for i, a := range perm {
		dims[i] = x.shape.Dimensions[a]
	}
	return p.view(x, dims, movesNothing(x.shape.Dimensions, perm), func(v view) (view, bool) { return v.transpose(perm), true })
}

// movesNothing says whether a transposition only moves axes of length 1.
func movesNothing(dims, perm []int) bool {
	last := -1
	for _, a := range perm {
		if dims[a] != 1 {
			if a < last {
				return false
			}
			last = a
		}
	}
	return true
}

// chosen is the input that n, a Where with a constant condition, is the same as, otherwise nil.
func (n *node) chosen() *node {
	if n.op != backends.OpTypeWhere || n.inputs[0].op != backends.OpTypeConstant || n.inputs[0].shape.Rank() != 0 {
		return nil
	}
	x := n.inputs[2]
	if n.inputs[0].attr.(*constantAttr).flat.([]bool)[0] {
		x = n.inputs[1]
	}
	if !x.shape.Equal(n.shape) {
		return nil
	}
	return x
}

// lowerNode appends the vertices for n, and enters the one with its value.
func (p *plan) lowerNode(n *node, of []*vertex) {
	if c := n.chosen(); c != nil {
		of[n.id] = of[c.id]
		return
	}
	in := make([]*vertex, len(n.inputs))
	fast := isFloat32(n.shape) && n.results == nil
	for i, x := range n.inputs {
		in[i] = of[x.id]
		fast = fast && isFloat32(x.shape)
	}
	switch n.op {
	case backends.OpTypeParameter:
		v := p.vertex(vertexParameter, n.shape)
		v.node = n
		of[n.id] = v
		return
	case backends.OpTypeConstant:
		v := p.vertex(vertexConstant, n.shape)
		v.node = n
		of[n.id] = v
		return
	}
	if fast {
		if v := p.lowerFloat32(n, in); v != nil {
			of[n.id] = v
			return
		}
	}
	v := p.vertex(vertexGeneric, n.shape, in...)
	v.node = n
	of[n.id] = v
	for i, r := range n.results {
		u := p.vertex(vertexResult, r.shape, v)
		u.index = i
		of[r.id] = u
	}
}

// lowerFloat32 returns nil where there is no fast path.
func (p *plan) lowerFloat32(n *node, in []*vertex) *vertex {
	dims := n.shape.Dimensions
	if op, ok := unaryOpcodes[n.op]; ok {
		v := p.vertex(vertexPoint, n.shape, in...)
		v.op = op
		return v
	}
	if op, ok := binaryOpcodes[n.op]; ok {
		v := p.vertex(vertexPoint, n.shape, in...)
		v.op = op
		return v
	}
	switch n.op {
	case backends.OpTypeIdentity, backends.OpTypeReshape:
		if slices.Equal(in[0].shape.Dimensions, dims) {
			return in[0]
		}
		return p.reshape(in[0], dims)
	case backends.OpTypeTranspose:
		return p.transpose(in[0], n.attr.(*transposeAttr).permutation)
	case backends.OpTypeBroadcastInDim:
		axes := n.attr.(*broadcastAttr).axes
		return p.view(in[0], dims, in[0].size() == n.shape.Size(), func(v view) (view, bool) {
			return v.broadcast(dims, axes), true
		})
	case backends.OpTypeSlice:
		a := n.attr.(*sliceAttr)
		return p.view(in[0], dims, in[0].size() == n.shape.Size(), func(v view) (view, bool) {
			return v.slice(a.starts, a.strides, dims), true
		})
	case backends.OpTypeReverse:
		a := n.attr.(*reverseAttr)
		return p.view(in[0], dims, false, func(v view) (view, bool) { return v.reverse(a.axes), true })
	case backends.OpTypeConcatenate:
		if len(in) == 1 {
			return p.reshape(in[0], dims)
		}
		v := p.vertex(vertexConcatenate, n.shape, in...)
		v.attr = n.attr
		return v
	case backends.OpTypeReduceSum, backends.OpTypeReduceMax:
		if v := p.lowerDeviations(n, in[0]); v != nil {
			return v
		}
		return p.reduce(n.op, in[0], n.attr.(*reduceAttr), false)
	case backends.OpTypeConvGeneral:
		return p.lowerConvolution(n, in)
	case backends.OpTypeDot:
		return p.lowerDot(n, in)
	case backends.OpTypeDotGeneral:
		a := n.attr.(*dotGeneralAttr)
		return p.lowerProduct(n.shape, in, a.lhsContracting, a.lhsBatch, a.rhsContracting, a.rhsBatch)
	}
	return nil
}

// lowerDot: vectors and matrices, contracted over the last axis of the left operand and the
// first of the right.
func (p *plan) lowerDot(n *node, in []*vertex) *vertex {
	return p.lowerProduct(n.shape, in, []int{in[0].shape.Rank() - 1}, nil, []int{0}, nil)
}

// lowerProduct makes both operands [batch, rows or columns, contracted] by views, the right one
// [batch, contracted, columns].
func (p *plan) lowerProduct(shape shapes.Shape, in []*vertex, lc, lb, rc, rb []int) *vertex {
	side := func(x *vertex, contracted, batch []int, right bool) *vertex {
		dims := x.shape.Dimensions
		var free []int
		for a := range dims {
			if !slices.Contains(contracted, a) && !slices.Contains(batch, a) {
				free = append(free, a)
			}
		}
		length := func(axes []int) int {
			n := 1
			for _, a := range axes {
				n *= dims[a]
			}
			return n
		}
		second, third := free, contracted
		if right {
			second, third = contracted, free
		}
		perm := slices.Concat(batch, second, third)
		return p.reshape(p.transpose(x, perm), []int{length(batch), length(second), length(third)})
	}
	l, r := side(in[0], lc, lb, false), side(in[1], rc, rb, true)
	v := p.vertex(vertexProduct, shape, l, r)
	return v
}

// lowerConvolution takes two-dimensional convolutions of [N,H,W,C] without groups.
func (p *plan) lowerConvolution(n *node, in []*vertex) *vertex {
	a := n.attr.(*convAttr)
	x, k := in[0].shape.Dimensions, in[1].shape.Dimensions
	ax := a.axes
	if len(x) != 4 || a.channelGroups > 1 || a.batchGroups > 1 ||
		ax.InputBatch != 0 || ax.InputChannels != 3 || !slices.Equal(ax.InputSpatial, []int{1, 2}) ||
		ax.OutputBatch != 0 || ax.OutputChannels != 3 || !slices.Equal(ax.OutputSpatial, []int{1, 2}) {
		return nil
	}
	ks, ki, ko := ax.KernelSpatial, ax.KernelInputChannels, ax.KernelOutputChannels
	shape := convolutionShape(x, []int{k[ks[0]], k[ks[1]], k[ki], k[ko]}, a)
	if !supportsConvolution(shape) {
		return nil
	}
	w := p.transpose(in[1], []int{ks[0], ks[1], ki, ko})
	v := p.vertex(vertexConvolution, n.shape, in[0], w)
	v.attr = shape
	return v
}
