package cpu

import (
	"slices"

	"github.com/gomlx/gomlx/backends"
	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// A variance is the sum of (x-m)^2 over all positions of x, [N,H,W,C], where m, [N,1,1,C], is a mean of
// x itself: x is read once for m, then again. With the number n of positions, and the sum s and the sum
// of squared deviations from s/n of each channel,
//
//	sum of (x-m)^2 = deviations + n (s/n - m)^2,
//
// for any m, without cancellation. The right-hand side needs x once, for both sums, which can be taken
// of the rows of a convolution.

// leastPositions is the number of positions from which on that pays. There must not be more channels
// than the smallest tile has elements.
const leastPositions = 64

// lowerDeviations returns the right-hand side where n is the left one, otherwise nil.
func (p *plan) lowerDeviations(n *node, square *vertex) *vertex {
	if n.op != backends.OpTypeReduceSum || square.kind != vertexPoint || square.op != opMul || square.in[0] != square.in[1] ||
		!slices.Equal(n.attr.(*reduceAttr).axes, positionAxes) {
		return nil
	}
	d := square.in[0]
	if d.kind != vertexPoint || d.op != opSub {
		return nil
	}
	x, m := d.in[0], d.in[1]
	dims := x.shape.Dimensions
	if len(dims) != 4 || x.size() != square.size() || dims[1]*dims[2] < leastPositions || dims[3] > tileElements/2 ||
		!slices.Equal(m.shape.Dimensions, []int{dims[0], 1, 1, dims[3]}) {
		return nil
	}
	shape := shapes.Make(dtypes.Float32, dims[0], dims[3])
	sum := p.reduce(n.op, x, n.attr.(*reduceAttr), false)
	deviations := p.reduce(n.op, x, n.attr.(*reduceAttr), true)
	point := func(op opcode, a, b *vertex) *vertex {
		v := p.vertex(vertexPoint, shape, a, b)
		v.op = op
		return v
	}
	positions := float32(dims[1] * dims[2])
	e := point(opSub, point(opMul, sum, p.scalar(1/positions)), p.reshape(m, shape.Dimensions))
	return point(opAdd, deviations, point(opMul, point(opMul, e, p.scalar(positions)), e))
}

// positionAxes are the axes of the positions of [N,H,W,C].
var positionAxes = []int{1, 2}

// scalar appends a constant.
func (p *plan) scalar(x float32) *vertex {
	v := p.vertex(vertexConstant, shapes.Make(dtypes.Float32))
	v.node = &node{op: backends.OpTypeConstant, shape: v.shape, attr: &constantAttr{flat: []float32{x}}}
	return v
}

// prune drops the vertices that no output needs any more.
func (p *plan) prune() {
	needed := make([]bool, len(p.vertices))
	for _, v := range p.outputs {
		needed[v.id] = true
	}
	for _, v := range slices.Backward(p.vertices) {
		if needed[v.id] {
			for _, x := range v.in {
				needed[x.id] = true
			}
		}
	}
	p.vertices = slices.DeleteFunc(p.vertices, func(v *vertex) bool { return !needed[v.id] })
	for i, v := range p.vertices {
		v.id = i
	}
}
