package prior

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/tensors"
)

// attention64 is multi-head attention on one image in float64: qkv [T,3,heads,D] to [T,heads,D].
func attention64(qkv []float64, t, heads, d int) []float64 {
	out := make([]float64, t*heads*d)
	at := func(position, part, head, channel int) float64 {
		return qkv[((position*3+part)*heads+head)*d+channel]
	}
	p := make([]float64, t)
	for h := range heads {
		for i := range t {
			largest, sum := math.Inf(-1), 0.0
			for j := range t {
				p[j] = 0
				for c := range d {
					p[j] += at(i, 0, h, c) * at(j, 1, h, c) / math.Sqrt(float64(d))
				}
				largest = max(largest, p[j])
			}
			for j := range t {
				p[j] = math.Exp(p[j] - largest)
				sum += p[j]
			}
			for j := range t {
				for c := range d {
					out[(i*heads+h)*d+c] += p[j] / sum * at(j, 2, h, c)
				}
			}
		}
	}
	return out
}

// attentionVJP64 is its vector-Jacobian product with g by central differences.
func attentionVJP64(qkv, g []float64, t, heads, d int) []float64 {
	const step = 1e-5
	v := make([]float64, len(qkv))
	along := func(i int, x float64) float64 {
		keep := qkv[i]
		defer func() { qkv[i] = keep }()
		qkv[i] = x
		sum := 0.0
		for j, y := range attention64(qkv, t, heads, d) {
			sum += y * g[j]
		}
		return sum
	}
	for i, x := range qkv {
		v[i] = (along(i, x+step) - along(i, x-step)) / (2 * step)
	}
	return v
}

func float64s(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// distance64 is the relative distance of x from want.
func distance64(x []float32, want []float64) float64 {
	difference, size := 0.0, 0.0
	for i, w := range want {
		difference += (float64(x[i]) - w) * (float64(x[i]) - w)
		size += w * w
	}
	return math.Sqrt(difference / size)
}

// runAttend runs attention and its VJP.
func runAttend(t *testing.T, qkv, g *tensors.Tensor, heads, scores int) (out, dqkv []float32) {
	t.Helper()
	r := run(t, newEngine(t), []*tensors.Tensor{qkv, g}, func(in []*graph.Node) []*graph.Node {
		y := attend(in[0], heads, scores)
		return []*graph.Node{y, vjp(y, in[1], in[0])}
	})
	return r[0], r[1]
}

// attentionBounds are bounds of the scores in memory, for 3 heads and 30 positions: all at once; two
// heads and one; one head; blocks of 7 queries, the last of 2; one query.
var attentionBounds = []int{maxScores, 3 * 30 * 30, 2 * 30 * 30, 40 * 30, 7 * 30, 1}

// TestAttention holds attention and its VJP in blocks of every kind to float64. The larger scores would
// overflow without a softmax that shifts them.
func TestAttention(t *testing.T) {
	const h, w, heads, d = 5, 6, 3, 4
	for _, scale := range []float32{1, 20} {
		qkv, g := noise(1, 1, h, w, 3*heads*d), noise(2, 1, h, w, heads*d)
		qkv.MustMutableFlatData(func(flat any) {
			x := flat.([]float32)
			for i := range x {
				x[i] *= scale
			}
		})
		want := attention64(float64s(values(qkv)), h*w, heads, d)
		wantVJP := attentionVJP64(float64s(values(qkv)), float64s(values(g)), h*w, heads, d)
		// A score has an error of 2^-24 of its size, and a weight that of its score.
		bound := 1e-6 * float64(max(1, scale*scale/10))
		for _, scores := range attentionBounds {
			out, dqkv := runAttend(t, qkv, g, heads, scores)
			if e := distance64(out, want); !(e <= bound) {
				t.Errorf("scale %g, %d scores: relative error %.2g, want at most %.2g", scale, scores, e, bound)
			}
			if e := distance64(dqkv, wantVJP); !(e <= bound) {
				t.Errorf("scale %g, %d scores: relative error of the VJP %.2g, want at most %.2g", scale, scores, e, bound)
			}
		}
	}
}

// TestAttentionBatch: an image has the same result to the bit alone and beside others.
func TestAttentionBatch(t *testing.T) {
	const n, h, w, heads, d = 3, 5, 6, 3, 4
	qkv, g := noise(3, n, h, w, 3*heads*d), noise(4, n, h, w, heads*d)
	image := func(x *tensors.Tensor, i int) *tensors.Tensor {
		v, dims := values(x), slices.Clone(x.Shape().Dimensions)
		dims[0] = 1
		return tensors.FromFlatDataAndDimensions(v[i*size(dims):(i+1)*size(dims)], dims...)
	}
	for _, scores := range attentionBounds {
		t.Run(fmt.Sprint(scores), func(t *testing.T) {
			out, dqkv := runAttend(t, qkv, g, heads, scores)
			for i := range n {
				one, dOne := runAttend(t, image(qkv, i), image(g, i), heads, scores)
				if !slices.Equal(one, out[i*len(one):(i+1)*len(one)]) || !slices.Equal(dOne, dqkv[i*len(dOne):(i+1)*len(dOne)]) {
					t.Errorf("image %d differs in a batch", i)
				}
			}
		})
	}
}
