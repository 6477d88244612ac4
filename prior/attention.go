package prior

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"

	"github.com/seed-0f004ec9/spgd/internal/autodiff"
)

// attention is a block of multi-head self-attention over all positions, added to its input. A
// block without weights was left out when they were loaded, because it is the identity.
func (u *unet) attention(l layer, x *graph.Node) *graph.Node {
	if u.weights[l.name+".qkv.weight"] == nil {
		return x
	}
	h := normalize(x, u.vector(l.name+".norm.weight"), u.vector(l.name+".norm.bias"), false)
	h = attend(u.conv(l.name+".qkv", h, 1), l.heads)
	return graph.Add(x, u.conv(l.name+".proj_out", h, 1))
}

// attend is multi-head attention on qkv [N,H,W,3C], whose channels are all queries, all keys, all
// values, each ordered by head. With T = H*W positions and D channels a head it computes
// softmax(q k^T) v, where q and k have been multiplied by D^(-1/4), to [N,H,W,C].
//
// The VJP is written by hand, as six products of matrices: GoMLX's for DotGeneral multiplies and
// sums element by element at a size of N*heads*T*T*D.
func attend(qkv *graph.Node, heads int) *graph.Node {
	d := qkv.Shape().Dimensions
	n, t, c := d[0], d[1]*d[2], d[3]/3
	scale := math.Pow(float64(c/heads), -0.25)
	// q, k and v as [N,T,heads,D].
	split := func(qkv *graph.Node) (q, k, v *graph.Node) {
		part := func(i int) *graph.Node {
			s := graph.Slice(qkv, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(i*c, (i+1)*c))
			return graph.Reshape(s, n, t, heads, c/heads)
		}
		return graph.MulScalar(part(0), scale), graph.MulScalar(part(1), scale), part(2)
	}
	// merge turns [N,heads,T,D] into [N,H,W,C].
	merge := func(x *graph.Node) *graph.Node {
		return graph.Reshape(graph.TransposeAllAxes(x, 0, 2, 1, 3), n, d[1], d[2], c)
	}
	var q, k, v, p *graph.Node
	forward := func(in []*graph.Node) *graph.Node {
		q, k, v = split(in[0])
		p = softmax(product(q, 3, byPosition, k, 3, byPosition)) // [N,heads,T,T]
		return merge(product(p, 3, byHead, v, 1, byPosition))
	}
	vjp := func(_ []*graph.Node, _, g *graph.Node) []*graph.Node {
		g = graph.Reshape(g, n, t, heads, c/heads)
		dp := product(g, 3, byPosition, v, 3, byPosition)
		ds := graph.Mul(p, graph.Sub(dp, graph.ReduceAndKeep(graph.Mul(dp, p), graph.ReduceSum, -1)))
		dq := graph.MulScalar(merge(product(ds, 3, byHead, k, 1, byPosition)), scale)
		dk := graph.MulScalar(merge(product(ds, 2, byHead, q, 1, byPosition)), scale)
		dv := merge(product(p, 2, byHead, g, 1, byPosition))
		return []*graph.Node{graph.Concatenate([]*graph.Node{dq, dk, dv}, -1)}
	}
	return autodiff.Custom([]*graph.Node{qkv}, forward, vjp)
}

// The axes over which attention's products are batched: image and head.
var (
	byPosition = []int{0, 2} // of [N,T,heads,D]
	byHead     = []int{0, 1} // of [N,heads,T,T]
)

// product contracts one axis of each operand and is batched over two: [N,heads,a,b], where a and b
// are what is left of the operands.
func product(x *graph.Node, xAxis int, xBatch []int, y *graph.Node, yAxis int, yBatch []int) *graph.Node {
	return graph.DotGeneral(x, []int{xAxis}, xBatch, y, []int{yAxis}, yBatch)
}

// softmax over the last axis. The largest value is subtracted first, so that nothing overflows.
func softmax(x *graph.Node) *graph.Node {
	e := graph.Exp(graph.Sub(x, graph.StopGradient(graph.ReduceAndKeep(x, graph.ReduceMax, -1))))
	return graph.Div(e, graph.ReduceAndKeep(e, graph.ReduceSum, -1))
}
