package prior

import (
	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/internal/autodiff"
)

// epsilon is added to the variance by GroupNorm.
const epsilon = 1e-5

// normalize is GroupNorm over 32 groups of channels and all positions of x [N,H,W,C], times gain,
// plus offset ([1,C] or [N,C]), and then SiLU if activate is set.
//
// The group statistics are folded with gain and offset into one multiplier and one offset per
// channel, so that all that happens at full size is two sums and y = x*a + b. The variance is the
// mean of squared deviations, not a difference of two means, which would cancel.
//
// The VJP with respect to x is written by hand: two sums and one pass at full size, where the
// derived one differentiates through both statistics. It recomputes y from x, so that x is the
// only full-size value that outlives the forward pass. Gradients with respect to gain and offset
// are GoMLX's.
func normalize(x, gain, offset *graph.Node, activate bool) *graph.Node {
	var mean, inverse, a, b *graph.Node // [N,C]; inverse is 1/standard deviation
	forward := func(in []*graph.Node) *graph.Node {
		x, gain, offset := in[0], in[1], in[2]
		mean = groupMean(x, sumPositions(x))
		d := graph.Sub(x, perChannel(mean))
		variance := groupMean(x, sumPositions(graph.Mul(d, d)))
		inverse = graph.Reciprocal(graph.Sqrt(graph.AddScalar(variance, epsilon)))
		a = graph.Mul(inverse, gain)
		b = graph.Sub(offset, graph.Mul(mean, a))
		y := graph.Add(graph.Mul(x, perChannel(a)), perChannel(b))
		if activate {
			y = silu(y)
		}
		return y
	}
	// With xhat = (x-mean)*inverse and g the cotangent of gain*xhat + offset:
	//   dx = inverse * (gain*g - mean_group(gain*g) - xhat * mean_group(gain*g*xhat))
	vjp := func(in []*graph.Node, _, v *graph.Node) []*graph.Node {
		x := in[0]
		g := v
		if activate {
			y := graph.Add(graph.Mul(x, perChannel(a)), perChannel(b))
			s := graph.Logistic(y)
			// d SiLU/dy = s + y s (1-s)
			g = graph.Mul(v, graph.Add(s, graph.Mul(graph.Mul(y, s), graph.OneMinus(s))))
		}
		d := graph.Sub(x, perChannel(mean))
		// As a = gain*inverse, m1 is inverse times the first mean above, and m2 is the second.
		m1 := groupMean(x, graph.Mul(a, sumPositions(g)))
		m2 := groupMean(x, graph.Mul(a, sumPositions(graph.Mul(g, d))))
		p := graph.Neg(graph.Mul(graph.Mul(inverse, inverse), m2))
		q := graph.Neg(graph.Add(m1, graph.Mul(mean, p)))
		dx := graph.Add(graph.Add(graph.Mul(g, perChannel(a)), graph.Mul(x, perChannel(p))), perChannel(q))
		return []*graph.Node{dx, nil, nil}
	}
	return autodiff.Custom([]*graph.Node{x, gain, offset}, forward, vjp)
}

// sumPositions sums [N,H,W,C] over all positions, to [N,C].
func sumPositions(x *graph.Node) *graph.Node { return graph.ReduceSum(x, 1, 2) }

// groupMean turns sums over the positions of each channel of x, [N,C], into the mean over each
// group's channels and positions, repeated for each channel of the group.
func groupMean(x, sums *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	n, h, w, c := d[0], d[1], d[2], d[3]
	g := graph.ReduceSum(graph.Reshape(sums, n, groups, c/groups), -1)
	g = graph.MulScalar(g, 1/(float64(h)*float64(w)*float64(c/groups)))
	return graph.Reshape(graph.BroadcastToDims(graph.Reshape(g, n, groups, 1), n, groups, c/groups), n, c)
}
