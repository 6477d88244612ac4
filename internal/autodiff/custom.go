// Package autodiff adds to GoMLX's reverse-mode differentiation what the networks and operators
// need: hand-written vector-Jacobian products (VJPs) for whole sub-graphs.
package autodiff

import "github.com/gomlx/gomlx/pkg/core/graph"

// Custom builds forward(in) and gives it a hand-written VJP. vjp gets the inputs, the output and
// the cotangent v of the output, and returns one cotangent per input, of that input's shape; a nil
// entry keeps the gradient that GoMLX derives for that input.
//
// GoMLX's own hook, IdentityWithCustomGradient, covers functions from a shape to the same shape.
// Custom puts one such identity behind the output, which keeps v, and one before each input, which
// replaces what came through the graph between them. Reverse mode reaches them in that order. The
// replaced gradient nodes stay in the graph but nothing reads them: a backend drops them.
//
// GoMLX must know a gradient for every operation of forward, and each input must be on a
// differentiable path to the output.
func Custom(inputs []*graph.Node, forward func(in []*graph.Node) *graph.Node, vjp func(in []*graph.Node, out, v *graph.Node) []*graph.Node) *graph.Node {
	var out, cotangent *graph.Node
	var grads []*graph.Node // for the cotangent, made when the first input asks
	in := make([]*graph.Node, len(inputs))
	for i, x := range inputs {
		in[i] = graph.IdentityWithCustomGradient(x, func(_, v *graph.Node) *graph.Node {
			if grads == nil {
				grads = vjp(inputs, out, cotangent)
			}
			if grads[i] == nil {
				return v
			}
			return grads[i]
		})
	}
	out = forward(in)
	return graph.IdentityWithCustomGradient(out, func(_, v *graph.Node) *graph.Node {
		cotangent, grads = v, nil
		return v
	})
}
