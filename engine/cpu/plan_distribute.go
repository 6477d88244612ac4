package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// reduce is a reduction of x, or of its squared deviations (see lowerDeviations).
func (p *plan) reduce(op backends.OpType, x *vertex, attr *reduceAttr, deviations bool) *vertex {
	if v := p.distribute(op, x, attr, deviations); v != nil {
		return v
	}
	return p.reduction(op, x, attr, deviations)
}

// distribute returns a reduction of a concatenation as the concatenation of the reductions of its
// parts, where it is one: of a program that reads nothing else of the full size, over other axes
// than the concatenated one. Each part is then read by itself or, if a convolution makes it, summed
// in its rows, and what is known of a part already is not summed again. It returns nil if there is
// no such concatenation.
func (p *plan) distribute(op backends.OpType, x *vertex, attr *reduceAttr, deviations bool) *vertex {
	c := concatenationIn(x)
	if c == nil {
		return nil
	}
	axis := c.attr.(*concatenateAttr).axis
	if slices.Contains(attr.axes, axis) {
		return nil
	}
	var sums []*vertex
	d := distribution{p: p, c: c, axis: axis}
	for _, part := range c.in {
		d.part, d.done = part, map[*vertex]*vertex{c: part}
		sums = append(sums, p.reduction(op, d.of(x), attr, deviations))
		d.at += part.shape.Dimensions[axis]
	}
	kept := 0 // the axis in the result
	for a := range axis {
		if !slices.Contains(attr.axes, a) {
			kept++
		}
	}
	shape := sums[0].shape.Clone()
	shape.Dimensions[kept] = d.at
	v := p.vertex(vertexConcatenate, shape, sums...)
	v.attr = &concatenateAttr{axis: kept}
	return v
}

// reduction appends a reduction of x unless there is one already.
func (p *plan) reduction(op backends.OpType, x *vertex, attr *reduceAttr, deviations bool) *vertex {
	for _, v := range p.vertices[min(x.id+1, len(p.vertices)):] {
		if v.kind == vertexReduce && v.in[0] == x && v.deviations == deviations && v.node.op == op && slices.Equal(v.attr.(*reduceAttr).axes, attr.axes) {
			return v
		}
	}
	shape := shapes.Shape{DType: x.shape.DType}
	for a, n := range x.shape.Dimensions {
		if !slices.Contains(attr.axes, a) {
			shape.Dimensions = append(shape.Dimensions, n)
		}
	}
	v := p.vertex(vertexReduce, shape, x)
	v.attr, v.node, v.deviations = attr, &node{op: op, shape: shape}, deviations
	return v
}

// concatenationIn returns the concatenation that x is, or is computed of element by element, if
// everything else that takes part is a smaller value that is repeated; otherwise nil.
func concatenationIn(x *vertex) *vertex {
	if x.kind == vertexConcatenate {
		return x
	}
	if x.kind != vertexPoint {
		return nil
	}
	var found *vertex
	for _, y := range x.in {
		if isRepeated(y, x.size()) {
			continue
		}
		c := concatenationIn(y)
		if c == nil || found != nil && c != found {
			return nil
		}
		found = c
	}
	return found
}

// isRepeated says whether x is a smaller value, repeated to the given size or where that is needed.
func isRepeated(x *vertex, size int) bool {
	for x.kind == vertexView && x.size() == size {
		x = x.in[0]
	}
	return x.size() < size
}

// distribution rewrites what is computed of a concatenation for one of its parts.
type distribution struct {
	p       *plan
	c, part *vertex
	axis    int
	at      int // where the part begins along the axis
	done    map[*vertex]*vertex
}

// of is x, which is computed of the concatenation, at the place of the part.
func (d *distribution) of(x *vertex) *vertex {
	if v, ok := d.done[x]; ok {
		return v
	}
	rank := len(x.shape.Dimensions)
	var v *vertex
	switch {
	case rank == 0 || x.shape.Dimensions[d.axis] == 1:
		return x
	case x.kind == vertexPoint && concatenationIn(x) == d.c:
		var in []*vertex
		for _, y := range x.in {
			in = append(in, d.of(y))
		}
		v = d.p.vertex(vertexPoint, d.shape(x), in...)
		v.op = x.op
	default:
		starts, strides := make([]int, rank), make([]int, rank)
		starts[d.axis] = d.at
		for a := range strides {
			strides[a] = 1
		}
		dims := d.shape(x).Dimensions
		v = d.p.view(x, dims, false, func(w view) (view, bool) { return w.slice(starts, strides, dims), true })
	}
	d.done[x] = v
	return v
}

// shape is the shape of x with the part's length along the axis.
func (d *distribution) shape(x *vertex) shapes.Shape {
	s := x.shape.Clone()
	s.Dimensions[d.axis] = d.part.shape.Dimensions[d.axis]
	return s
}
