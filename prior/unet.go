package prior

import (
	"math"

	"github.com/gomlx/gomlx/pkg/core/graph"
	"github.com/gomlx/gomlx/pkg/core/shapes"
)

// unet builds the network's graph. Images and activations are [N,H,W,C].
type unet struct {
	plan    *plan
	weights map[string]*graph.Node // by state-dict name, in the layouts of convert
	emb     *graph.Node            // SiLU of the timestep's embedding, [N, 4*num_channels]
	scores  int                    // of attention: how many are in memory at a time
}

// newUNet pairs the graph parameters made for the weights with their names.
func newUNet(p *plan, names []string, weights []*graph.Node) *unet {
	u := &unet{plan: p, weights: make(map[string]*graph.Node, len(names)), scores: maxScores}
	for i, name := range names {
		u.weights[name] = weights[i]
	}
	return u
}

// forward returns the network's output for x [N,H,W,C] at the real-valued timesteps t [N].
func (u *unet) forward(x, t *graph.Node) *graph.Node {
	u.embed(t)
	var kept []*graph.Node
	h := x
	for _, stage := range u.plan.encoder {
		h = u.stage(stage, h)
		kept = append(kept, h)
	}
	for _, stage := range u.plan.middle {
		h = u.stage(stage, h)
	}
	for _, stage := range u.plan.decoder {
		last := len(kept) - 1
		h = u.stage(stage, graph.Concatenate([]*graph.Node{h, kept[last]}, -1))
		kept = kept[:last]
	}
	h = normalize(h, u.vector(u.plan.outNorm.name+".weight"), u.vector(u.plan.outNorm.name+".bias"), true)
	return u.conv(u.plan.outConv.name, h, 1)
}

func (u *unet) stage(layers []layer, h *graph.Node) *graph.Node {
	for _, l := range layers {
		switch l.kind {
		case convolution:
			h = u.conv(l.name, h, 1)
		case residual:
			h = u.residual(l, h)
		case attention:
			h = u.attention(l, h)
		case downConv:
			h = u.conv(l.name+".op", h, 2)
		case downPool:
			h = halve(h)
		case upConv:
			h = u.conv(l.name+".conv", double(h), 1)
		case upNearest:
			h = double(h)
		}
	}
	return h
}

// embed computes the timestep's embedding: cosines, then sines, of t at geometrically spaced
// frequencies, and two linear layers. Every residual block takes SiLU of the result.
func (u *unet) embed(t *graph.Node) {
	half := u.plan.embeddingIn / 2
	frequencies := make([]float32, half)
	for i := range frequencies {
		frequencies[i] = float32(math.Exp(-math.Log(10000) * float64(i) / float64(half)))
	}
	n := t.Shape().Dimensions[0]
	angle := graph.Mul(graph.Reshape(t, n, 1), graph.Const(t.Graph(), [][]float32{frequencies}))
	e := graph.Concatenate([]*graph.Node{graph.Cos(angle), graph.Sin(angle)}, -1)
	e = u.linear("time_embed.2", silu(u.linear("time_embed.0", e)))
	u.emb = silu(e)
}

// residual is a residual block. Resampling, if any, stands between SiLU and the first convolution,
// and on the skip connection.
func (u *unet) residual(l layer, x *graph.Node) *graph.Node {
	resample := func(h *graph.Node) *graph.Node { return h }
	switch l.resample {
	case down:
		resample = halve
	case up:
		resample = double
	}
	h := normalize(x, u.vector(l.name+".in_layers.0.weight"), u.vector(l.name+".in_layers.0.bias"), true)
	h = u.conv(l.name+".in_layers.2", resample(h), 1)

	e := u.linear(l.name+".emb_layers.1", u.emb)
	gain, offset := u.vector(l.name+".out_layers.0.weight"), u.vector(l.name+".out_layers.0.bias")
	if u.plan.config.UseScaleShiftNorm {
		scale := graph.OnePlus(graph.Slice(e, graph.AxisRange(), graph.AxisRange(0, l.out)))
		shift := graph.Slice(e, graph.AxisRange(), graph.AxisRange(l.out, 2*l.out))
		gain, offset = graph.Mul(gain, scale), graph.Add(graph.Mul(offset, scale), shift)
	} else {
		h = graph.Add(h, perChannel(e))
	}
	h = u.conv(l.name+".out_layers.3", normalize(h, gain, offset, true), 1)

	skip := resample(x)
	if l.in != l.out {
		skip = u.conv(l.name+".skip_connection", skip, 1)
	}
	return graph.Add(skip, h)
}

// conv is a convolution with bias that keeps the size (divides it by the stride). Odd kernels only.
func (u *unet) conv(name string, x *graph.Node, stride int) *graph.Node {
	w := u.weights[name+".weight"]
	pad := w.Shape().Dimensions[0] / 2
	y := graph.Convolve(x, w).PaddingPerDim([][2]int{{pad, pad}, {pad, pad}}).Strides(stride).Done()
	return graph.Add(y, perChannel(u.vector(name+".bias")))
}

// linear is y = x W + b for x [N, in].
func (u *unet) linear(name string, x *graph.Node) *graph.Node {
	return graph.Add(graph.Dot(x, u.weights[name+".weight"]), u.vector(name+".bias"))
}

// vector returns a per-channel weight as [1,C].
func (u *unet) vector(name string) *graph.Node {
	return graph.InsertAxes(u.weights[name], 0)
}

// perChannel turns [N,C] into [N,1,1,C], which spreads over all positions.
func perChannel(v *graph.Node) *graph.Node {
	d := v.Shape().Dimensions
	return graph.Reshape(v, d[0], 1, 1, d[1])
}

func silu(x *graph.Node) *graph.Node { return graph.Mul(x, graph.Logistic(x)) }

// halve averages over 2x2 pixels. (The gradient of GoMLX's MeanPool is a dilated Pad and a
// ReduceWindow at full size; that of a mean is a broadcast.)
func halve(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	x = graph.Reshape(x, d[0], d[1]/2, 2, d[2]/2, 2, d[3])
	return graph.MulScalar(graph.ReduceSum(x, 2, 4), 0.25)
}

// double repeats every pixel 2x2 times.
func double(x *graph.Node) *graph.Node {
	d := x.Shape().Dimensions
	shape := shapes.Make(x.DType(), d[0], d[1], 2, d[2], 2, d[3])
	x = graph.BroadcastToShape(graph.Reshape(x, d[0], d[1], 1, d[2], 1, d[3]), shape)
	return graph.Reshape(x, d[0], 2*d[1], 2*d[2], d[3])
}
