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
	h = attend(u.conv(l.name+".qkv", h, 1), l.heads, u.scores)
	return graph.Add(x, u.conv(l.name+".proj_out", h, 1))
}

// maxScores bounds the scores, products of a query and a key, of an image that are in memory at a
// time: 32 MB. More would not make the products faster.
const maxScores = 1 << 23

// attend is multi-head attention on qkv [N,H,W,3C], whose channels are all queries, all keys, all
// values, each ordered by head. With T = H*W positions and D channels a head it computes
// softmax(q k^T / sqrt(D)) v, to [N,H,W,C].
//
// The scores, heads*T*T an image, are made for some heads and queries at a time, at most scores of
// them (or those of one query), so that memory grows with T and not with its square. If there are
// several such blocks, the VJP computes the scores of each again; otherwise it keeps them.
//
// The VJP is written by hand, as products of matrices: GoMLX's for DotGeneral multiplies and sums
// element by element at a size of N*heads*T*T*D.
func attend(qkv *graph.Node, heads, scores int) *graph.Node {
	dims := qkv.Shape().Dimensions
	a := &attender{n: dims[0], t: dims[1] * dims[2], heads: heads, d: dims[3] / 3 / heads}
	a.divide(scores)
	image := func(x *graph.Node) *graph.Node { // of [N,T,heads,D]
		return graph.Reshape(x, dims[0], dims[1], dims[2], dims[3]/3)
	}
	forward := func(in []*graph.Node) *graph.Node { return image(a.forward(in[0])) }
	vjp := func(in []*graph.Node, out, v *graph.Node) []*graph.Node {
		position := func(x *graph.Node) *graph.Node { return graph.Reshape(x, a.n, a.t, a.heads, a.d) }
		dq, dk, dv := a.vjp(in[0], position(out), position(v))
		return []*graph.Node{graph.Concatenate([]*graph.Node{image(dq), image(dk), image(dv)}, -1)}
	}
	return autodiff.Custom([]*graph.Node{qkv}, forward, vjp)
}

// attender builds the graph of one attention, over n images, t positions and heads of d channels.
type attender struct {
	n, t, heads, d int
	groupHeads     int // heads of a block
	blockRows      int // queries of a block

	blocks []*attentionBlock // group by group
}

// attentionBlock is some heads of some queries.
type attentionBlock struct {
	head, row [2]int // first and end

	// Known from the forward pass, [N,heads,rows,...]:
	weights *graph.Node // exp(scores - largest), [...,T]; nil if they are not kept
	largest *graph.Node // score of a query, [...,1]
	inverse *graph.Node // 1/sum of the weights of a query, [...,1]
}

// divide chooses the blocks. It looks at one image only: an image has the same result in every
// batch. A product has few rows to gain from at less than minRows queries; then there are fewer
// heads, which are what threads share among them.
func (a *attender) divide(scores int) {
	const minRows = 256
	rows := max(1, scores/a.t)
	a.groupHeads = min(a.heads, max(1, rows/min(minRows, a.t)))
	a.blockRows = min(a.t, max(1, rows/a.groupHeads))
	for h := 0; h < a.heads; h += a.groupHeads {
		for r := 0; r < a.t; r += a.blockRows {
			a.blocks = append(a.blocks, &attentionBlock{
				head: [2]int{h, min(h+a.groupHeads, a.heads)},
				row:  [2]int{r, min(r+a.blockRows, a.t)},
			})
		}
	}
}

// forward returns the result as [N,T,heads,D].
func (a *attender) forward(qkv *graph.Node) *graph.Node {
	keys, v := a.keys(qkv, 1), a.part(qkv, 2)
	var out []*graph.Node
	for _, b := range a.blocks {
		scores := a.scores(b, qkv, keys)
		b.largest = graph.StopGradient(graph.ReduceAndKeep(scores, graph.ReduceMax, -1))
		w := graph.Exp(graph.Sub(scores, b.largest))
		b.inverse = graph.Reciprocal(graph.ReduceAndKeep(w, graph.ReduceSum, -1))
		if len(a.blocks) == 1 {
			b.weights = w
		}
		y := product(w, 3, byHead, b.heads(v, 2), 1, byPosition) // [N,heads,rows,D]
		out = append(out, graph.TransposeAllAxes(graph.Mul(y, b.inverse), 0, 2, 1, 3))
	}
	return a.join(out)
}

// vjp returns the cotangents of q, k and v as [N,T,heads,D], where g is that of out. With the
// softmax p, scores s and g's products with the values dp = g v^T:
//
//	dv = p^T g,  ds = p (dp - sum(dp p)),  dq = ds k / sqrt(D),  dk = ds^T q / sqrt(D)
//
// p is the weights over their sum, and the sum over the keys of dp p is that over the channels of
// g out; so all that is done at the size of the scores are products, exp(s - largest) and one
// difference and product. dk and dv are summed over the blocks of queries as [N,heads,D,T], for
// which the right operand of their products lies as it is needed.
func (a *attender) vjp(qkv, out, g *graph.Node) (dq, dk, dv *graph.Node) {
	q, k := a.part(qkv, 0), a.part(qkv, 1)
	keys, vs := a.keys(qkv, 1), a.keys(qkv, 2) // with the factor 1/sqrt(D) of ds
	var dqs, dks, dvs []*graph.Node
	for _, b := range a.blocks {
		w := b.weights
		if w == nil {
			w = graph.Exp(graph.Sub(a.scores(b, qkv, keys), b.largest))
		}
		gb := graph.Mul(b.of(g), graph.TransposeAllAxes(b.inverse, 0, 2, 1, 3)) // [N,rows,heads,D]
		mean := graph.MulScalar(graph.ReduceSum(graph.Mul(gb, b.of(out)), -1), a.scale())
		mean = graph.InsertAxes(graph.TransposeAllAxes(mean, 0, 2, 1), -1) // [N,heads,rows,1]
		ds := graph.Mul(w, graph.Sub(product(gb, 3, byPosition, b.heads(vs, 1), 2, byHead), mean))

		y := product(ds, 3, byHead, b.heads(k, 2), 1, byPosition)
		dqs = append(dqs, graph.TransposeAllAxes(y, 0, 2, 1, 3))
		dkb := product(b.of(q), 1, byPosition, ds, 2, byHead) // [N,heads,D,T]
		dvb := product(gb, 1, byPosition, w, 2, byHead)
		if b.row[0] > 0 {
			last := len(dks) - 1
			dks[last], dvs[last] = graph.Add(dks[last], dkb), graph.Add(dvs[last], dvb)
		} else {
			dks, dvs = append(dks, dkb), append(dvs, dvb)
		}
	}
	byChannel := func(groups []*graph.Node) *graph.Node {
		return graph.TransposeAllAxes(graph.Concatenate(groups, 1), 0, 3, 1, 2)
	}
	return a.join(dqs), byChannel(dks), byChannel(dvs)
}

// scale is the factor of the products of queries and keys.
func (a *attender) scale() float64 { return 1 / math.Sqrt(float64(a.d)) }

// part is the queries (0), keys (1) or values (2) of qkv [N,H,W,3C] as [N,T,heads,D].
func (a *attender) part(qkv *graph.Node, i int) *graph.Node {
	x := graph.Reshape(qkv, a.n, a.t, 3, a.heads, a.d)
	x = graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(i, i+1), graph.AxisRange(), graph.AxisRange())
	return graph.Reshape(x, a.n, a.t, a.heads, a.d)
}

// keys is the keys or the values times scale as [N,heads,D,T]: right operands of products for which
// they lie in memory once, in order, for all blocks.
func (a *attender) keys(qkv *graph.Node, part int) *graph.Node {
	return graph.MulScalar(graph.TransposeAllAxes(a.part(qkv, part), 0, 2, 3, 1), a.scale())
}

// scores of a block, [N,heads,rows,T].
func (a *attender) scores(b *attentionBlock, qkv, keys *graph.Node) *graph.Node {
	return product(b.of(a.part(qkv, 0)), 3, byPosition, b.heads(keys, 1), 2, byHead)
}

// of is the block's part of x [N,T,heads,D].
func (b *attentionBlock) of(x *graph.Node) *graph.Node {
	return graph.Slice(x, graph.AxisRange(), graph.AxisRange(b.row[0], b.row[1]), graph.AxisRange(b.head[0], b.head[1]))
}

// heads is the block's part of x for all positions.
func (b *attentionBlock) heads(x *graph.Node, axis int) *graph.Node {
	return graph.SliceAxis(x, axis, graph.AxisRange(b.head[0], b.head[1]))
}

// join puts the blocks' parts [N,rows,heads,D] together to [N,T,heads,D].
func (a *attender) join(parts []*graph.Node) *graph.Node {
	var groups []*graph.Node
	for n := (a.t + a.blockRows - 1) / a.blockRows; len(parts) > 0; parts = parts[n:] {
		groups = append(groups, graph.Concatenate(parts[:n], 1))
	}
	return graph.Concatenate(groups, 2)
}

// The axes over which attention's products are batched: image and head.
var (
	byPosition = []int{0, 2} // of [N,T,heads,D]
	byHead     = []int{0, 1} // of [N,heads,...]
)

// product contracts one axis of each operand and is batched over two: [N,heads,a,b], where a and b
// are what is left of the operands.
func product(x *graph.Node, xAxis int, xBatch []int, y *graph.Node, yAxis int, yBatch []int) *graph.Node {
	return graph.DotGeneral(x, []int{xAxis}, xBatch, y, []int{yAxis}, yBatch)
}
