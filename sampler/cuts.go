package sampler

import (
	"slices"

	"github.com/gomlx/gomlx/pkg/core/graph"
)

// Where the denoiser works in tiles it cannot be a part of a stage's graph. The graph is cut then: at
// every evaluation of the denoiser, and at every VJP of one, it ends, its results so far are the input
// of what the tiler does on the host, and it goes on from a parameter that stands for the tiler's
// result. The stage's Build function sees none of that.

// cuts are the places where a graph is cut, in order.
type cuts struct {
	list []cut
	// result makes the node that stands for the result of a cut, of the shape of its input.
	result func(i int, input *Node) *Node
	holds  []hold
	// held makes the node that stands for hold i where an earlier piece has computed it: n itself where none has.
	held func(i int, n *Node) *Node
}

// hold is a value that is computed before the cut of the given number, and kept for what comes after.
type hold struct {
	before int
	node   *Node
}

// hold notes a value to be kept over the cuts to come.
func (c *cuts) hold(n *Node) *Node {
	n = c.held(len(c.holds), n)
	c.holds = append(c.holds, hold{len(c.list), n})
	return n
}

// cut is one of them: an evaluation of the denoiser, or a VJP.
type cut struct {
	of     int   // of a VJP, the cut of its evaluation; of an evaluation, -1
	input  *Node // x of an evaluation, the cotangent of x0hat of a VJP: [N,H,W,C]
	sigma  *Node // of an evaluation, a scalar
	result *Node
}

// add cuts the graph.
func (c *cuts) add(at cut) *Node {
	at.result = c.result(len(c.list), at.input)
	c.list = append(c.list, at)
	return at.result
}

// denoise stands for the denoiser.
func (c *cuts) denoise(x, sigma *Node) *Node { return c.add(cut{of: -1, input: x, sigma: sigma}) }

// gradient returns the gradient of a scalar loss with respect to x, through the evaluations between
// the two: with v the loss's gradient with respect to an evaluation's result, and u = J^T v its VJP, the
// loss changes with the evaluation's input as <input, u> does, u held constant.
func (c *cuts) gradient(loss, x *Node) *Node {
	sources := []*Node{x}
	var through []int
	for i, at := range c.list {
		if at.of < 0 && depends(at.input, sources...) {
			sources, through = append(sources, at.result), append(through, i)
		}
	}
	for _, i := range slices.Backward(through) {
		if !depends(loss, c.list[i].result) {
			continue
		}
		v := graph.Gradient(loss, c.list[i].result)[0]
		u := c.add(cut{of: i, input: v})
		loss = graph.Add(loss, graph.ReduceAllSum(graph.Mul(c.list[i].input, u)))
	}
	return graph.Gradient(loss, x)[0]
}

// depends says whether a node is computed from one of others.
func depends(n *Node, on ...*Node) bool {
	found := false
	walk([]*Node{n}, func(n *Node) bool {
		found = found || slices.Contains(on, n)
		return !found
	})
	return found
}

// walk visits nodes and what they are computed from, each once. It does not go beyond a node for
// which visit returns false.
func walk(from []*Node, visit func(*Node) bool) {
	seen := map[*Node]bool{}
	for stack := slices.Clone(from); len(stack) > 0; {
		n := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		if visit(n) {
			stack = append(stack, n.Inputs()...)
		}
	}
}
