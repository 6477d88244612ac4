package autodiff

import "github.com/gomlx/gomlx/pkg/core/graph"

// Reverse reverses the order of the elements along some axes. Its VJP is itself: GoMLX knows none.
//
// The choice by a constant gives GoMLX a differentiable path; a backend can drop it.
func Reverse(x *graph.Node, axes ...int) *graph.Node {
	return Custom([]*graph.Node{x},
		func(in []*graph.Node) *graph.Node {
			turned := graph.Reverse(graph.StopGradient(in[0]), axes...)
			return graph.Where(graph.Const(x.Graph(), true), turned, in[0])
		},
		func(_ []*graph.Node, _, v *graph.Node) []*graph.Node {
			return []*graph.Node{Reverse(v, axes...)}
		})
}
