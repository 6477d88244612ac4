package autodiff

import "github.com/gomlx/gomlx/pkg/core/graph"

// Opaque builds f(x) and gives it a hand-written VJP from the cotangent v.
// Unlike Custom it does not ask GoMLX for the gradients of f's operations, which it may lack.
//
// The choice by a constant is a differentiable path for GoMLX, with the sum of x in place of x where f
// changes the shape; a backend can drop it.
func Opaque(x *graph.Node, f, vjp func(*graph.Node) *graph.Node) *graph.Node {
	return Custom([]*graph.Node{x},
		func(in []*graph.Node) *graph.Node {
			y, path := f(in[0]), in[0]
			if !y.Shape().Equal(path.Shape()) {
				path = graph.BroadcastToShape(graph.ReduceAllSum(path), y.Shape())
			}
			return graph.Where(graph.Const(x.Graph(), true), graph.StopGradient(y), path)
		},
		func(_ []*graph.Node, _, v *graph.Node) []*graph.Node { return []*graph.Node{vjp(v)} })
}

// Reverse reverses the order of the elements along some axes. GoMLX has no gradient for that.
func Reverse(x *graph.Node, axes ...int) *graph.Node {
	reverse := func(x *graph.Node) *graph.Node { return graph.Reverse(x, axes...) }
	return Opaque(x, reverse, func(v *graph.Node) *graph.Node { return Reverse(v, axes...) })
}
