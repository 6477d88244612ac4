package sampler

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/pkg/core/dtypes"
	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
	"github.com/gomlx/gomlx/pkg/core/tensors"

	"github.com/seed-0f004ec9/spgd/prior"
)

// smallUNet is a network with attention, normalisation and two levels, with random weights.
func smallUNet(t *testing.T) *prior.Model {
	t.Helper()
	m, err := prior.Random("random", prior.Config{
		ImageSize: 16, InChannels: 3, OutChannels: 3, NumChannels: 32, NumResBlocks: 1, ChannelMult: []float64{1, 2},
		NumHeadChannels: 32, UseScaleShiftNorm: true, ResblockUpdown: true, ConvResample: true,
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// blended is the tiled denoiser as a graph: sum_i w_i P_i^T D(P_i x; sigma), the weights w_i being an input.
func blended(g *prior.Tiling, d prior.Denoiser, weights []*Node, x, sigma *Node, w []*Node) *Node {
	var sum *Node
	place := func(i, n, tile int) int { return i * (n - tile) } // two tiles along an axis: at its ends
	for i, wi := range w {
		y0, x0 := place(i/2, g.Height, g.TileHeight), place(i%2, g.Width, g.TileWidth)
		cut := graph.Slice(x, graph.AxisRange(), graph.AxisRange(y0, y0+g.TileHeight), graph.AxisRange(x0, x0+g.TileWidth))
		part := d.Denoise(weights, cut, sigma)
		for axis, room := range map[int][2]int{1: {y0, g.Height}, 2: {x0, g.Width}} {
			have := part.Shape().Dimensions[axis]
			zeros := func(n int) *Node {
				dims := slices.Clone(part.Shape().Dimensions)
				dims[axis] = n
				return graph.Zeros(x.Graph(), shapes.Make(dtypes.Float32, dims...))
			}
			parts := []*Node{part}
			if room[0] > 0 {
				parts = slices.Insert(parts, 0, zeros(room[0]))
			}
			if after := room[1] - room[0] - have; after > 0 {
				parts = append(parts, zeros(after))
			}
			part = graph.Concatenate(parts, axis)
		}
		part = graph.Mul(part, wi)
		if sum == nil {
			sum = part
		} else {
			sum = graph.Add(sum, part)
		}
	}
	return sum
}

// The tiler's denoiser is the weighted sum of the tiles' and its VJP the derivative of that: the same as
// GoMLX makes of the whole sum as one graph, and as finite differences say.
func TestTilerVJP(t *testing.T) {
	const h, w, sigma = 24, 20, 0.7
	d, e := smallUNet(t), newEngine(t)
	tiler, err := newTiler(e, d, h, w, Tiles{Side: 16, Overlap: 6})
	if err != nil {
		t.Fatal(err)
	}
	defer tiler.close()
	g := tiler.tiling
	if g.Tiles() != 4 {
		t.Fatalf("%d tiles, want 4", g.Tiles())
	}
	always := func(float64) error { return nil }
	denoise := func(x *tensors.Tensor) []float32 {
		out, err := tiler.denoise(x, sigma, always)
		if err != nil {
			t.Fatal(err)
		}
		return flat(t, out)
	}
	x, v := normals(1, 1, 2, h, w, 3), normals(2, 1, 2, h, w, 3)
	out, err := tiler.pullBack(x, v, sigma, always)
	if err != nil {
		t.Fatal(err)
	}
	x0hat, vjp := denoise(x), flat(t, out)

	// One graph.
	in := append(slices.Clone(d.Weights()), x, v, tensors.FromValue([]float32{sigma, sigma}))
	for i := range g.Tiles() {
		ones, image := slices.Repeat([]float32{1}, g.Size()), make([]float32, h*w)
		g.AddWeighted(image, ones, i, 1)
		in = append(in, tensors.FromFlatDataAndDimensions(image, 1, h, w, 1))
	}
	var s []shapes.Shape
	for _, t := range in {
		s = append(s, t.Shape())
	}
	n := len(d.Weights())
	p, err := e.Compile("tiles in one graph", s, func(in []*Node) []*Node {
		y := blended(g, d, in[:n], in[n], in[n+2], in[n+3:])
		return []*Node{y, graph.Gradient(graph.ReduceAllSum(graph.Mul(y, in[n+1])), in[n])[0]}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	want, err := p.Run(in...)
	if err != nil {
		t.Fatal(err)
	}
	if e := relative(x0hat, double(flat(t, want[0]))); e > 1e-5 {
		t.Errorf("x0hat differs from that of one graph by %g of its size", e)
	}
	if e := relative(vjp, double(flat(t, want[1]))); e > 1e-5 {
		t.Errorf("the VJP differs from that of one graph by %g of its size", e)
	}

	// Finite differences, along some directions u: <v, D(x+hu) - D(x-hu)>/2h is <J^T v, u>.
	const step = 5e-3
	cotangent := flat(t, v)
	for seed := range uint64(3) {
		u := flat(t, normals(10+seed, 1, 2, h, w, 3))
		moved := func(by float32) *tensors.Tensor {
			a := flat(t, x)
			for i := range a {
				a[i] += by * u[i]
			}
			return tensors.FromFlatDataAndDimensions(a, 2, h, w, 3)
		}
		up, down := denoise(moved(step)), denoise(moved(-step))
		difference, product := (dotProduct(cotangent, up)-dotProduct(cotangent, down))/(2*step), dotProduct(vjp, u)
		// <J^T v, u> has the standard deviation ||J^T v|| over the directions.
		if size := math.Sqrt(dotProduct(vjp, vjp)); math.Abs(difference-product) > 1e-3*size {
			t.Errorf("direction %d: finite differences say %g, the VJP %g, of size %g", seed, difference, product, size)
		}
	}
}

func dotProduct(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
